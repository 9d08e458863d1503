import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectEngine, dockerEngine } from '../../src/adapters/engine.ts';
import { createRegistry } from '../../src/adapters/registry.ts';
import { prepareHost } from '../../src/install/prepare.ts';
import { lookAtWalls, tellWalls } from '../../src/install/standing.ts';
import { failureOf } from '../support/failure.ts';
import { freePort } from '../support/redis.ts';

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const signal = new AbortController().signal;
const QUIET = { retryStrategy: () => null, lazyConnect: true, enableReadyCheck: false } as const;
const undo: (() => unknown)[] = [];
let folder: string;
let home: string;
const inHome = (name: string) => path.join(home, name);
const text = async (name: string) => (await readFile(inHome(name), 'utf8')).trim();

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-install-'));
  home = path.join(folder, 'home');
  await prepareHost({ home, memory: path.join(folder, 'memory'), owner });
});
afterAll(async () => {
  for (const one of undo.reverse()) await one();
  await rm(folder, { recursive: true, force: true });
});

/** Until its port takes connections. */
async function run(command: string, args: readonly string[], port: number): Promise<void> {
  const child = spawn(command, args, { env: { PATH: process.env.PATH ?? '' }, stdio: 'ignore' });
  undo.push(async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const takes = () =>
    new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1', () => done(socket.destroy() !== undefined));
      socket.once('error', () => done(false));
    });
  await expect.poll(takes, { timeout: 20_000 }).toBe(true);
}

describe('what walls makes before the other parts start', () => {
  it('is their user’s alone', async () => {
    for (const one of [
      '',
      'nginx',
      'keys',
      'keys/redis',
      'keys/registry',
      'parts/redis',
      'parts/registry',
      '../memory',
    ]) {
      const facts = await lstat(inHome(one));
      expect([one, facts.isDirectory(), facts.mode & 0o777, facts.uid]).toEqual([one, true, 0o700, owner.uid]);
    }
    for (const one of ['instance', 'admin-token', 'keys/redis-url', 'keys/redis/users.acl', 'keys/registry/htpasswd']) {
      expect([one, (await lstat(inHome(one))).mode & 0o777]).toEqual([one, 0o600]);
    }
  });

  it('stays as it is when it is made again, and is put right where it was changed', async () => {
    const names = ['admin-token', 'instance', 'keys/redis-url', 'keys/redis/users.acl', 'keys/registry/htpasswd'];
    const before = await Promise.all(names.map(text));
    await prepareHost({ home, owner });
    expect(await Promise.all(names.map(text))).toEqual(before);

    await writeFile(inHome('keys/redis/users.acl'), 'user default on nopass ~* &* +@all\n');
    await writeFile(inHome('keys/registry/htpasswd'), 'treehouse:$2b$05$nonsense\n');
    await prepareHost({ home, owner });
    expect(await text('keys/redis/users.acl')).toBe(before[3]);
    expect(await text('keys/registry/htpasswd')).toMatch(/^treehouse:\$2b\$/);
    expect(await text('keys/registry/htpasswd')).not.toContain('nonsense');
  });

  it('does not follow a link that stands in a folder’s place', async () => {
    const other = await mkdtemp(path.join(folder, 'other-'));
    await mkdir(path.join(other, 'elsewhere'));
    await symlink(path.join(other, 'elsewhere'), path.join(other, 'nginx'));
    const failure = await failureOf(prepareHost({ home: other, owner }));
    expect(failure).toMatchObject({ code: 'bad-config', message: expect.stringContaining('nginx is to be a folder') });
  });

  it('gives Redis a hash, and those who use it the password', async () => {
    const url = new URL(await text('keys/redis-url'));
    expect(url.password).toHaveLength(64);
    for (const one of ['keys/redis/users.acl', 'keys/redis/redis.conf'])
      expect(await text(one)).not.toContain(url.password);
    const port = await freePort();
    const own = [
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--dir',
      folder,
      '--aclfile',
      inHome('keys/redis/users.acl'),
    ];
    await run('redis-server', [inHome('keys/redis/redis.conf'), ...own], port);
    const as = (username: string, password: string) =>
      new Redis({ host: '127.0.0.1', port, username, password, ...QUIET });
    const mine = as(url.username, url.password);
    const probe = as('probe', 'none');
    const stranger = new Redis({ host: '127.0.0.1', port, ...QUIET });
    stranger.on('error', () => undefined);
    undo.push(() => [mine, probe, stranger].map((one) => one.disconnect()));
    expect(await mine.set('a', 'b')).toBe('OK');
    expect(await mine.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    await expect(stranger.get('a')).rejects.toThrow('NOAUTH');
    await expect(probe.call('GET', 'a')).rejects.toThrow('NOPERM');
    expect(await probe.ping()).toBe('PONG');
    await expect(mine.call('MODULE', 'LIST')).rejects.toThrow('NOPERM');
  });

  it('gives the registry a hash, and who pushes the password, which no other registry is told', async () => {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    const config = path.join(folder, 'registry.yml');
    const said = await text('keys/registry/registry.yml');
    await writeFile(
      config,
      said
        .replace('0.0.0.0:5000', address)
        .replace('127.0.0.1:5001', `127.0.0.1:${await freePort()}`)
        .replace('/var/lib/registry', inHome('parts/registry'))
        .replace('/keys/htpasswd', inHome('keys/registry/htpasswd')),
    );
    await run('docker-registry', ['serve', config], port);
    const login = { user: 'treehouse', password: await text('keys/registry-password') };

    const reference = `${address}/acme/web:1`;
    const docker = connectEngine(process.env.DOCKER_HOST);
    const engine = dockerEngine(docker, 'install-keys', { address, login });
    await engine.tag('busybox:latest', reference);
    undo.push(() => engine.removeImage(reference));
    const digest = await engine.push(reference, () => undefined, signal);
    // By another address than the one in images' names.
    const own = createRegistry({ address: 'elsewhere:1', api: `http://${address}`, login });
    expect(await own.digest('acme/web', '1')).toBe(digest);
    expect(await own.paths()).toEqual(['acme/web']);
    await engine.removeImage(reference);
    await engine.pull(reference, () => undefined, signal);

    const unknown = await failureOf(createRegistry({ address }).tags('acme/web'));
    expect(unknown).toMatchObject({ code: 'push-failed', message: expect.stringContaining('TREEHOUSE_REGISTRY_USER') });
    const wrong = createRegistry({ address, login: { ...login, password: 'wrong' } });
    expect((await failureOf(wrong.tags('acme/web'))).message).toContain('it refuses the login');
    const other = dockerEngine(docker, 'install-keys', { address: '127.0.0.1:1', login });
    expect((await failureOf(other.push(reference, () => undefined, signal))).message).toMatch(
      /no basic auth|unauthorized/i,
    );
  });

  it('says for how long the walls stand', async () => {
    expect(lookAtWalls(home)).toContain('has not said');
    await tellWalls(home, 'up');
    expect(lookAtWalls(home)).toBeUndefined();
    await tellWalls(home, 'down: no iptables');
    expect(lookAtWalls(home)).toBe('down: no iptables');
    await writeFile(inHome('walls'), 'up\n1000\n');
    expect(lookAtWalls(home)).toContain('two minutes');
  });
});
