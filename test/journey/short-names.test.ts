/** One repository whose previews are named by the branch alone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { branchName, previewId } from '../../src/domain/names.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { serves, startWorld, type World } from '../support/treehouse.ts';

const repository = 'acme/short';
// Of this run alone: another run on the same engine has previews of its own names.
const branch = `topic-${process.pid}`;
const id = previewId('', branchName(branch));
let folder: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, { 'public/index.html': 'by the branch alone' });
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_HOSTNAME: '{branch}' } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('serves at the host of the branch, and leaves nothing when the branch is gone', async () => {
  expect(id).toBe(branch);
  await repo.branch(branch, 'main');
  await repo.push();
  await world.pushed(repository, branch);
  expect((await serves(world, id, 'by the branch alone')).status).toBe(200);
  expect(world.treehouse.urlOf(id)).toContain(`//${branch}.preview.localhost`);
  await repo.deleteBranch(branch);
  await world.pushed(repository, branch, { deleted: true });
  await expect.poll(() => world.leftovers(id), { timeout: 60_000, interval: 500 }).toEqual([]);
});
