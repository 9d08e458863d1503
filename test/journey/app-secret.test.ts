/** An App that `treehouse github init` made: its deliveries are taken, beside those of a repository's own webhook. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeAppFile } from '../../src/github/app-file.ts';
import { makeRepo } from '../support/repo.ts';
import { deliver, SECRET, signed } from '../support/signed.ts';
import { startWorld, type World } from '../support/treehouse.ts';

let folder: string;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-app-secret-'));
  const repo = await makeRepo(path.join(folder, 'repo'), { 'README.md': 'nothing to run' });
  const home = path.join(folder, 'home');
  const urls = { url: 'https://github.com/apps/oak', apiUrl: 'https://api.github.com' };
  const app = {
    id: '4711',
    slug: 'oak',
    ...urls,
    privateKey: '-----BEGIN RSA PRIVATE KEY-----',
    webhookSecret: 'of the App',
  };
  await writeAppFile(home, app, true);
  world = await startWorld({
    repositories: { 'acme/none': repo.remote },
    home,
    env: { TREEHOUSE_DOMAIN: 'app.localhost' },
  });
});
afterAll(async () => {
  await world?.stop();
  // It was stopped in the middle of its first look: a child of git may be about to end.
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

it.each([
  ['the App', 'of the App', 200],
  ['a webhook', SECRET, 200],
  ['a stranger', 'of nobody', 401],
])('answers what %s signed', async (_, secret, status) => {
  expect((await deliver(world.url, signed('ping', { zen: 'Keep it simple.' }, secret))).status).toBe(status);
});
