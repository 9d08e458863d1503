/** What policy says of a handful of files: they are laid out and read as the plan stage does it, by the real compose. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { composeCommands, findPlugin } from '../../src/adapters/compose.ts';
import type { Builder, Composer } from '../../src/domain/ports.ts';
import type { Stack } from '../../src/domain/stack.ts';
import { TreehouseError } from '../../src/errors.ts';
import { harden } from '../../src/policy/harden.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { findComposeFiles, inspectSources } from '../../src/policy/sources.ts';
import { judgeImages, readStackImages } from '../../src/supply/judge.ts';

const run = promisify(execFile);

/** Content by path, relative to the checkout: `../secret` lies beside it. */
export type Layout = Readonly<Record<string, string | Uint8Array | { readonly link: string } | 'fifo' | 'folder'>>;

export interface Verdict {
  readonly verdict: 'accepted' | 'refused' | 'unreadable';
  /** `path: message` of changes, `path [rule]: message` of refusals, or what could not be read. */
  readonly lines: readonly string[];
  readonly stack: Stack | undefined;
}

export interface Court {
  /** Where checkouts and what lies beside them are. */
  readonly folder: string;
  readonly commands: Composer & Builder;
  layOut(files: Layout): Promise<string>;
  judge(files: Layout, policy?: Policy): Promise<Verdict>;
  close(): Promise<void>;
}

export async function openCourt(): Promise<Court> {
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-policy-'));
  const home = path.join(folder, 'home');
  const userHome = process.env.HOME ?? '/nonexistent';
  const commands = composeCommands({
    home,
    path: process.env.PATH ?? '',
    dockerHost: undefined,
    compose: await findPlugin('docker-compose', userHome),
    buildx: await findPlugin('docker-buildx', userHome),
  });
  let count = 0;

  async function layOut(files: Layout): Promise<string> {
    count += 1;
    const root = path.join(folder, `case-${count}`, 'checkout');
    await mkdir(root, { recursive: true });
    for (const [name, content] of Object.entries(files)) await put(path.join(root, name), content);
    return root;
  }

  async function judge(files: Layout, policy?: Policy): Promise<Verdict> {
    const root = await layOut(files);
    const sources = await inspectSources(root, await findComposeFiles(root));
    if (sources.refusals.length > 0) return refused(sources.refusals);
    const { signal } = new AbortController();
    try {
      const model = await commands.read({ root, files: sources.files, env: sources.env, signal });
      const result = await harden(root, model, policy);
      if (result.kind === 'refused') return refused(result.refusals);
      const { stack } = result;
      const images = judgeImages(await readStackImages(root, stack, sources.files), {
        rules: undefined,
        registry: undefined,
      });
      if (images.length > 0) return refused(images);
      return { verdict: 'accepted', lines: stack.changes.map((one) => `${one.path}: ${one.message}`), stack };
    } catch (error) {
      if (!(error instanceof TreehouseError) || error.code !== 'compose-unreadable') throw error;
      return { verdict: 'unreadable', lines: [error.message], stack: undefined };
    }
  }

  return { folder, commands, layOut, judge, close: () => rm(folder, { recursive: true, force: true }) };
}

function refused(
  refusals: readonly { readonly path: string; readonly rule: string; readonly message: string }[],
): Verdict {
  return {
    verdict: 'refused',
    lines: refusals.map((one) => `${one.path} [${one.rule}]: ${one.message}`),
    stack: undefined,
  };
}

async function put(file: string, content: Layout[string]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  if (content === 'fifo') await run('mkfifo', [file]);
  else if (content === 'folder') await mkdir(file, { recursive: true });
  else if (typeof content === 'object' && 'link' in content) await symlink(content.link, file);
  else await writeFile(file, content);
}
