/** Stage 2: the compose file, or a template for it, becomes the stack that policy allows. */
import { cp, lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Stack } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';
import { harden } from '../policy/harden.ts';
import { COMPOSE_FILES, findComposeFiles, inspectSources } from '../policy/sources.ts';
import type { DrawnIn } from '../supply/drawn.ts';
import { judgeImages, readStackImages } from '../supply/judge.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { refused } from './refused.ts';

/** Folders in which a built site is looked for, in order. */
const SITE_FOLDERS = ['', 'public', 'dist', 'site'] as const;

export interface Planned {
  readonly stack: Stack;
  /** Every image that it draws in; none is refused by its name. */
  readonly drawn: DrawnIn;
}

/** @throws {TreehouseError} `nothing-to-run`, `compose-unreadable` or `refused-by-policy`, each saying what to change. */
export async function planStack(
  deps: Pick<ConvergeDeps, 'composer' | 'registry' | 'templates'>,
  run: BuildRun,
): Promise<Planned> {
  const say = run.lines('plan', 'treehouse');
  const root = run.checkout;
  let names = await findComposeFiles(root);
  if (names.length === 0) {
    const template = await chooseTemplate(root);
    await cp(path.join(deps.templates, template), root, { recursive: true, force: false, errorOnExist: false });
    say(`no compose file: taken for a ${template} project (templates/${template})`);
    names = await findComposeFiles(root);
  }
  say(`reading ${names.join(' and ')}`);
  const sources = await inspectSources(root, names);
  if (sources.refusals.length > 0) throw refused(sources.refusals);
  const model = await deps.composer.read({ ...sources, root, signal: run.signal });
  const result = await harden(root, model);
  if (result.kind === 'refused') throw refused(result.refusals);
  const drawn = await readStackImages(root, result.stack, sources.files);
  const images = judgeImages(drawn, {
    rules: run.repository.images,
    registry: deps.registry?.address,
  });
  if (images.length > 0) throw refused(images);
  for (const change of result.stack.changes) {
    await run.emit({ type: 'change', path: change.path, message: change.message });
    say(`${change.path}: ${change.message}`);
  }
  return { stack: result.stack, drawn };
}

async function chooseTemplate(root: string): Promise<'dockerfile' | 'node' | 'static'> {
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
