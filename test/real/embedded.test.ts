import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRegistry } from '../../src/adapters/registry.ts';
import type { OnOutage } from '../../src/embedded/keep.ts';
import { startRedis } from '../../src/embedded/redis.ts';
import { startRegistry } from '../../src/embedded/registry.ts';
import { failureOf } from '../support/failure.ts';

const searchPath = process.env.PATH ?? '';
const signal = new AbortController().signal;
let home: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'treehouse embedded-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await rm(home, { recursive: true, force: true });
});

async function redis(options: { readonly port?: number; readonly onOutage?: OnOutage } = {}) {
  const running = await startRedis({ home, searchPath, ...options });
  cleanups.push(() => running.stop());
  return running;
}

async function registry(options: { readonly port?: number } = {}) {
  const running = await startRegistry({ home, searchPath, ...options });
  cleanups.push(() => running.stop());
  return running;
}

async function withClient<T>(url: string, act: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    return await act(client);
  } finally {
    client.disconnect();
  }
}

/** A zombie, which nobody may be there to reap, does not count. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Another process that starts a part in this home and is killed, as a Treehouse that crashes. */
async function crashedWith(part: 'redis' | 'registry'): Promise<{ pid: number }> {
  const other = await startOther(part);
  other.process.kill('SIGKILL');
  await new Promise((resolve) => other.process.once('exit', resolve));
  return { pid: other.pid };
}

async function startOther(part: 'redis' | 'registry'): Promise<{ process: ChildProcess; pid: number }> {
  const module = fileURLToPath(new URL(`../../src/embedded/${part}.ts`, import.meta.url));
  const start = part === 'redis' ? 'startRedis' : 'startRegistry';
  const options = JSON.stringify({ home, searchPath });
  const code = `const part = await import(${JSON.stringify(module)});
    const running = await part.${start}(${options});
    console.log(running.pid);
    setInterval(() => {}, 1000);`;
  // Node 20 does not read TypeScript: Vite, which the tests run on, makes the module.
  const { build } = await import('vite');
  const entry = join(home, `other-${part}.mjs`);
  await writeFile(entry, code);
  const out = join(home, `other-${part}`);
  await build({
    logLevel: 'silent',
    configFile: false,
    ssr: { noExternal: true },
    build: { ssr: entry, outDir: out, emptyOutDir: true, rollupOptions: { output: { entryFileNames: 'main.mjs' } } },
  });
  const child = spawn(process.execPath, [join(out, 'main.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    child.once('exit', () => reject(new Error('the other process ended')));
  });
  return { process: child, pid };
}

describe('the embedded Redis', () => {
  it('answers with its password only, on loopback only, keeps everything it is told, and stops', async () => {
    const running = await redis();
    await withClient(running.url, async (client) => {
      await client.set('a', '1');
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
      expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
      expect(await client.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    });
    const { port } = new URL(running.url);
    await expect(withClient(`redis://127.0.0.1:${port}`, (client) => client.get('a'))).rejects.toThrow(/NOAUTH/);
    expect((await lstat(join(home, 'redis', 'redis.conf'))).mode & 0o777).toBe(0o600);
    await running.stop();
    await running.stop();
    expect(isAlive(running.pid)).toBe(false);
    const again = await redis();
    expect(await withClient(again.url, (client) => client.get('a'))).toBe('1');
  });

  it('is started again where it was, with what it was told, each time that it ends unasked, and says so', async () => {
    const said: string[] = [];
    const onOutage = { away: (why: string) => said.push(why), back: () => said.push('back') };
    const running = await redis({ onOutage });
    await withClient(running.url, async (client) => {
      await client.set('a', '1');
      // What is not on disk yet is lost with it.
      await client.config('SET', 'appendfsync', 'always');
      await client.set('b', '2');
    });
    for (const times of [1, 2]) {
      const killed = running.pid;
      process.kill(killed, 'SIGKILL');
      await vi.waitFor(() => expect(said.filter((one) => one === 'back')).toHaveLength(times), { timeout: 20_000 });
      expect(running.pid).not.toBe(killed);
      expect(await withClient(running.url, (client) => client.mget('a', 'b'))).toEqual(['1', '2']);
    }
    expect(said[0]).toContain('SIGKILL');
    expect(said).toHaveLength(4);
    await running.stop();
    await delay(200);
    expect(isAlive(running.pid)).toBe(false);
  });

  it('that cannot be started again is tried until it can, and no more once it is stopped', async () => {
    const said: string[] = [];
    const running = await redis({ onOutage: { away: (why) => said.push(why), back: () => said.push('back') } });
    const config = join(home, 'redis', 'redis.conf');
    const good = await readFile(config, 'utf8');
    await writeFile(config, 'nonsense\n');
    process.kill(running.pid, 'SIGKILL');
    await vi.waitFor(() => expect(said).toHaveLength(2), { timeout: 20_000 });
    expect(said[1]).toMatch(/^the embedded Redis ended with code 1 before it was ready/);
    await writeFile(config, good);
    await vi.waitFor(() => expect(said.at(-1)).toBe('back'), { timeout: 20_000 });
    await writeFile(config, 'nonsense\n');
    process.kill(running.pid, 'SIGKILL');
    await vi.waitFor(() => expect(said).toHaveLength(5), { timeout: 20_000 });
    await running.stop();
    await writeFile(config, good);
    expect(said).toHaveLength(5);
  });

  it('is not started twice in one home', async () => {
    await redis();
    const error = await failureOf(redis());
    expect(error.code).toBe('bad-config');
    expect(error.message).toContain(`another Treehouse (process ${process.pid}) is using ${join(home, 'redis')}`);
    const other = await failureOf(startRedis({ home, searchPath: '/nonexistent' }));
    expect(other.code).toBe('bad-config');
  });

  it('starts after a Treehouse that was killed, with what that one kept, and ends the Redis that it left', async () => {
    const left = await crashedWith('redis');
    expect(isAlive(left.pid)).toBe(true);
    const running = await redis();
    await vi.waitFor(() => expect(isAlive(left.pid)).toBe(false));
    expect(await withClient(running.url, (client) => client.ping())).toBe('PONG');
  });

  it('starts over the claim of a process that ended and that nobody reaped', async () => {
    // The shell's child ends at once; the shell became sleep, which never asks how.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    });
    cleanups.push(async () => parent.kill('SIGKILL'));
    const ticks = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[19];
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    await mkdir(join(home, 'redis'), { recursive: true });
    await writeFile(join(home, 'redis', 'owner'), `${pid} ${boot}/${ticks}\n`);
    expect((await failureOf(redis())).code).toBe('bad-config');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 5_000 });
    expect(() => process.kill(pid, 0)).not.toThrow();
    await redis();
  });

  it.each(['', 'garbage', '999999999 x', `${process.pid} another-boot/1`, '1 x/1'])(
    'starts over the stale claim %j',
    async (claim) => {
      await mkdir(join(home, 'redis'), { recursive: true });
      await writeFile(join(home, 'redis', 'owner'), claim);
      const running = await redis();
      expect(await withClient(running.url, (client) => client.ping())).toBe('PONG');
    },
  );

  it('says what is wrong where it cannot start, and lets the next one try', async () => {
    const missing = await failureOf(startRedis({ home, searchPath: '/nonexistent' }));
    expect(missing).toMatchObject({ code: 'process-failed' });
    expect(missing.message).toContain('the embedded Redis could not be started');
    const taken = createServer();
    await new Promise<void>((resolve) => void taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    expect((await failureOf(redis({ port }))).message).toMatch(/Address already in use|bind/);
    taken.close();
    await redis();
  });
});

describe('the embedded registry', () => {
  it('serves on a port that it keeps over restarts, with its images', async () => {
    const first = await registry();
    expect(first.address).toMatch(/^127\.0\.0\.1:\d+$/);
    await putEmptyImage(first.address, 'acme/x', 'y');
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const second = await registry();
    expect(second.address).toBe(first.address);
    expect(await createRegistry({ address: second.address }).tags('acme/x')).toEqual(['y']);
  });

  it('takes another port where its own is taken, and says so of a given one', async () => {
    const first = await registry();
    await first.stop();
    const port = Number(first.address.split(':')[1]);
    const taken = createServer();
    await new Promise<void>((resolve) => void taken.listen(port, '127.0.0.1', resolve));
    cleanups.push(async () => taken.close());
    const error = await failureOf(registry({ port }));
    expect(error.message).toContain(`cannot have port ${port}`);
    const second = await registry();
    expect(second.address).not.toBe(first.address);
    expect(await readFile(join(home, 'registry', 'port'), 'utf8')).toBe(`${second.address.split(':')[1]}\n`);
  });

  it('deletes, and gives the space back when its garbage is collected', async () => {
    const running = await registry();
    const client = createRegistry({ address: running.address });
    await putEmptyImage(running.address, 'acme/x', 'y');
    const blob = await putEmptyImage(running.address, 'acme/x', 'z');
    await client.remove('acme/x', 'z');
    const image = join(home, 'registry/data/docker/registry/v2/repositories/acme/x');
    const links = async () => [
      await readdir(join(image, '_layers/sha256')),
      await readdir(join(image, '_manifests/revisions/sha256')),
    ];
    const [layers = [], manifests = []] = await links();
    // Given up by whoever began it.
    const begun = await fetch(`http://${running.address}/v2/acme/x/blobs/uploads/`, { method: 'POST' });
    expect(await readdir(join(image, '_uploads'))).toEqual([begun.headers.get('docker-upload-uuid')]);
    const pid = running.pid;
    await running.collectGarbage(signal);
    // Each of the two has a blob of its own, and a manifest; not a link is left of the one.
    expect((await links()).map((one) => one.length)).toEqual([layers.length - 1, manifests.length - 1]);
    expect(await readdir(image)).not.toContain('_uploads');
    expect(running.pid).not.toBe(pid);
    expect(await client.tags('acme/x')).toEqual(['y']);
    const gone = await fetch(`http://${running.address}/v2/acme/x/blobs/${blob}`, { method: 'HEAD' });
    expect(gone.status).toBe(404);
  });

  it('keeps what a tag leads to, by an index too, and gives back what a tag that moved on left', async () => {
    const running = await registry();
    const { address } = running;
    const client = createRegistry({ address });
    const old = await putEmptyImage(address, 'acme/x', 'moves');
    const now = await putEmptyImage(address, 'acme/x', 'moves');
    // A part of an index has no tag of its own.
    const part = await putEmptyImage(address, 'acme/x', 'part');
    const manifests = [{ digest: await client.digest('acme/x', 'part'), size: 1, mediaType: MANIFEST }];
    const index = { schemaVersion: 2, mediaType: INDEX, manifests };
    await put(`http://${address}/v2/acme/x/manifests/all`, INDEX, JSON.stringify(index));
    const link = join(home, 'registry/data/docker/registry/v2/repositories/acme/x/_manifests/tags/part');
    await rm(link, { recursive: true });
    await running.collectGarbage(signal);
    const has = async (digest: string) =>
      (await fetch(`http://${address}/v2/acme/x/blobs/${digest}`, { method: 'HEAD' })).status;
    expect(await Promise.all([old, now, part].map(has))).toEqual([404, 200, 200]);
    expect([...(await client.contents('acme/x', 'all')).keys()]).toContain(part);
  });

  it('starts after a Treehouse that was killed, on the same port', async () => {
    const left = await crashedWith('registry');
    expect(isAlive(left.pid)).toBe(true);
    const port = (await readFile(join(home, 'registry', 'port'), 'utf8')).trim();
    const running = await registry();
    await vi.waitFor(() => expect(isAlive(left.pid)).toBe(false));
    expect(running.address).toBe(`127.0.0.1:${port}`);
  });

  it('is not started where another process has it, and is when that one is gone', async () => {
    const other = await startOther('registry');
    const error = await failureOf(registry());
    expect(error.message).toContain(`another Treehouse (process ${other.process.pid}) is using`);
    other.process.kill('SIGKILL');
    await new Promise((resolve) => other.process.once('exit', resolve));
    await registry();
  });

  it('logs into its folder', async () => {
    const running = await registry();
    await fetch(`http://${running.address}/v2/acme/none/manifests/x`);
    await running.stop();
    await vi.waitFor(async () => {
      expect(await readFile(join(home, 'registry', 'registry.log'), 'utf8')).toContain('manifest unknown');
    });
  });
});

/** Pushes an image of its own; gives the digest of its configuration. */
async function putEmptyImage(address: string, path: string, tag: string): Promise<string> {
  const { createHash, randomUUID } = await import('node:crypto');
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', id: randomUUID() });
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  const begun = await fetch(`http://${address}/v2/${path}/blobs/uploads/`, { method: 'POST' });
  const url = new URL(begun.headers.get('location') ?? '', `http://${address}`);
  url.searchParams.set('digest', digest);
  await fetch(url, { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: config });
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers: [],
  });
  await put(`http://${address}/v2/${path}/manifests/${tag}`, MANIFEST, body);
  return digest;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

async function put(url: string, type: string, body: string): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body });
  expect(answer.status, await answer.text()).toBe(201);
}
