/** What an admin asks of a preview: its build to end, the whole of it to go, and to come back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/web/client.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/acts${process.pid}`;
const ADMIN = 'the admin token of this test';
let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('before'));
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
  await world.pushed(repository, 'main');
  await serves(world, id(), 'before');
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const id = () => world.idOf(repository, 'main');
const client = () => createClient({ url: world.url, token: ADMIN });

it('a build that is cancelled ends, is not tried again, and what served serves on', async () => {
  await expect(client().act('cancel', id())).rejects.toThrow('No build of it is under way.');
  const commit = await repo.commit({ Dockerfile: 'FROM busybox\nRUN echo begun && sleep 600\n' });
  await repo.push();
  await world.pushed(repository, 'main');
  await until('it is built', async () => (await world.record(id()))?.attempt?.stage === 'build');
  await client().act('cancel', id());
  const record = await world.ended(id(), commit);
  expect(record).toMatchObject({ state: 'outdated', attempt: { outcome: 'failed', kind: 'terminal' } });
  expect(record.reason).toBe('build failed: somebody cancelled it; a redeploy begins it again');
  expect((await world.visit(id())).body).toContain('before');
  await world.pushed(repository, 'main');
  await client().sweep({ dryRun: false });
  expect((await world.record(id()))?.attempt?.build).toBe(record.attempt?.build);
});

it('says what is wanted of it, what there is, and what comes next', async () => {
  const plan = async () => {
    const answer = await fetch(`${world.url}/api/v1/previews/${id()}/plan`, {
      headers: { authorization: `Bearer ${ADMIN}` },
    });
    return (await answer.json()) as { desired: object; observed: { containers: string[] }; next: string; why: string };
  };
  const bad = await repo.head();
  expect(await plan()).toMatchObject({
    ...{ desired: { commit: bad, cause: null }, next: 'nothing' },
    ...{ why: 'this commit failed and would again; a redeploy tries it once more' },
  });
  const [container = ''] = (await plan()).observed.containers;
  await docker('stop', '-t', '0', container);
  // Whoever mends it may be quicker than the question.
  expect(['nothing', 'converge']).toContain((await plan()).next);
  await serves(world, id(), 'before');
});

it('a preview that is taken down is gone, stays gone, and comes back when somebody asks, or pushes', async () => {
  await repo.git('reset', '--quiet', '--hard', 'HEAD~1');
  await repo.push({ force: true });
  await world.pushed(repository, 'main');
  await until('it is known as good again', async () => (await world.record(id()))?.state === 'live');
  await client().act('down', id());
  await until('it is removed', async () => (await world.record(id()))?.state === 'removed');
  expect(await world.leftovers(id())).toEqual([]);
  expect((await world.record(id()))?.reason).toBe('admin took it down');
  await world.pushed(repository, 'main');
  await client().sweep({ dryRun: false });
  await until('nothing of it runs', async () =>
    world.treehouse.store.record(id()).then((one) => one?.state === 'removed'),
  );
  expect((await world.visit(id(), '/', { accept: 'text/html' })).status).toBe(404);

  await client().act('redeploy', id());
  await serves(world, id(), 'before');
  await client().act('down', id());
  await until('it is removed again', async () => (await world.record(id()))?.state === 'removed');
  await repo.commit(plainDockerfile('after'));
  await repo.push();
  await world.pushed(repository, 'main');
  await serves(world, id(), 'after');
});
