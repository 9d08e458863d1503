/** A Treehouse that a service manager stops and starts: nothing that runs is lost, nothing that was asked for is forgotten. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/drain${process.pid}`;
let folder: string;
let home: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repo = await makeRepo(folder, plainDockerfile('first'));
  await start();
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(home, { recursive: true, force: true });
});

async function start(): Promise<void> {
  world = await startWorld({ repositories: { [repository]: repo.remote }, home });
}

/** As `up` does on SIGTERM. */
async function drain(graceMs: number): Promise<void> {
  await world.treehouse.drain(graceMs);
  await world.treehouse.stop();
}

const containers = (id: string) => docker('ps', '-q', '--filter', `label=treehouse.preview=${id}`);

/** A build that takes a while, and is in nobody's cache. */
function slow(text: string): Record<string, string> {
  return {
    Dockerfile: `FROM busybox\nRUN sleep 3 && echo ${process.pid}-${Date.now()}\nCOPY index.html /www/index.html\nEXPOSE 8000\nCMD ["httpd", "-f", "-p", "8000", "-h", "/www"]\n`,
    'index.html': text,
  };
}

async function pushSlow(text: string): Promise<string> {
  const commit = await repo.commit(slow(text));
  await repo.push();
  await world.pushed(repository, 'main', { after: commit });
  const id = world.idOf(repository, 'main');
  await until(`${text} is built`, async () => {
    const attempt = (await world.record(id))?.attempt;
    return attempt?.commit === commit && attempt.stage === 'build';
  });
  return commit;
}

it('lets a build end that has the time, and serves it still after the next start', async () => {
  const id = world.idOf(repository, 'main');
  const commit = await pushSlow('ended in time');
  await drain(120_000);
  const [container] = await containers(id);
  expect(container).toBeDefined();
  await start();
  await serves(world, id, 'ended in time');
  expect((await world.record(id))?.serving?.commit).toBe(commit);
  expect(await containers(id)).toEqual([container]);
});

it('hands a build back that has not, undone, and the next start takes it up with no hint from outside', async () => {
  const id = world.idOf(repository, 'main');
  const [before] = await containers(id);
  await pushSlow('taken up again');
  await drain(0);
  expect(await docker('ps', '-aq', '--filter', `label=treehouse.preview=${id}`)).toEqual([before]);
  await start();
  await serves(world, id, 'taken up again');
});
