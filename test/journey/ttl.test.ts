/** What nobody uses goes, after a warning, and stays gone until somebody wants it; a pinned one stays. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PreviewView } from '../../src/api/schemas.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

const TOKEN = 'a token of the tests, long enough';
const brief = `acme/brief${process.pid}`;
let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(path.join(folder, 'brief'), {
    Dockerfile: 'FROM busybox\nCOPY index.html /www/\nCMD ["httpd", "-f", "-h", "/www", "-p", "80"]\nEXPOSE 80\n',
    'index.html': 'brief',
  });
  const env = { TREEHOUSE_ADMIN_TOKEN: TOKEN, TREEHOUSE_TTL: '16s' };
  world = await startWorld({ repositories: { [brief]: repo.remote }, env });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function api<T>(where: string, method = 'GET'): Promise<T> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await (await fetch(`${world.url}/api/v1/${where}`, { method, headers })).json()) as T;
}

it('goes after a warning, is not brought back by a sweep or a hint, and comes back when asked for', async () => {
  const [id, kept] = [world.idOf(brief, 'main'), world.idOf(brief, 'kept')];
  await repo.branch('kept', 'main');
  await repo.push();
  for (const branch of ['kept', 'main']) await world.pushed(brief, branch);
  await serves(world, kept, 'brief');
  await api(`previews/${kept}/pin`, 'POST');
  await serves(world, id, 'brief');

  await until('it is warned of', async () => (await api<PreviewView>(`previews/${id}`)).expiresAt !== null);
  await until('it is gone', async () => (await world.record(id))?.state === 'removed');
  expect((await world.record(id))?.reason).toBe('nobody used it for 16 s');
  const told = world.events.flatMap((one) =>
    one.preview === id && /expiring|removing/.test(one.type) ? [one.type] : [],
  );
  expect(told.slice(-2)).toEqual(['preview.expiring', 'preview.removing']);
  expect(await world.leftovers(id)).toEqual([]);
  expect(await api<PreviewView>(`previews/${kept}`)).toMatchObject({ state: 'live', pinned: true, expiresAt: null });

  const { lines } = await api<{ lines: { name: string; action: string }[] }>('sweep', 'POST');
  expect(lines.filter((one) => one.name === id)).toEqual([]);
  await world.pushed(brief, 'main');
  // Hinted after it, and built: the first hint was looked at long before.
  await repo.branch('later', 'main');
  await repo.push();
  await world.pushed(brief, 'later');
  await serves(world, world.idOf(brief, 'later'), 'brief');
  expect(await world.record(id)).toMatchObject({ state: 'removed' });

  await api(`previews/${id}/redeploy`, 'POST');
  await serves(world, id, 'brief');
});
