/** A preview that does not come up when it is woken: its visitors are told so, and why, until it is built anew. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/unwoken${process.pid}`;

/** Serves the first time that its container starts; later it says why not, and listens to nobody. */
const ONCE = `if [ -e /once ]; then echo "the key is lost"; exec sleep 600; fi
touch /once
exec httpd -f -h /www -p 80
`;

let folder: string;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const repo = await makeRepo(folder, {
    Dockerfile:
      'FROM busybox\nCOPY once.sh /\nRUN mkdir /www && echo well > /www/index.html\nEXPOSE 80\nCMD ["sh", "/once.sh"]\n',
    'once.sh': ONCE,
  });
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_START_LIMIT: '20' } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('says failed, the reason and the log, to people and to programs, and is built anew', async () => {
  const id = world.idOf(repository, 'main');
  await world.pushed(repository, 'main');
  await serves(world, id, 'well');
  const first = (await world.record(id))?.attempt?.build;
  await world.treehouse.store.wantRest(id, true);
  await world.pushed(repository, 'main');
  await until('it sleeps', async () => (await world.record(id))?.state === 'asleep');

  // Held for as long as it may still wake, then told that it wakes.
  const waking = await world.visit(id, '/', { accept: 'text/html' });
  expect([waking.status, waking.body]).toEqual([503, expect.stringContaining('The house wakes up')]);

  await until('it is known not to wake', async () => (await world.record(id))?.state === 'failed');
  const [page, program] = await Promise.all([
    world.visit(id, '/', { accept: 'text/html' }),
    world.visit(id, '/', { accept: 'application/json' }),
  ]);
  expect([page.status, page.headers['retry-after']]).toEqual([503, '5']);
  expect(page.body).toContain('The house did not wake up');
  expect(page.body).toContain('did not become healthy within 20 s');
  expect(page.body).toContain('the key is lost');
  expect([program.status, program.headers['retry-after'], program.headers['content-type']]).toEqual([
    503,
    '5',
    expect.stringContaining('application/problem+json'),
  ]);
  expect(JSON.parse(program.body)).toMatchObject({
    status: 503,
    detail: expect.stringContaining('did not come up again'),
  });

  await serves(world, id, 'well');
  const record = await until('it is live', async () => {
    const now = await world.record(id);
    return now?.state === 'live' ? now : undefined;
  });
  expect(record.attempt?.build).not.toBe(first);
  expect(record).not.toHaveProperty('unwoken');
  const running = () => docker('ps', '-q', '--filter', `label=treehouse.preview=${id}`);
  await until('what did not wake is gone', async () => (await running()).length === 1);
});
