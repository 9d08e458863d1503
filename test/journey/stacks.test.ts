/** The stacks that Treehouse is for, each from a signed push to nothing left. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { fourServices, plainDockerfile, staticFolder, talk, withText } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

const stacks: Readonly<
  Record<string, { readonly files: Files; change(text: string): Files; readonly red: Files | undefined }>
> = {
  talk: { files: talk('one'), change: (text) => talk(text), red: { 'test.sh': 'echo these tests are red; exit 3\n' } },
  four: { files: fourServices('one'), change: (text) => withText('web/index.html', text), red: undefined },
  dockerfile: { files: plainDockerfile('one'), change: (text) => plainDockerfile(text), red: undefined },
  site: { files: staticFolder('one'), change: (text) => staticFolder(text), red: undefined },
};

describe.each(Object.keys(stacks))('%s', (name) => {
  const stack = stacks[name];
  if (!stack) throw new Error(name);
  let folder: string;
  let repo: TestRepo;
  let world: World;
  // Of this run alone: another run on the same engine has previews of its own names.
  const repository = `acme/${name}${process.pid}`;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
    repo = await makeRepo(folder, stack.files);
    world = await startWorld({ repositories: { [repository]: repo.remote } });
  });
  afterAll(async () => {
    await world?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('goes from push to preview to nothing', async () => {
    const main = world.idOf(repository, 'main');
    expect(await world.pushed(repository, 'main')).toBe(202);
    const first = await serves(world, main, 'one');
    expect(first.headers['x-robots-tag']).toBe('noindex');
    const before = await docker('ps', '-q', '--filter', `label=treehouse.preview=${main}`);
    expect(before.length).toBeGreaterThan(0);

    // A second push brings new content to the same address.
    await repo.commit(stack.change('two'));
    await repo.push();
    expect(await world.pushed(repository, 'main')).toBe(202);
    await serves(world, main, 'two');

    // Red tests keep what was live.
    if (stack.red) {
      const red = await repo.commit({ ...stack.change('three'), ...stack.red });
      await repo.push();
      await world.pushed(repository, 'main');
      const record = await world.ended(main, red);
      expect(record).toMatchObject({ state: 'outdated', attempt: { outcome: 'failed', stage: 'test' } });
      expect(record.reason).toContain('the tests are red');
      expect((await serves(world, main, 'two')).body).not.toContain('three');
      const build = record.attempt?.build;
      expect(build && (await world.treehouse.store.tail(main, build, 50)).join('\n')).toContain('these tests are red');
      expect(
        await docker(
          'ps',
          '-aq',
          '--filter',
          `label=treehouse.preview=${main}`,
          '--filter',
          'label=treehouse.role=test',
        ),
      ).toEqual([]);
      await repo.git('reset', '--quiet', '--hard', 'HEAD~1');
      await repo.push({ force: true });
      await world.pushed(repository, 'main');
      await until('the branch is live again', async () => (await world.record(main))?.state === 'live');
    }

    // Another branch beside it has an address of its own.
    const other = world.idOf(repository, 'feature/beside');
    await repo.branch('feature/beside');
    await repo.commit(stack.change('beside'));
    await repo.push();
    await world.pushed(repository, 'feature/beside');
    await serves(world, other, 'beside');
    expect((await serves(world, main, 'two')).body).not.toContain('beside');

    // Gone with the branch; the neighbour stays.
    await repo.deleteBranch('feature/beside');
    await world.pushed(repository, 'feature/beside', { deleted: true });
    await until('the preview is removed', async () => (await world.record(other))?.state === 'removed');
    expect(await world.leftovers(other)).toEqual([]);
    expect((await world.visit(other)).status).toBe(404);
    await serves(world, main, 'two');

    // Merged: the pull request closes while the branch is still there.
    const head = await repo.head('main');
    expect(await world.pullRequest(repository, 'main', { action: 'closed', number: 7, head, merged: true })).toBe(202);
    await until('the merged preview is removed', async () => (await world.record(main))?.state === 'removed');
    expect(await world.leftovers(main)).toEqual([]);
    // Looking again does nothing.
    const events = world.events.length;
    await world.pushed(repository, 'main');
    await until('the queue is empty', async () => (await world.record(main))?.state === 'removed');
    expect(world.events.slice(events).filter((one) => one.preview === main)).toEqual([]);
    expect(await world.leftovers(main)).toEqual([]);
  });
});
