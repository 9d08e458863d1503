/** A lock of a file, had by one process at a time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { repositoryName } from '../../src/domain/names.ts';
import { locked } from '../../src/file-lock.ts';
import { openSecretStore } from '../../src/secrets/store.ts';

const never = new AbortController().signal;
let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-lock-'));
  file = path.join(folder, 'below', 'lock');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('work under one lock is done one after the other, and its failures let go', async () => {
  let open = 0;
  let most = 0;
  const work = (at: number) =>
    locked(file, never, async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setTimeout(resolve, 5));
      open -= 1;
      if (at % 3 === 0) throw new Error('failed');
      return at;
    });
  const all = await Promise.allSettled(Array.from({ length: 12 }, (_, at) => work(at)));
  expect(most).toBe(1);
  expect(all.filter((one) => one.status === 'fulfilled')).toHaveLength(8);
});

test('a process that is killed lets go, and who waits can give up', async () => {
  const built = fileURLToPath(new URL('../../dist/file-lock.js', import.meta.url));
  const script = `const { locked } = await import(${JSON.stringify(built)});
    await locked(${JSON.stringify(file)}, new AbortController().signal, async () => {
      console.log('held');
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    });`;
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(other, 'exit');
  await once(other.stdout, 'data');
  const over = new AbortController();
  const waiting = locked(file, over.signal, async () => 'had');
  over.abort(new Error('given up'));
  await expect(waiting).rejects.toThrow('given up');
  other.kill('SIGKILL');
  await ended;
  expect(await locked(file, never, async () => 'had')).toBe('had');
});

test('a secret that cannot be set since others go on changing them says so, and whom to look for', async () => {
  const home = await mkdtemp(path.join(folder, 'home-'));
  const store = openSecretStore(home, { now: () => Date.now() });
  const named = { name: 'password', service: '*', branch: '*' };
  const lock = `${path.join(home, 'secrets')}.lock`;
  const setting = await locked(lock, never, () =>
    store.set(repositoryName('acme/shop'), named, Buffer.from('x')).catch(String),
  );
  expect(setting).toContain(
    `other processes were changing the secrets for 5 s: try again, or see who has ${lock} open`,
  );
  expect(await store.set(repositoryName('acme/shop'), named, Buffer.from('x'))).toBe(false);
});
