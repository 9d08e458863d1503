/** Branches that would fill the host's disk are refused where they are read, and what served goes on. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commitBomb } from '../support/bomb.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/large${process.pid}`;
let folder: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('small'));
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_CHECKOUT_SIZE: '4m' } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a git bomb, and a commit too large to fetch, are told of while the preview before them serves', async () => {
  await repo.branch('grows', 'main');
  const id = world.idOf(repository, 'grows');
  await repo.push();
  await world.pushed(repository, 'grows');
  await serves(world, id, 'small');

  const bomb = commitBomb(repo.work, 'files');
  await repo.git('push', '--quiet', 'origin', `+${bomb}:refs/heads/grows`);
  await world.pushed(repository, 'grows', { after: bomb });
  expect(await world.ended(id, bomb)).toMatchObject({
    state: 'outdated',
    attempt: { outcome: 'failed', kind: 'terminal', stage: 'checkout' },
    reason: expect.stringMatching(
      /^checkout failed: checking out \S+ at \w{12} failed: it takes more than 4 MiB on disk/,
    ),
  });
  expect((await serves(world, id, 'small')).status).toBe(200);

  await repo.commit({ noise: randomBytes(6 * 2 ** 20) });
  await repo.push({ force: true });
  await world.pushed(repository, 'grows');
  await until('the record says what was not fetched', async () => {
    const record = await world.record(id);
    return record?.state === 'outdated' && record.reason.startsWith(`fetching ${repository} (branch grows) failed: `);
  });
  expect((await serves(world, id, 'small')).status).toBe(200);

  await repo.commit({ noise: null, ...plainDockerfile('small again') });
  await repo.push();
  await world.pushed(repository, 'grows');
  await serves(world, id, 'small again');
  await until('the record agrees', async () => (await world.record(id))?.state === 'live');
});
