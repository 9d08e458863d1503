/** Repositories that are added and taken out while Treehouse runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/web/client.ts';
import { makeRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/added${process.pid}`;
const ADMIN = 'the admin token of this test';
let folder: string;
let home: string;
let remote: string;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  const repo = await makeRepo(folder, plainDockerfile('added'));
  remote = repo.remote;
  world = await start();
});
afterAll(async () => {
  await world?.stop();
  for (const one of [folder, home]) await rm(one, { recursive: true, force: true });
});

const start = () =>
  startWorld({ repositories: {}, home, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN, TREEHOUSE_SWEEP_GRACE: '1' } });
const client = () => createClient({ url: world.url, token: ADMIN });
const id = () => world.idOf(repository, 'main');

it('one that is added gets its previews, and has them after a restart', async () => {
  await expect(client().putRepository(repository, { url: '/nowhere' })).rejects.toThrow('there is no such folder');
  expect(await client().putRepository(repository, { url: remote })).toMatchObject({ configured: false });
  await serves(world, id(), 'added');
  await world.stop();
  world = await start();
  expect((await client().repositories()).map((one) => one.name)).toEqual([repository]);
  expect(await world.pushed(repository, 'main')).toBe(202);
  await serves(world, id(), 'added');
});

it('one that is taken out loses them', async () => {
  await client().removeRepository(repository);
  await until('its preview is gone', async () => (await world.record(id()))?.state === 'removed');
  // The registry's is the timer's: whose paths they were is not known any more.
  await until('nothing is left of it', async () => {
    await client().sweep({ dryRun: false });
    return (await world.leftovers(id())).length === 0;
  });
  expect((await world.visit(id())).status).toBe(404);
  await expect(client().removeRepository(repository)).rejects.toThrow('There is no repository of this name.');
});
