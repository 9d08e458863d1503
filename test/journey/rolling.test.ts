/** Receiver, workers and gateway are replaced one after the other under load, as `docker compose up` does it: no delivery, no build and no visit is lost. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { previewBranch, previewId, repositoryName, repositorySlug } from '../../src/domain/names.ts';
import { type Entrance, startEntrance } from '../support/entrance.ts';
import { ask, steadyLoad } from '../support/load.ts';
import { type Installation, type Running, startInstallation } from '../support/processes.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { signed } from '../support/signed.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, pushPayload, until } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/rolling${process.pid}`;
const ADMIN = 'treehouse.example.test';
const PER_SECOND = 50;
const idOf = (branch: string) => previewId(repositorySlug(repositoryName(repository)), previewBranch(branch));

let folder: string;
let repo: TestRepo;
let house: Installation;
let entrance: Entrance;
let gateway: Running;
let serve: Running;
let workers: Running[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('zero'));
  house = await startInstallation(
    { [repository]: repo.remote },
    { TREEHOUSE_ADMIN_HOST: ADMIN, TREEHOUSE_ENTRANCE: 'true' },
  );
  entrance = await startEntrance(house.home, { http: house.gatewayPort });
  const [leading, serving, ...working] = await Promise.all(
    (['gateway', 'serve', 'worker', 'worker'] as const).map((kind) => house.start(kind)),
  );
  if (leading) gateway = leading;
  if (serving) serve = serving;
  workers = working;
});
afterAll(async () => {
  await house?.stop();
  await entrance?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('loses nothing of 50 deliveries a second and of visits that never pause', async () => {
  await until(
    'the gateway is there',
    async () => (await ask(house.gatewayPort, { host: ADMIN, path: '/healthz' }).catch(() => 0)) === 200,
  );
  const main = `${idOf('main')}.${house.domain}`;
  expect(await pushed('main')).toBe(202);
  await until('main serves', async () => (await ask(house.gatewayPort, { host: main })) === 200);

  const load = steadyLoad({
    ...{ port: house.gatewayPort, host: main, visitors: 4 },
    ...{ perSecond: PER_SECOND, deliver: () => pushed('main') },
  });

  const branches = ['before', 'serving', 'working', 'after'];
  await change('before');
  // Each ends before the next of its kind starts.
  expect(await serve.end()).toBe(0);
  serve = await house.start('serve');
  await change('serving');
  for (const old of workers) {
    expect(await old.end()).toBe(0);
    await house.start('worker');
  }
  await change('working');
  expect(await gateway.end()).toBe(0);
  gateway = await house.start('gateway');
  await change('after');
  for (const branch of branches) {
    const host = `${idOf(branch)}.${house.domain}`;
    await until(`${branch} serves`, async () => (await ask(house.gatewayPort, { host })) === 200);
  }
  const { deliveries, visits } = await load.end();
  expect(deliveries.filter((one) => one !== 202)).toEqual([]);
  expect(visits.filter((one) => one !== 200)).toEqual([]);
  expect(deliveries.length).toBeGreaterThan(100);

  await repo.git('-C', repo.remote, 'config', 'receive.denyDeleteCurrent', 'ignore');
  for (const branch of ['main', ...branches]) {
    await repo.git('push', '--quiet', 'origin', `:refs/heads/${branch}`);
    expect(await pushed(branch, true)).toBe(202);
  }
  const left = ['main', ...branches].map((branch) => `label=treehouse.preview=${idOf(branch)}`);
  await until('nothing of it is left', async () => {
    const found = await Promise.all(left.map((label) => docker('ps', '-aq', '--filter', label)));
    return found.flat().length === 0;
  });
});

/** Commits to a new branch, pushes it, and says so. */
async function change(branch: string): Promise<void> {
  await repo.branch(branch, 'main');
  await repo.commit(plainDockerfile(branch));
  await repo.push({ branch });
  expect(await pushed(branch)).toBe(202);
}

/** A delivery by the gateway, as GitHub's come. */
function pushed(branch: string, deleted = false): Promise<number> {
  const { body, headers } = signed('push', pushPayload(repository, branch, { deleted }));
  const delivery = { body: String(body), headers: { ...headers } };
  return ask(house.gatewayPort, { host: ADMIN, method: 'POST', path: '/webhooks/github', ...delivery });
}
