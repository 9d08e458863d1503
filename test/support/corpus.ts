/**
 * The projects of test/policy: folders of real files. Of a hostile one the comment at the top of its compose file says what must
 * come of it, and what git cannot keep:
 *
 *     # Why it is hostile, in words.
 *     # link: data -> /etc                        a link beside it, or `fifo: pipe`
 *     # refused: services.web.privileged [privileged]
 *     # unreadable: what Compose itself says
 *     # neutralised: services.web.ports: not published …      a change, as the build's log has it
 *     # plan: {"volumes": ["data"]}               part of what will run, for what is neutralised without a word
 *     # never: main--shop                         what stands nowhere in it
 *
 * A harmless one serves its own name.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPOSE_FILES } from '../../src/policy/sources.ts';
import type { Layout } from './judge.ts';

export interface Project {
  readonly name: string;
  readonly files: Layout;
}

export interface Hostile extends Project {
  readonly why: string;
  readonly expected: Expected;
}

/** Exactly one of the first two, or what is neutralised. */
export interface Expected {
  readonly refused: readonly string[];
  readonly unreadable: readonly string[];
  readonly neutralised: readonly string[];
  readonly plan: object | undefined;
  readonly never: readonly string[];
}

const FOLDER = fileURLToPath(new URL('../policy', import.meta.url));

export async function hostileProjects(): Promise<readonly Hostile[]> {
  return (await projects('hostile')).map(({ name, files }) => {
    const compose = COMPOSE_FILES.map((one) => files[one]).find((one) => one !== undefined);
    const { why, words } = headOf(Buffer.from(compose as Uint8Array).toString());
    const all = (word: string) => words.filter((one) => one.word === word).map((one) => one.text);
    const links = all('link').map((one) => one.split(' -> ') as [string, string]);
    const [plan] = all('plan');
    const expected = {
      refused: all('refused'),
      unreadable: all('unreadable'),
      neutralised: all('neutralised'),
      plan: plan === undefined ? undefined : (JSON.parse(plan) as object),
      never: all('never'),
    };
    if (words.every((one) => ['link', 'fifo'].includes(one.word))) throw new Error(`${name}: what must come of it?`);
    return {
      name,
      why,
      files: {
        ...files,
        ...Object.fromEntries(links.map(([from, link]) => [from, { link }])),
        ...Object.fromEntries(all('fifo').map((pipe) => [pipe, 'fifo'])),
      },
      expected,
    };
  });
}

/** The attacks that a container tries, a project too. */
export function attackingProject(): Promise<Layout> {
  return filesOf(path.join(FOLDER, 'attacks'));
}

export function harmlessProjects(): Promise<readonly Project[]> {
  return projects('harmless');
}

async function projects(kind: 'hostile' | 'harmless'): Promise<readonly Project[]> {
  const names = (await readdir(path.join(FOLDER, kind))).sort();
  return Promise.all(names.map(async (name) => ({ name, files: await filesOf(path.join(FOLDER, kind, name)) })));
}

export async function filesOf(folder: string, prefix = ''): Promise<Layout> {
  const files: Record<string, Layout[string]> = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    const name = prefix + entry.name;
    if (entry.isDirectory()) Object.assign(files, await filesOf(file, `${name}/`));
    else files[name] = entry.isSymbolicLink() ? { link: await readlink(file) } : await readFile(file);
  }
  return files;
}

interface Head {
  readonly why: string;
  readonly words: readonly { readonly word: string; readonly text: string }[];
}

function headOf(text: string): Head {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('# '));
  const [why = '', ...more] = lines.slice(0, end < 0 ? lines.length : end).map((line) => line.slice(2));
  const words = more.map((line) => {
    const [, word = '', said = ''] = /^(refused|unreadable|neutralised|plan|never|link|fifo): (.+)$/.exec(line) ?? [];
    if (word === '') throw new Error(`what is meant by ${JSON.stringify(line)}?`);
    return { word, text: said };
  });
  return { why, words };
}
