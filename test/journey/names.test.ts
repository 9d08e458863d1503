/** Branches named to be confused with each other, with options and with commands: each has a host of its own. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/Names_Repo${process.pid}`;
const marker = path.join(tmpdir(), `treehouse-marker-${process.pid}`);
const names = [
  'Feature/A',
  'feature-a',
  'feature_a',
  'feature/a',
  `${'long/'.repeat(39)}name1`,
  `${'long/'.repeat(39)}name2`,
  'grün/straße',
  '日本語',
  '-x',
  '--upload-pack=touch',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: for a shell, if one ever saw it.
  `$(touch${'${IFS}'}${marker.replaceAll('/', '%2F')})`,
  'it\'s;"quoted"`id`',
  'with%20space&amp;',
  'xn',
];
let folder: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('main'));
  world = await startWorld({ repositories: { [repository]: repo.remote } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('gives each a valid host of its own, and serves it there', async () => {
  const ids = names.map((name) => world.idOf(repository, name));
  expect(new Set(ids).size).toBe(names.length);
  for (const id of ids) expect(id).toMatch(/^(?!.{64})[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
  for (const [index, name] of names.entries()) {
    await repo.branch(name, 'main');
    await repo.commit(plainDockerfile(`branch number ${index}.`));
    await repo.push();
    expect(await world.pushed(repository, name)).toBe(202);
  }
  for (const [index, id] of ids.entries()) await serves(world, id, `branch number ${index}.`);
  expect(existsSync(marker)).toBe(false);

  for (const name of names) {
    await repo.git('push', '--quiet', 'origin', `:refs/heads/${name}`);
    await world.pushed(repository, name, { deleted: true });
  }
  for (const id of ids) {
    await until(`${id} is removed`, async () => (await world.record(id))?.state === 'removed');
    expect(await world.leftovers(id)).toEqual([]);
  }
});
