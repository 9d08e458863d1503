/** What the engine is sent of a context is what buildx sends. */
import { randomBytes } from 'node:crypto';
import { chmod, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contextOf } from '../../src/adapters/build-context.ts';
import { connectEngine } from '../../src/adapters/engine.ts';
import { engineBuilder } from '../../src/adapters/engine-build.ts';
import { LABEL } from '../../src/domain/labels.ts';
import type { Builder } from '../../src/domain/ports.ts';
import type { StackBuild } from '../../src/domain/stack.ts';
import { type Court, type Layout, openCourt } from '../support/judge.ts';

const RUN = `context-${randomBytes(4).toString('hex')}`;
const docker = connectEngine(undefined);
let court: Court;
beforeAll(async () => {
  court = await openCourt();
});
afterAll(async () => {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${RUN}`] });
  for (const one of await docker.listImages({ filters })) await docker.getImage(one.Id).remove({ force: true });
  await court?.close();
});

const plain: StackBuild = { context: 'app', args: {}, contexts: {}, noNetwork: false };
const TREE: Layout = {
  'app/a.txt': 'a',
  'app/b.log': 'b',
  'app/.env': 'SECRET=1',
  'app/.git-like/x': 'x',
  'app/lib/a.txt': 'la',
  'app/lib/b.log': 'lb',
  'app/lib/deep/secret': 's',
  'app/lib/deep/keep.txt': 'k',
  'app/lib/deep/er/keep.txt': 'k',
  'app/node_modules/p/index.js': 'p',
  'app/node_modules/p/keep.txt': 'k',
  'app/tést & more.txt': 'é',
  'app/[x].txt': 'x',
  'app/back\\slash': 'b',
};

/** Every entry as a build sees it: its kind, mode, owner, size or target, and name. */
async function seenBy(builder: Builder, root: string, build: StackBuild): Promise<string[]> {
  const lines: string[] = [];
  await builder.build({
    root,
    targets: [{ service: 'web', reference: `${RUN}/web:1`, build, labels: { [LABEL.instance]: RUN } }],
    onLine: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  return lines.flatMap((line) => / (seen .*)$/.exec(line)?.[1] ?? []).sort();
}

const recipe = () => `FROM busybox
COPY . /c/
RUN echo ${randomBytes(8).toString('hex')}; cd /c; find . -mindepth 1 | while read -r f; do echo "seen $(stat -c '%F %a %u:%g' "$f") $([ -L "$f" ] || [ -d "$f" ] || cat "$f") $(readlink "$f") $f"; done
`;

async function both(root: string, build: StackBuild = plain): Promise<string[]> {
  expect(await contextOf(root, build), 'that the engine can be sent it').toBeDefined();
  await writeFile(path.join(root, build.dockerfile ?? 'app/Dockerfile'), recipe());
  const byEngine = await seenBy(engineBuilder(docker, court.commands), root, build);
  await writeFile(path.join(root, build.dockerfile ?? 'app/Dockerfile'), recipe());
  expect(await seenBy(court.commands, root, build)).toEqual(byEngine);
  return byEngine;
}

/** The Dockerfile's text is new each time; that it is there is what counts. */
const without = (lines: readonly string[]) => lines.map((line) => line.split(' ').at(-1));

describe('a context', () => {
  it.each([
    ['nothing left out', '', 'b.log'],
    ['an ending', '*.log\n', 'lib/b.log'],
    ['an ending anywhere, and a comment', '# all of them\n\n**/*.log\r\n', 'lib/a.txt'],
    ['a folder', 'node_modules\nlib/deep/', 'lib/a.txt'],
    [
      'a folder with exceptions',
      'node_modules\n!node_modules/p/keep.txt\nlib/*\n!lib/deep\n',
      'node_modules/p/keep.txt',
    ],
    ['all but some', '*\n!a.txt\n!lib/**/keep.txt\n!Dockerfile', 'lib/deep/er/keep.txt'],
    ['an exception that is taken back', '**/keep.txt\n!lib/deep/keep.txt\nlib/deep', 'a.txt'],
    ['paths from the top, dots and spaces', '/a.txt\n./lib/../b.log  \n  .env\n', 'lib/a.txt'],
    ['single characters, classes and escapes', '?.txt\n[[]x].txt\n.git-lik[a-e]\nback\\\\slash', 'b.log'],
    ['other cases of letters', 'A.TXT\nLIB\n', 'a.txt'],
  ])('is sent as buildx sends it: %s', async (_what, list, there) => {
    const root = await court.layOut({ ...TREE, 'app/Dockerfile': recipe(), 'app/.dockerignore': list });
    const lines = await both(root);
    expect(without(lines)).toContain(`./${there}`);
  });

  it('is sent with links, modes and the lists of a Dockerfile of its own', async () => {
    const files = {
      ...TREE,
      'app/web.Dockerfile': recipe(),
      'app/web.Dockerfile.dockerignore': 'lib',
      'app/.dockerignore': 'a.txt',
    };
    const root = await court.layOut(files);
    await chmod(path.join(root, 'app/b.log'), 0o751);
    await symlink('../../../etc/passwd', path.join(root, 'app/out'));
    await symlink('node_modules', path.join(root, 'app/folder'));
    const lines = await both(root, { ...plain, dockerfile: 'app/web.Dockerfile' });
    expect(without(lines)).toEqual(expect.arrayContaining(['./a.txt', './out', './folder']));
    expect(without(lines)).not.toContain('./lib');
    expect(lines.join('\n')).not.toContain('root:');
  });

  it.each<[string, Layout, Partial<StackBuild>]>([
    ['a Dockerfile elsewhere', { 'd/Dockerfile': '' }, { dockerfile: 'd/Dockerfile' }],
    ['a Dockerfile of the compose file', {}, { dockerfileInline: 'FROM busybox' }],
    ['a further context', { 'app/Dockerfile': '', 'lib/a': '' }, { contexts: { lib: 'lib' } }],
    ['a Dockerfile that is left out', { 'app/Dockerfile': '', 'app/.dockerignore': 'Dockerfile' }, {}],
    ['17 MB', { 'app/Dockerfile': '', 'app/large': 'x'.repeat(17 * 2 ** 20) }, {}],
    [
      'a pattern that would keep a regular expression busy',
      { 'app/Dockerfile': '', 'app/.dockerignore': `${'**/a'.repeat(30)}` },
      {},
    ],
    ['a list of patterns without end', { 'app/Dockerfile': '', 'app/.dockerignore': 'a\n'.repeat(20_000) }, {}],
    ['no Dockerfile', {}, {}],
  ])('is left to buildx for %s', async (_what, files, build) => {
    const root = await court.layOut({ 'app/a': 'a', ...files });
    expect(await contextOf(root, { ...plain, ...build })).toBeUndefined();
  });
});
