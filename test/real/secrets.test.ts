/** Secrets from the command line's store and from Vault to a container, and nowhere else: real engine, real Treehouse, real HTTP. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdtemp, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { branchName, type PreviewId, previewId, repositoryName } from '../../src/domain/names.ts';
import { NO_SECRETS, secretPath } from '../../src/domain/secrets.ts';
import type { StackService } from '../../src/domain/stack.ts';
import { type Memory, openMemory, ownerShift } from '../../src/secrets/memory.ts';
import { forms } from '../../src/secrets/redact.ts';
import { createSecretSource } from '../../src/secrets/source.ts';
import { openSecretStore, type SecretStore } from '../../src/secrets/store.ts';
import { createVault, openVault, parseVaultReference, type Vault } from '../../src/secrets/vault.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const ANY = { service: '*', branch: '*' };
const clock = { now: () => Date.now() };

/** Speaks what Vault's API documentation says of KV 1 and 2, AppRole and the mounts' preflight. */
interface FakeVault {
  readonly address: string;
  readonly asked: string[];
  /** Tokens that are good now. */
  readonly tokens: Set<string>;
  /** Answers these instead, one request each. */
  readonly trouble: ((respond: (status: number, body?: unknown, headers?: Record<string, string>) => void) => void)[];
  close(): Promise<void>;
}

const KV2 = { 'team/kv/data/shop/app': { tls: 'from vault, version two', port: 5432, deep: { a: 1 } } };
const KV1 = { 'old/shop': { tls: 'from vault, version one' } };

async function startVault(): Promise<FakeVault> {
  const asked: string[] = [];
  const tokens = new Set(['root-token']);
  const trouble: FakeVault['trouble'] = [];
  let logins = 0;
  const server: Server = createServer(async (request, response) => {
    const respond = (status: number, body: unknown = { errors: [] }, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const where = decodeURIComponent((request.url ?? '').replace(/^\/v1\//, ''));
    asked.push(`${request.method} ${where}`);
    const odd = trouble.shift();
    if (odd) return odd(respond);
    if (request.method === 'POST' && where === 'auth/approle/login') {
      const login = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>;
      if (login.role_id !== 'role' || login.secret_id !== 'secret-id') {
        return respond(400, { errors: ['invalid role or secret ID'] });
      }
      logins += 1;
      const token = `login-${logins}`;
      tokens.add(token);
      return respond(200, { auth: { client_token: token, lease_duration: 1200, renewable: true } });
    }
    if (!tokens.has(String(request.headers['x-vault-token']))) {
      return respond(403, { errors: ['permission denied'] });
    }
    if (where.startsWith('sys/internal/ui/mounts/')) {
      const asks = where.slice('sys/internal/ui/mounts/'.length);
      if (asks.startsWith('team/kv/')) {
        return respond(200, { data: { path: 'team/kv/', type: 'kv', options: { version: '2' } } });
      }
      if (asks.startsWith('old/')) return respond(200, { data: { path: 'old/', type: 'kv', options: null } });
      return respond(403, { errors: ['preflight capability check returned 403'] });
    }
    const two = (KV2 as Record<string, unknown>)[where];
    if (two) return respond(200, { data: { data: two, metadata: { version: 3, destroyed: false } } });
    const one = (KV1 as Record<string, unknown>)[where];
    if (one) return respond(200, { data: one, lease_duration: 2764800 });
    if (where === 'team/kv/data/shop/deleted') {
      return respond(404, { data: { data: null, metadata: { deletion_time: '2026-01-01T00:00:00Z', version: 2 } } });
    }
    respond(404);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    tokens,
    trouble,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('Vault', () => {
  let fake: FakeVault;
  beforeAll(async () => {
    fake = await startVault();
  });
  afterEach(() => {
    fake.asked.length = 0;
    fake.trouble.length = 0;
  });
  afterAll(() => fake?.close());

  const pace = { timeoutMs: 4_000, pausesMs: [5, 5] };
  const hurried = { ...pace, timeoutMs: 300 };
  const withToken = (token = 'root-token', at = pace) =>
    createVault({ address: `${fake.address}/`, login: { token } }, at);
  const withRole = (secretId = 'secret-id') =>
    createVault({ address: fake.address, login: { roleId: 'role', secretId } }, pace);
  const read = (vault: Vault, text: string, signal = never) => {
    const reference = parseVaultReference(text);
    if (!reference) throw new Error(text);
    return vault.read(reference, signal);
  };

  it('is read in version 2', async () => {
    expect(await read(withToken(), 'vault:team/kv/shop/app#tls')).toBe('from vault, version two');
    expect(await read(withToken(), 'vault:/team/kv/shop/app#port')).toBe('5432');
    expect(await read(withToken(), 'vault:team/kv/shop/app#deep')).toBe('{"a":1}');
    expect(fake.asked.slice(0, 2)).toEqual([
      'GET sys/internal/ui/mounts/team/kv/shop/app',
      'GET team/kv/data/shop/app',
    ]);
  });

  it('is read in version 1', async () => {
    expect(await read(withToken(), 'vault:old/shop#tls')).toBe('from vault, version one');
    expect(fake.asked.at(-1)).toBe('GET old/shop');
  });

  it('is read in version 1 where it is too old to say its version', async () => {
    fake.trouble.push((respond) => respond(404));
    expect(await read(withToken(), 'vault:old/shop#tls')).toBe('from vault, version one');
  });

  it('is logged in to by an AppRole, once, and again where the token ended', async () => {
    const vault = withRole();
    await read(vault, 'vault:old/shop#tls');
    await read(vault, 'vault:old/shop#tls');
    expect(fake.asked.filter((one) => one.startsWith('POST')).length).toBe(1);
    for (const token of fake.tokens) if (token.startsWith('login-')) fake.tokens.delete(token);
    expect(await read(vault, 'vault:old/shop#tls')).toBe('from vault, version one');
    expect(fake.asked.filter((one) => one.startsWith('POST')).length).toBe(2);
  });

  it.each<[string, () => Vault, string, { code: string; kind: string; message: RegExp }]>([
    [
      'a token that is not good',
      () => withToken('wrong-token'),
      'vault:old/shop#tls',
      { code: 'secret-failed', kind: 'terminal', message: /refused by Vault with 403 .*permission denied/ },
    ],
    [
      'an AppRole that is not good',
      () => withRole('wrong-id'),
      'vault:old/shop#tls',
      { code: 'secret-failed', kind: 'terminal', message: /with 400: invalid role or secret ID/ },
    ],
    [
      'a mount that it may not see',
      () => withToken(),
      'vault:other/shop#tls',
      { code: 'secret-failed', kind: 'terminal', message: /looking for the mount of vault:other\/shop .*403/ },
    ],
    [
      'a path that is not there',
      () => withToken(),
      'vault:team/kv/nothing#tls',
      { code: 'secret-missing', kind: 'terminal', message: /nothing at this path/ },
    ],
    [
      'a version that was deleted',
      () => withToken(),
      'vault:team/kv/shop/deleted#tls',
      { code: 'secret-missing', kind: 'terminal', message: /its newest version was deleted/ },
    ],
    [
      'a key that is not there',
      () => withToken(),
      'vault:team/kv/shop/app#constructor',
      { code: 'secret-missing', kind: 'terminal', message: /there is no key 'constructor'/ },
    ],
  ])('says what is wrong: %s', async (_, vault, text, expected) => {
    const error = await read(vault(), text).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: expected.code, kind: expected.kind });
    expect((error as Error).message).toMatch(expected.message);
    expect((error as Error).message).not.toMatch(/wrong-token|wrong-id|root-token/);
  });

  it('is asked again where it is sealed, in trouble or hung up, for a while', async () => {
    const passing: FakeVault['trouble'] = [(respond) => respond(503, { errors: ['Vault is sealed'] }), () => undefined];
    fake.trouble.push(...passing);
    expect(await read(withToken('root-token', hurried), 'vault:old/shop#tls')).toBe('from vault, version one');
    fake.trouble.push(...passing, (respond) => respond(503, { errors: ['Vault is sealed'] }));
    await expect(read(withToken('root-token', hurried), 'vault:old/shop#tls')).rejects.toMatchObject({
      code: 'secret-failed',
      kind: 'transient',
      message: `Vault at ${fake.address} gave no secret: it answered 503: Vault is sealed`,
    });
  });

  it('is not waited for without end', async () => {
    fake.trouble.push(...Array(3).fill(() => undefined));
    const began = performance.now();
    await expect(read(withToken('root-token', hurried), 'vault:old/shop#tls')).rejects.toMatchObject({
      kind: 'transient',
      message: expect.stringContaining('no answer within 0.3 s'),
    });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('is let go when the build ends', async () => {
    fake.trouble.push(() => undefined);
    await expect(read(withToken(), 'vault:old/shop#tls', AbortSignal.timeout(50))).rejects.toMatchObject({
      code: 'stopped',
    });
  });

  it('away is a passing fault', async () => {
    const gone = await startVault();
    await gone.close();
    const vault = createVault({ address: gone.address, login: { token: 'x' } }, pace);
    await expect(read(vault, 'vault:a/b#c')).rejects.toMatchObject({
      kind: 'transient',
      message: `Vault at ${gone.address} gave no secret: ECONNREFUSED`,
    });
  });

  it('may lead to its active node, once', async () => {
    const to = (location: string): FakeVault['trouble'][number] => {
      return (respond) => respond(307, {}, { location });
    };
    fake.trouble.push(to(`${fake.address}/v1/sys/internal/ui/mounts/old/shop`));
    expect(await read(withToken(), 'vault:old/shop#tls')).toBe('from vault, version one');
    fake.trouble.push(to('/v1/again'), to('/v1/again'));
    await expect(read(withToken(), 'vault:old/shop#tls')).rejects.toThrow('refused by Vault with 307');
  });

  it.each(['vault:', 'vault:a/b', 'vault:a#b', 'vault:a/../b#c', 'vault:a//b#c', 'vault:a b/c#d', 'vault:a/b#'])(
    'is not named by %j',
    (text) => expect(() => parseVaultReference(text)).toThrow('vault:MOUNT/PATH#KEY'),
  );

  it('wants a login', () => {
    expect(openVault(undefined)).toBeUndefined();
    expect(() => openVault({ address: fake.address, login: undefined })).toThrow('TREEHOUSE_VAULT_TOKEN');
  });
});

describe('the source of secrets', () => {
  const repository = repositoryName('acme/shop');
  const branch = branchName('main');
  const preview = { id: previewId('shop', branch), repository, branch };
  let home: string;
  let store: SecretStore;
  let memory: Memory;
  const instance = `test-${process.pid}`;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'treehouse-secrets-'));
    store = openSecretStore(home, clock);
    memory = openMemory({ instance });
    await store.set(repository, { name: 'password', ...ANY }, Buffer.from('for all services'));
    await store.set(repository, { name: 'password', service: 'web', branch: '*' }, Buffer.from('for web alone'));
    await store.set(repository, { name: 'main_only', service: '*', branch: 'release/*' }, Buffer.from('for releases'));
  });
  afterAll(async () => {
    await memory.remove(preview.id, await memory.laid(preview.id));
    await rm(path.dirname(await memory.folder(preview.id)), { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  });

  const asking = (name: string, ...secrets: string[]): StackService => ({
    name,
    definition: {},
    environment: {},
    dependsOn: [],
    networks: {},
    mounts: [],
    files: [],
    ports: [],
    secrets: secrets.map((one) => ({ name: one, target: `/run/secrets/${one}`, uid: 7, gid: 8 })),
  });
  const source = (vault?: Vault) => createSecretSource({ store, memory, vault });
  const fetch = (services: StackService[], fork = false, vault?: Vault) =>
    source(vault).fetch({ preview, services, fork }, never);

  it('gives each service its own, with a fingerprint that follows the value alone', async () => {
    const [web, api] = [asking('web', 'password'), asking('api', 'password')];
    const known = await fetch([web, api]);
    expect(known.redact('for web alone, for all services')).toBe('[secret password], [secret password]');
    expect(known.mark('web', 'password')).toMatch(/^[0-9a-f]{32}$/);
    expect(known.mark('web', 'password')).not.toBe(known.mark('api', 'password'));
    const plain = createHash('sha256').update('for web alone').digest('hex');
    expect(plain).not.toContain(known.mark('web', 'password'));
    expect((await fetch([web])).mark('web', 'password')).toBe(known.mark('web', 'password'));
    await store.rotateKey();
    expect((await fetch([web])).mark('web', 'password')).toBe(known.mark('web', 'password'));
  });

  it('lays files that only their owner reads, in memory', async () => {
    const web = asking('web', 'password');
    const known = await fetch([web]);
    const folder = await known.lay('b1', [web]);
    const file = path.join(folder, secretPath('b1', 'web', { name: 'password', uid: 7, gid: 8 }));
    const facts = await stat(file);
    expect([facts.mode & 0o777, facts.uid, facts.gid]).toEqual([0o400, 7, 8]);
    expect(await readFile(file, 'utf8')).toBe('for web alone');
    expect((await statfs(file)).type).toBe(0x01021994);
    for (
      let one = path.dirname(file);
      path.basename(one) !== path.basename(path.dirname(folder));
      one = path.dirname(one)
    ) {
      expect((await stat(one)).mode & 0o777, one).toBe(0o700);
    }
    // Lost, as after a reboot: the mount itself says what is to be there.
    await rm(folder, { recursive: true });
    const mounts = [{ type: 'bind', source: file, target: '/run/secrets/password', writable: false }];
    const redact = await source().layAgain(preview, [{ service: 'web', mounts }], never);
    expect(await readFile(file, 'utf8')).toBe('for web alone');
    expect(redact('x for web alone')).toBe('x [secret password]');
    expect(await source().laid(preview.id)).toEqual(['b1/web']);
    await source().remove(preview.id, ['b1/web']);
    expect(await source().laid(preview.id)).toEqual([]);
    await expect(access(folder)).rejects.toThrow();
  });

  it('refuses what is not set, by name and with the command', async () => {
    await expect(fetch([asking('web', 'password', 'main_only'), asking('api', 'nothing')])).rejects.toMatchObject({
      code: 'secret-missing',
      kind: 'terminal',
      message:
        "secrets are not set for this branch: 'main_only' (services.web.secrets), 'nothing' (services.api.secrets). Set them, " +
        'then redeploy: treehouse secret set acme/shop main_only; treehouse secret set acme/shop nothing; treehouse redeploy main--shop',
    });
  });

  it('gives none to a fork', async () => {
    await expect(fetch([asking('web', 'password')], true)).rejects.toThrow('the code of a fork is given no secrets');
    expect(await fetch([asking('web')], true)).toBe(NO_SECRETS);
  });

  it('asks Vault once for one reference, and says which secret it was about', async () => {
    await store.set(repository, { name: 'kept', ...ANY }, Buffer.from('vault:team/kv/app#x'));
    let asked = 0;
    const vault: Vault = { read: async () => `value ${++asked} of vault` };
    const known = await fetch([asking('web', 'kept'), asking('api', 'kept')], false, vault);
    expect([asked, known.redact('value 1 of vault')]).toEqual([1, '[secret kept]']);
    await expect(fetch([asking('web', 'kept')])).rejects.toThrow('set TREEHOUSE_VAULT_ADDR');
    const away = createVault(
      { address: 'http://127.0.0.1:1', login: { token: 'x' } },
      { timeoutMs: 100, pausesMs: [] },
    );
    await expect(fetch([asking('web', 'kept')], false, away)).rejects.toMatchObject({
      kind: 'transient',
      message: expect.stringContaining("the secret 'kept': Vault at"),
    });
  });

  it('lays nothing where it could reach a disk, another user or nobody', async () => {
    const content = Buffer.from('x');
    const owner = { uid: 0, gid: 0 };
    const disk = openMemory({ instance, parents: [home] });
    await expect(disk.write(preview.id, 'a/b/c', content, owner)).rejects.toThrow('no file system in memory');
    const remote = openMemory({ instance, remote: 'tcp://10.0.0.9:2375' });
    await expect(remote.write(preview.id, 'a/b/c', content, owner)).rejects.toThrow('run Treehouse beside it');
    const shared = await mkdtemp('/dev/shm/treehouse-test-');
    try {
      await run('mkdir', ['-m', '0777', path.join(shared, `treehouse-${process.getuid?.()}`)]);
      const open = openMemory({ instance, parents: [shared] });
      await expect(open.write(preview.id, 'a/b/c', content, owner)).rejects.toThrow(
        "not a folder of this user's alone",
      );
    } finally {
      await rm(shared, { recursive: true, force: true });
    }
  });

  it('adds what the engine adds to the ids of users', () => {
    expect(ownerShift('/var/lib/docker/100000.200000', ['name=seccomp', 'name=userns'])).toEqual({
      uid: 100000,
      gid: 200000,
    });
    expect(ownerShift('/var/lib/docker', ['name=seccomp'])).toEqual({ uid: 0, gid: 0 });
  });
});

const PASSWORD = `s3cr3t/"pass" word+${process.pid}`;
const OTHER_PASSWORD = `an0ther/"pass" word+${process.pid}`;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

const files = (text: string) => ({
  'compose.yaml': `services:
  web:
    build: ./web
    expose: ["8080"]
    restart: unless-stopped
    read_only: true
    tmpfs: [/run, /www]
    secrets:
      - db_password
      - {source: tls, target: certs/tls.pem, uid: "1000", gid: "1001", mode: 0444}
  worker:
    image: busybox
    command: ["sleep", "3600"]
  test:
    image: busybox
    profiles: [test]
    secrets: [db_password]
    command: ["sh", "-c", "cat /run/secrets/db_password; echo; base64 /run/secrets/db_password; echo the tests are green"]
secrets:
  db_password: {external: true}
  tls: {external: true, name: tls_key}
`,
  'text.txt': text,
  'web/Dockerfile': 'FROM busybox\nCOPY start /start\nCMD ["sh", "/start"]\n',
  'web/start': `cd /run/secrets
for one in db_password certs/tls.pem; do
  echo "$one $(stat -c '%a %u:%g' $one) $(stat -f -c %T $one) $(sha256sum < $one)"
done | tee /www/index.html
exec httpd -f -p 8080 -h /www
`,
});

describe('a preview with secrets', () => {
  const name = 'acme/secretive';
  const repository = repositoryName(name);
  let folder: string;
  let repo: TestRepo;
  let world: World;
  let fake: FakeVault;
  let store: SecretStore;
  let main: PreviewId;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'treehouse-secrets-'));
    fake = await startVault();
    repo = await makeRepo(path.join(folder, 'repo'), files('one'));
    world = await startWorld({
      repositories: { [name]: repo.remote },
      env: { TREEHOUSE_VAULT_ADDR: fake.address, TREEHOUSE_VAULT_TOKEN: 'root-token' },
    });
    store = openSecretStore(world.home, clock);
    main = world.idOf(name, 'main');
  });
  afterAll(async () => {
    await world?.stop();
    await fake?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function containerOf(service: string): Promise<string> {
    const filters = [`label=treehouse.preview=${main}`, `label=treehouse.service=${service}`, 'status=running'];
    const found = await docker('ps', '-q', '--no-trunc', ...filters.flatMap((one) => ['--filter', one]));
    expect(found.length, service).toBe(1);
    return found[0] ?? '';
  }

  async function memoryFolder(): Promise<string> {
    const [{ Mounts: mounts } = { Mounts: [] }] = JSON.parse(
      (await docker('inspect', await containerOf('web'))).join(''),
    ) as { Mounts: { Source: string; Destination: string; RW: boolean }[] }[];
    const mount = mounts.find((one) => one.Destination === '/run/secrets/db_password');
    expect(mount?.RW).toBe(false);
    // PREVIEW/BUILD/SERVICE/FILE
    return path.resolve(mount?.Source ?? '', '../../..');
  }

  const served = (password: string) => [
    `db_password 400 0:0 tmpfs ${sha(password)}  -`,
    `certs/tls.pem 400 1000:1001 tmpfs ${sha('from vault, version two')}  -`,
  ];

  it('is refused while one is not set, before anything is built', async () => {
    await store.set(repository, { name: 'tls_key', ...ANY }, Buffer.from('vault:team/kv/shop/app#tls'));
    await world.pushed(name, 'main');
    const record = await world.ended(main, await repo.head());
    expect(record).toMatchObject({ state: 'failed', attempt: { outcome: 'failed', stage: 'plan', kind: 'terminal' } });
    expect(record.reason).toContain(`treehouse secret set ${name} db_password`);
    expect(record.reason).toContain("'db_password' (services.test.secrets)");
  });

  it('gets them as files, only where it asks', async () => {
    await store.set(repository, { name: 'db_password', ...ANY }, Buffer.from(PASSWORD));
    await world.treehouse.store.requestRedeploy(main);
    await world.pushed(name, 'main');
    const answer = await serves(world, main, 'db_password');
    expect(answer.body.trim().split('\n')).toEqual(served(PASSWORD));

    await expect(docker('exec', await containerOf('worker'), 'ls', '/run/secrets')).rejects.toThrow('No such file');
    const web = await containerOf('web');
    await expect(docker('exec', web, 'sh', '-c', 'echo x > /run/secrets/db_password')).rejects.toThrow('Read-only');
    await expect(docker('exec', '-u', '1000', web, 'cat', '/run/secrets/db_password')).rejects.toThrow('denied');
    // What Vault is asked for is asked at each build, and never kept.
    expect(fake.asked).toContain('GET team/kv/data/shop/app');
  });

  it('shows them nowhere else', async () => {
    const web = await containerOf('web');
    const [info] = JSON.parse((await docker('inspect', web)).join('')) as {
      Image: string;
      GraphDriver: { Data: { UpperDir: string } };
    }[];
    const image = info?.Image ?? '';
    await run('docker', ['save', '-o', path.join(folder, 'image.tar'), image]);
    await run('docker', ['export', '-o', path.join(folder, 'container.tar'), web]);
    const api = await Promise.all(
      ['api/v1/previews', `api/v1/previews/${main}`, `api/v1/previews/${main}/events`, '', 'metrics'].map((where) =>
        fetch(`${world.url}/${where}`, {
          headers: { authorization: `Bearer ${world.treehouse.adminToken?.value}` },
        }).then((response) => response.text()),
      ),
    );
    const record = await world.record(main);
    const build = record?.attempt?.build;
    const log = build ? await world.treehouse.store.tail(main, build, 1_000) : [];
    const places: Record<string, string> = {
      inspect: (await docker('inspect', web)).join('\n'),
      'image inspect': (await docker('image', 'inspect', image)).join('\n'),
      history: (await docker('history', '--no-trunc', image)).join('\n'),
      environment: (await docker('exec', web, 'env')).join('\n'),
      logs: (await docker('logs', web)).join('\n'),
      'processes of the host': (await run('ps', ['axeww', '-o', 'args'])).stdout,
      events: JSON.stringify(world.events),
      log: log.join('\n'),
      api: api.join('\n'),
    };
    for (const secret of [PASSWORD, 'from vault, version two']) {
      const all = [...forms(Buffer.from(secret))];
      for (const [place, text] of Object.entries(places)) {
        expect(text.length, place).toBeGreaterThan(10);
        for (const form of all) expect(text.includes(form), `${place} holds ${form}`).toBe(false);
      }
      // The image's and the container's files, all that Treehouse keeps (its Redis and registry too), and the engine's own.
      const upper = info?.GraphDriver.Data.UpperDir ?? '';
      const where = [folder, world.home, path.dirname(upper), `/var/lib/docker/containers/${web}`];
      const found = await run('grep', ['-rlaF', ...all.flatMap((form) => ['-e', form]), ...where], {
        maxBuffer: 1e8,
      }).catch((error: { code?: number }) => ({ stdout: error.code === 1 ? '' : 'grep failed' }));
      // Compose's view of the container is the container's own: the mount itself, seen through the engine's merged folder.
      expect(found.stdout).toBe('');
    }
    expect(log.join('\n')).toContain('[secret db_password]');
    expect(log.join('\n')).toContain('the tests are green');
    await rm(path.join(folder, 'image.tar'));
    await rm(path.join(folder, 'container.tar'));
  });

  it('keeps them in memory that only root sees, for as long as they are mounted', async () => {
    const own = await memoryFolder();
    expect((await statfs(own)).type).toBe(0x01021994);
    for (let one = own; path.basename(one) !== 'shm' && one !== '/run'; one = path.dirname(one)) {
      expect((await stat(one)).mode & 0o777, one).toBe(0o700);
    }
    // The test's went with the test.
    expect((await readdir(own)).filter((one) => one.endsWith('_test'))).toEqual([]);
  });

  it('finds them again after the engine restarted the container, and after the host lost them', async () => {
    const web = await containerOf('web');
    await docker('restart', '-t', '1', web);
    await until('it serves again', async () => (await world.visit(main)).body.includes('db_password'));
    expect((await docker('exec', web, 'sha256sum', '/run/secrets/db_password'))[0]).toContain(sha(PASSWORD));

    const own = await memoryFolder();
    await rm(own, { recursive: true });
    // Without its files the engine does not start it: Treehouse lays them, then starts it.
    await docker('stop', '-t', '1', web);
    await until('it serves again', async () => {
      const [state] = await docker('inspect', '-f', '{{.State.Running}}', web).catch(() => ['']);
      return state === 'true' && (await world.visit(main)).body.includes('db_password');
    });
    expect(await containerOf('web')).toBe(web);
    expect((await serves(world, main, 'db_password')).body.trim().split('\n')).toEqual(served(PASSWORD));
  });

  it('keeps its containers over a redeploy, unless a value changed', async () => {
    const [web, worker] = [await containerOf('web'), await containerOf('worker')];
    const push = async (text: string) => {
      const commit = await repo.commit({ 'text.txt': text });
      await repo.push();
      await world.pushed(name, 'main');
      expect(await world.ended(main, commit)).toMatchObject({ attempt: { outcome: 'live' } });
      await until('the old one is gone', async () => {
        const all = await docker('ps', '-aq', '--filter', `label=treehouse.preview=${main}`);
        return all.length === 2;
      });
    };
    await push('two');
    expect([await containerOf('web'), await containerOf('worker')]).toEqual([web, worker]);
    await docker('restart', '-t', '1', web);
    await until('it serves again', async () => (await world.visit(main)).body.includes(sha(PASSWORD)));

    await store.set(repository, { name: 'db_password', ...ANY }, Buffer.from(OTHER_PASSWORD));
    await push('three');
    expect(await containerOf('worker')).toBe(worker);
    expect(await containerOf('web')).not.toBe(web);
    expect((await serves(world, main, 'db_password')).body.trim().split('\n')).toEqual(served(OTHER_PASSWORD));
    const own = await memoryFolder();
    await until('only what is mounted is laid', async () => (await readdir(own)).length === 1);
  });

  it('leaves nothing when the branch goes', async () => {
    const own = await memoryFolder();
    await repo.branch('elsewhere');
    await repo.push();
    await repo.git('--git-dir', repo.remote, 'symbolic-ref', 'HEAD', 'refs/heads/elsewhere');
    await repo.deleteBranch('main');
    await world.pushed(name, 'main', { deleted: true });
    await until('it is removed', async () => (await world.record(main))?.state === 'removed');
    await expect(access(own)).rejects.toThrow();
    expect(await world.leftovers(main)).toEqual([]);
  });
});
