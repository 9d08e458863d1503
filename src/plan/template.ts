/** What a repository without a compose file is taken for. */
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { TreehouseError } from '../errors.ts';
import { COMPOSE_FILES } from '../policy/sources.ts';

export type Template = 'dockerfile' | 'node' | 'static';

/** Folders in which a built site is looked for, in order. */
const SITE_FOLDERS = ['', 'public', 'dist', 'site'] as const;

/** @throws {TreehouseError} `nothing-to-run`, naming all that was looked for. */
export async function chooseTemplate(root: string): Promise<Template> {
  if (await isFile(path.join(root, 'Dockerfile'))) return 'dockerfile';
  if (await hasStartScript(path.join(root, 'package.json'))) return 'node';
  for (const folder of SITE_FOLDERS) {
    if (await isFile(path.join(root, folder, 'index.html'))) return 'static';
  }
  throw new TreehouseError(
    'nothing-to-run',
    `there is nothing to run: looked for ${COMPOSE_FILES.join(', ')}, Dockerfile, package.json with a "start" script, and ` +
      'index.html at the top or in public/, dist/ or site/',
  );
}

async function hasStartScript(file: string): Promise<boolean> {
  if (!(await isFile(file))) return false;
  try {
    const content = JSON.parse(await readFile(file, 'utf8')) as { scripts?: { start?: unknown } };
    return typeof content.scripts?.start === 'string';
  } catch {
    return false;
  }
}

async function isFile(file: string): Promise<boolean> {
  const stat = await lstat(file).catch(() => undefined);
  return stat?.isFile() === true && stat.size < 1024 * 1024;
}
