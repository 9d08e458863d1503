/** A reset: all data goes and comes anew; visitors see the old, the new or Treehouse's own page; what fails before leaves all as it was. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { type Answer, docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/reset${process.pid}`;
const TOKEN = 'a token of the tests, long enough';

/** Serves a volume that its seed fills; a visitor's own row is added by hand. */
function files(seed: string): Files {
  return {
    'compose.yaml': `services:
  web: {build: ., ports: ["80"], volumes: ["data:/data"]}
volumes: {data: {}}
x-treehouse: {seed: {service: web, command: ["sh", "-c", ${JSON.stringify(seed)}]}}
`,
    Dockerfile: 'FROM busybox\nCMD ["httpd", "-f", "-h", "/data", "-p", "80"]\n',
  };
}
const SEED = 'echo seeded >> /data/index.html';

let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, files(SEED));
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: TOKEN } });
  await world.pushed(repository, 'main');
  await serves(world, id(), 'seeded');
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const id = () => world.idOf(repository, 'main');
const container = async () => (await docker('ps', '-q', '--filter', `label=treehouse.preview=${id()}`))[0] ?? '';
const write = async (text: string) => {
  await docker('exec', await container(), 'sh', '-c', `echo ${text} >> /data/index.html`);
  await serves(world, id(), text);
};

async function reset(): Promise<string> {
  const before = (await world.record(id()))?.attempt?.build;
  const url = `${world.url}/api/v1/previews/${id()}/reset`;
  expect((await fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${TOKEN}` } })).status).toBe(202);
  return before ?? '';
}

/** Waits until a build after `before` has ended. */
const ended = (before: string) =>
  until('the reset ends', async () => {
    const record = await world.record(id());
    return record?.attempt && record.attempt.build !== before && record.attempt.outcome ? record : undefined;
  });

it('makes the data anew, and nobody sees anything but the old, the new or the page meanwhile', async () => {
  await write('mine');
  const before = await reset();
  const seen: Answer[] = [];
  let over = false;
  const looking = (async () => {
    while (!over) seen.push(await world.visit(id(), '/', { accept: 'text/html' }));
  })();
  expect(await ended(before)).toMatchObject({ state: 'live', attempt: { resets: true } });
  over = true;
  await looking;
  for (const { status, body } of seen) {
    if (status === 200) expect(['seeded\nmine\n', 'seeded\n']).toContain(body);
    else expect([status, body]).toEqual([503, expect.stringContaining('Its data is made anew')]);
  }
  expect((await world.visit(id())).body).toBe('seeded\n');
  // One volume with data, one mark that it is seeded.
  const volumes = async () =>
    (await docker('volume', 'ls', '-q', '--filter', `label=treehouse.preview=${id()}`)).sort();
  await expect.poll(volumes).toEqual([expect.stringMatching(/\.seeded-/), expect.stringMatching(/_data$/)]);
});

it('that was cut off after the routes went is finished by the next look', async () => {
  await write('mine');
  const before = (await world.record(id()))?.attempt?.build ?? '';
  await world.treehouse.store.requestReset(id());
  await docker('rm', '-f', await container());
  await world.pushed(repository, 'main');
  expect(await ended(before)).toMatchObject({ state: 'live' });
  expect((await world.visit(id())).body).toBe('seeded\n');
  expect(await world.treehouse.store.resetWanted(id())).toBe(false);
});

it('whose build fails leaves everything as it was', async () => {
  await write('mine');
  await repo.commit({ Dockerfile: 'FROM busybox\nRUN false\n' });
  await repo.push();
  const before = await reset();
  expect(await ended(before)).toMatchObject({ state: 'outdated', attempt: { outcome: 'failed', stage: 'build' } });
  expect((await world.visit(id())).body).toBe('seeded\nmine\n');
  expect(await world.treehouse.store.resetWanted(id())).toBe(false);
});

it('whose seed fails keeps the preview closed, and says why', async () => {
  await repo.commit(files('echo half >> /data/index.html; exit 7'));
  await repo.push();
  await world.pushed(repository, 'main');
  await until('it serves the new seed on old data', async () => (await world.record(id()))?.state === 'live');
  expect((await world.visit(id())).body).toBe('seeded\nmine\n');

  const before = await reset();
  expect(await ended(before)).toMatchObject({ state: 'failed', attempt: { stage: 'seed' } });
  const page = await world.visit(id(), '/', { accept: 'text/html' });
  expect(page.status).toBe(503);
  expect(page.body).toContain('it exited with code 7');
  expect(await docker('volume', 'ls', '-q', '--filter', `label=treehouse.preview=${id()}`)).toEqual([]);
});
