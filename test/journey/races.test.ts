/** Deliveries as they come in real life: late, twice, in any order, and overtaken. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/races${process.pid}`;
let folder: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('zero'));
  world = await startWorld({ repositories: { [repository]: repo.remote } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('ten pushes in a second, delivered in any order and twice each: the last one serves', async () => {
  await repo.branch('busy', 'main');
  const id = world.idOf(repository, 'busy');
  const deliveries: { after: string }[] = [];
  let last = '';
  for (let count = 1; count <= 10; count += 1) {
    last = await repo.commit(plainDockerfile(`push ${count}.`));
    deliveries.push({ after: last }, { after: last });
    await repo.push();
    // The first few overtake a build that is under way; the rest come late and out of order.
    if (count <= 3) expect(await world.pushed(repository, 'busy', { after: last })).toBe(202);
  }
  const order = deliveries.map((one, index) => ({ one, key: (index * 7919) % 20 })).sort((a, b) => a.key - b.key);
  const statuses = await Promise.all(order.map(({ one }) => world.pushed(repository, 'busy', one)));
  expect(new Set(statuses)).toEqual(new Set([202]));
  await serves(world, id, 'push 10.');
  await until('the record agrees', async () => (await world.record(id))?.state === 'live');
  const mine = world.events.filter((one) => one.preview === id);
  // How many get live between two pushes is the machine's affair: none twice, none backwards, the last at the end.
  const pushes = [...new Set(deliveries.map((one) => one.after))];
  const lives = mine.flatMap((one) => (one.type === 'build.live' ? [pushes.indexOf(one.commit)] : []));
  expect(lives).toEqual([...new Set(lives)].sort((a, b) => a - b));
  expect(lives.at(-1)).toBe(9);
  expect(mine.filter((one) => one.type === 'build.failed')).toEqual([]);
  // What the overtaken builds had made is gone: one stack is left.
  await until(
    'one container is left',
    async () => (await docker('ps', '-aq', '--filter', `label=treehouse.preview=${id}`)).length === 1,
  );
  expect((await serves(world, id, 'push 10.')).status).toBe(200);
  expect((await world.record(id))?.serving?.commit).toBe(last);
});

it('a newer commit ends the build in flight, its processes and its half-built stack', async () => {
  const id = world.idOf(repository, 'slow');
  await repo.branch('slow', 'main');
  // Of this run alone: one that an earlier run left to end would be in the engine's cache.
  const slow = `FROM busybox\nRUN sleep 600 && echo ${process.pid}-${Date.now()}\n`;
  const first = await repo.commit({ Dockerfile: slow });
  await repo.push();
  await world.pushed(repository, 'slow', { after: first });
  await until('the build is under way', async () => (await world.record(id))?.attempt?.stage === 'build');
  await repo.commit({ ...plainDockerfile('quick') });
  await repo.push();
  await world.pushed(repository, 'slow');
  await serves(world, id, 'quick');
  const ends = world.events.filter(
    (one) => one.preview === id && one.type.startsWith('build.') && one.type !== 'build.started',
  );
  expect(ends.map((one) => one.type)).toEqual(['build.superseded', 'build.live']);
});

it('what an overtaken build had built goes where the newer commit is bad', async () => {
  const id = world.idOf(repository, 'hasty');
  const images = () => docker('images', '--all', '--quiet', '--filter', `label=treehouse.preview=${id}`);
  await repo.branch('hasty', 'main');
  await repo.commit({
    'compose.yml': 'services: {web: {build: ., healthcheck: {test: ["CMD", "false"], interval: 30s}}}\n',
  });
  await repo.push();
  await world.pushed(repository, 'hasty');
  await until('it is built and starts', async () => (await world.record(id))?.attempt?.stage === 'start');
  expect(await images()).not.toEqual([]);
  const bad = await repo.commit({ Dockerfile: 'FROM busybox\nRUN exit 9\n' });
  await repo.push();
  await world.pushed(repository, 'hasty');
  await world.ended(id, bad);
  const ends = world.events.filter((one) => one.preview === id && one.type.startsWith('build.'));
  expect(ends.map((one) => one.type).filter((type) => type !== 'build.started')).toEqual([
    'build.superseded',
    'build.failed',
  ]);
  await until('nothing is left of either', async () => (await images()).length === 0);
});

it('what an overtaken build had built goes where the branch goes back to what serves', async () => {
  const id = world.idOf(repository, 'undecided');
  const images = () => docker('images', '--all', '--no-trunc', '--quiet', '--filter', `label=treehouse.preview=${id}`);
  await repo.branch('undecided', 'main');
  const first = await repo.commit(plainDockerfile('undecided'));
  await repo.push();
  await world.pushed(repository, 'undecided');
  await serves(world, id, 'undecided');
  const before = await images();
  expect(before).not.toEqual([]);
  await repo.commit({
    ...plainDockerfile('decided'),
    'compose.yml': 'services: {web: {build: ., healthcheck: {test: ["CMD", "false"], interval: 30s}}}\n',
  });
  await repo.push();
  await world.pushed(repository, 'undecided');
  await until('the next is built and starts', async () => (await world.record(id))?.attempt?.stage === 'start');
  expect(await images()).not.toEqual(before);
  await repo.git('reset', '--hard', '--quiet', first);
  await repo.push({ force: true });
  await world.pushed(repository, 'undecided');
  await until('nothing is left of the next', async () => (await images()).join() === before.join());
  const ends = world.events.filter((one) => one.preview === id && one.type.startsWith('build.'));
  expect(ends.map((one) => one.type).filter((type) => type !== 'build.started')).toEqual([
    'build.live',
    'build.superseded',
  ]);
  expect((await serves(world, id, 'undecided')).status).toBe(200);
});

it('open, then merge within a second: nothing is left', async () => {
  const id = world.idOf(repository, 'brief');
  await repo.branch('brief', 'main');
  const head = await repo.commit(plainDockerfile('brief'));
  await repo.push();
  const at = Math.floor(Date.now() / 1000);
  await world.pushed(repository, 'brief');
  await world.pullRequest(repository, 'brief', { action: 'opened', number: 3, head, at });
  await world.pullRequest(repository, 'brief', { action: 'closed', number: 3, head, merged: true, at });
  // The delivery of the opening comes once more, late.
  await world.pullRequest(repository, 'brief', { action: 'opened', number: 3, head, at });
  await until('it is removed', async () => (await world.record(id))?.state === 'removed');
  expect(await world.leftovers(id)).toEqual([]);
  expect((await world.visit(id)).status).toBe(404);
});

it('delete, then push again: it serves', async () => {
  const id = world.idOf(repository, 'phoenix');
  await repo.branch('phoenix', 'main');
  const head = await repo.commit(plainDockerfile('first life'));
  await repo.push();
  await world.pushed(repository, 'phoenix');
  await serves(world, id, 'first life');
  await world.pullRequest(repository, 'phoenix', { action: 'closed', number: 4, head });
  await repo.git('push', '--quiet', 'origin', ':refs/heads/phoenix');
  await world.pushed(repository, 'phoenix', { deleted: true });
  await until('it is removed', async () => (await world.record(id))?.state === 'removed');
  // The very same commit, pushed anew.
  await repo.push();
  await world.pushed(repository, 'phoenix');
  await serves(world, id, 'first life');
});

it('a removal that was broken off is finished, though the branch is back', async () => {
  const id = world.idOf(repository, 'phoenix');
  const containers = () => docker('ps', '-q', '--no-trunc', '--filter', `label=treehouse.preview=${id}`);
  const before = await containers();
  // What a Treehouse leaves that is killed after it said so.
  const cause = 'the branch was deleted';
  await world.treehouse.store.append({ type: 'preview.removing', at: Date.now(), preview: id, cause });
  await world.pushed(repository, 'phoenix');
  await until('it is live again', async () => (await world.record(id))?.state === 'live');
  await serves(world, id, 'first life');
  const removals = world.events.filter((one) => one.preview === id && one.type === 'preview.removed');
  expect(removals).toHaveLength(2);
  const after = await containers();
  expect(after).toHaveLength(before.length);
  for (const one of before) expect(after).not.toContain(one);
});

it('a force-push back to an older commit serves the older commit', async () => {
  const id = world.idOf(repository, 'phoenix');
  await repo.branch('phoenix');
  await repo.commit(plainDockerfile('too far'));
  await repo.push();
  await world.pushed(repository, 'phoenix');
  await serves(world, id, 'too far');
  await repo.git('reset', '--quiet', '--hard', 'HEAD~1');
  await repo.push({ force: true });
  await world.pushed(repository, 'phoenix');
  await serves(world, id, 'first life');
});
