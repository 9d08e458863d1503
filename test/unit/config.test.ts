import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Config, type ConfigInput, readConfig } from '../../src/config.ts';
import { branchName, previewId } from '../../src/domain/names.ts';
import { urlsOf } from '../../src/stages.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'treehouse-config-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

let count = 0;
/** Reads a configuration from a folder of its own, which holds `yml` as treehouse.yml. */
function read(yml: string | undefined, more: Partial<ConfigInput> = {}): Config {
  count += 1;
  const folder = path.join(cwd, String(count));
  mkdirSync(folder);
  if (yml !== undefined) writeFileSync(path.join(folder, 'treehouse.yml'), yml);
  return readConfig({ env: {}, cwd: folder, ...more });
}

/** The lines of the one error. */
function faults(yml: string | undefined, more: Partial<ConfigInput> = {}): string[] {
  try {
    read(yml, more);
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-config', kind: 'terminal' });
    return (error as Error).message
      .replaceAll(path.join(cwd, String(count)), '.')
      .split('\n')
      .map((line) => line.trim());
  }
  return [];
}

describe('the configuration', () => {
  it('is whole without any', () => {
    const config = read(undefined, { env: { PATH: '/bin', HOME: '/home/ada' } });
    expect(config).toMatchObject({
      home: path.join(cwd, String(count), '.treehouse'),
      host: '127.0.0.1',
      port: 4000,
      gatewayHost: '127.0.0.1',
      gatewayPort: 8080,
      domain: 'preview.localhost',
      shortNames: false,
      concurrency: expect.any(Number),
      startLimit: 120,
      drain: 30,
      checkoutSize: 2 * 2 ** 30,
      disk: {
        budgets: {
          images: 20 * 2 ** 30,
          cache: 10 * 2 ** 30,
          registry: 10 * 2 ** 30,
          mirrors: 5 * 2 ** 30,
          checkouts: 5 * 2 ** 30,
        },
        mark: { full: 0.9, free: 2 ** 28 },
        every: 300,
        grace: 300,
      },
      sweep: 60,
      sweepGrace: 120,
      logLevel: 'info',
      repositories: [],
      redisUrl: undefined,
      registry: undefined,
      dockerHost: undefined,
      webhookSecret: undefined,
      adminToken: undefined,
      path: '/bin',
      userHome: '/home/ada',
    });
    expect(config.concurrency).toBeGreaterThanOrEqual(2);
  });

  it('takes limits of the host, and of a repository, where they may differ', () => {
    const yml = [
      'maxPreviews: 20',
      'atLimit: remove',
      'repositories:',
      '  acme/shop: {previews: {max: 5, running: 3, builds: 1, memory: 2g, atLimit: wait}}',
      '  acme/blog:',
    ].join('\n');
    const config = read(yml, { env: { TREEHOUSE_MAX_RUNNING: '9', TREEHOUSE_MAX_MEMORY: '8g' } });
    expect(config.most).toEqual({ previews: 20, running: 9, memory: 8 * 2 ** 30 });
    expect(config.repositories.map((one) => one.most)).toEqual([
      { previews: 5, running: 3, builds: 1, memory: 2 * 2 ** 30, atLimit: 'wait' },
      { atLimit: 'remove' },
    ]);
    expect(faults('maxRunning: 0\natLimit: kill')).toEqual([
      'the configuration has 2 faults:',
      'maxRunning (TREEHOUSE_MAX_RUNNING): Too small: expected number to be >=1',
      "atLimit (TREEHOUSE_AT_LIMIT): it is 'wait' or 'remove'",
    ]);
  });

  it('takes TLS of the gateway, and the proxies before it', () => {
    const env = {
      TREEHOUSE_TLS_CERT: 'tls/cert.pem',
      TREEHOUSE_TLS_KEY: '/etc/tls/key.pem',
      TREEHOUSE_HSTS: '31536000',
      TREEHOUSE_PUBLIC_PORT: '443',
      TREEHOUSE_TRUSTED_PROXIES: '10.0.0.0/24, 192.168.1.7 fd00::/8,::1',
    };
    expect(read('tlsPort: 9443', { env })).toMatchObject({
      tls: { cert: path.join(cwd, String(count), 'tls/cert.pem'), key: '/etc/tls/key.pem', port: 9443 },
      hsts: 31_536_000,
      publicPort: 443,
      trustedProxies: ['10.0.0.0/24', '192.168.1.7', 'fd00::/8', '::1'],
    });
    const none = { tls: undefined, hsts: undefined, publicPort: undefined, trustedProxies: [] };
    expect(read(undefined, { env: { TREEHOUSE_TRUSTED_PROXIES: '' } })).toMatchObject(none);
    expect(read('trustedProxies: [10.1.0.0/16]')).toMatchObject({ ...none, trustedProxies: ['10.1.0.0/16'] });
  });

  it('takes no half of it', () => {
    const yml =
      'tlsCert: cert.pem\ntlsPort: 8080\ntrustedProxies: [lb.example.com, 10.0.0.0/33, 0.0.0.0/0, fe80::1%eth0]';
    expect(faults(yml)).toEqual([
      'the configuration has 4 faults:',
      ...[0, 1, 2, 3].map((at) => expect.stringContaining(`trustedProxies.${at}: '`)),
    ]);
    expect(faults('tlsCert: cert.pem\ntlsPort: 8080')).toEqual([
      'the configuration has 2 faults:',
      'tlsKey (TREEHOUSE_TLS_KEY): tlsCert is set and this is not: a certificate is nothing without its key',
      "tlsPort (TREEHOUSE_TLS_PORT): 8080 is the gateway's port without TLS: they are two",
    ]);
    expect(faults('tlsKey: key.pem\nhsts: 3600')).toEqual([
      'the configuration has 2 faults:',
      'tlsCert (TREEHOUSE_TLS_CERT): tlsKey is set and this is not: a key is nothing without its certificate',
      'hsts (TREEHOUSE_HSTS): previews have no TLS: set tlsCert and tlsKey, or trustedProxies where a proxy has it',
    ]);
  });

  it('makes URLs of it', () => {
    const url = (yml: string) => urlsOf(read(`domain: p.example.com\n${yml}`))('main--shop');
    const tls = 'tlsCert: c\ntlsKey: k\n';
    expect(url('')).toBe('http://main--shop.p.example.com:8080/');
    expect(url('gatewayPort: 80')).toBe('http://main--shop.p.example.com/');
    expect(url('publicPort: 80')).toBe('http://main--shop.p.example.com/');
    expect(url('publicPort: 443')).toBe('https://main--shop.p.example.com/');
    expect(url(tls)).toBe('https://main--shop.p.example.com:8443/');
    expect(url(`${tls}tlsPort: 443`)).toBe('https://main--shop.p.example.com/');
    expect(url(`${tls}publicPort: 443`)).toBe('https://main--shop.p.example.com/');
    expect(url(`${tls}publicPort: 9000`)).toBe('https://main--shop.p.example.com:9000/');
  });

  it('takes times of days, and off for one repository', () => {
    const yml = 'ttl: 14d\nrepositories: {acme/shop: {previews: {ttl: off, idle: 30m}}, acme/blog: }';
    expect(read(yml).repositories.map(({ ttl, idle }) => [ttl, idle])).toEqual([
      [undefined, 1_800_000],
      [14 * 86_400_000, undefined],
    ]);
    expect(read(undefined).patience).toEqual({ silence: 600_000, build: 3_600_000, test: 1_800_000, pull: 1_800_000 });
  });

  it('lists every fault in one message, with its key and its variable', () => {
    const yml = [
      'port: 70000',
      'domain: Preview.Example',
      'hostname: "{repo}"',
      'colour: red',
      'webhookSecret: in the yml',
      'repositories:',
      '  acme/shop: {url: "", branches: [], previews: {most: 2}}',
      '  shop: {}',
    ].join('\n');
    const env = {
      TREEHOUSE_CHECKOUT_SIZE: 'huge',
      TREEHOUSE_SWEEP: 'often',
      TREEHOUSE_LOG_LEVEL: 'loud',
      TREEHOUSE_REPOS: 'acme/api=/srv/api.git, nonsense, =x',
      TREEHOUSE_ADMIN_TOKEN_FILE: '/nonexistent/token',
      REDIS_URL: 'localhost:6379',
      DOCKER_HOST: 'ssh://ada@example.com',
    };
    expect(faults(yml, { env })).toEqual([
      'the configuration has 17 faults:',
      'port (TREEHOUSE_PORT): Too big: expected number to be <=65535',
      'domain (TREEHOUSE_DOMAIN): it is a host name in lower case, such as preview.example.com',
      "hostname (TREEHOUSE_HOSTNAME): it is '{branch}--{repo}' or, for one repository, '{branch}'",
      'checkoutSize (TREEHOUSE_CHECKOUT_SIZE): it is a size such as 512m or 2g',
      'sweep (TREEHOUSE_SWEEP): Invalid input: expected number, received NaN',
      'logLevel (TREEHOUSE_LOG_LEVEL): Invalid option: expected one of "trace"|"debug"|"info"|"warn"|"error"|"silent"',
      'repositories.acme/shop.url: Too small: expected string to have >=1 characters',
      'repositories.acme/shop.branches: Too small: expected array to have >=1 items',
      'repositories.acme/shop.previews.most: there is no such setting',
      'redisUrl (REDIS_URL): it is redis://host:port',
      'dockerHost (DOCKER_HOST): it is unix:///path or tcp://host:port',
      'colour: there is no such setting',
      'webhookSecret: there is no such setting',
      "TREEHOUSE_REPOS: 'nonsense' has not the form owner/name=URL",
      "TREEHOUSE_REPOS: '=x' has not the form owner/name=URL",
      "repositories.shop: 'shop' is not a repository's name: it has the form owner/name",
      "TREEHOUSE_ADMIN_TOKEN_FILE: ENOENT: no such file or directory, open '/nonexistent/token'",
    ]);
  });

  it('tells faults of repositories beside those of other keys', () => {
    expect(faults('port: 0\nrepositories: {shop: {}}')).toEqual([
      'the configuration has 2 faults:',
      'port (TREEHOUSE_PORT): Too small: expected number to be >=1',
      "repositories.shop: 'shop' is not a repository's name: it has the form owner/name",
    ]);
  });

  it('takes a list of repositories for one fault', () => {
    expect(faults('repositories: [acme/shop]')).toEqual([
      'the configuration has a fault:',
      'repositories: Invalid input: expected record, received array',
    ]);
  });

  it.each([
    ['- a list', './treehouse.yml: it holds no keys'],
    ['just text', './treehouse.yml: it holds no keys'],
    [
      'a: [',
      './treehouse.yml: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 5:',
    ],
  ])('names the file that is not a configuration: %j', (yml, fault) => {
    expect(faults(yml)).toEqual(['the configuration has a fault:', fault]);
  });

  it('is taken from the environment before the file', () => {
    const config = read('port: 5000\nsweep: 5\ndomain: a.example\nhome: /srv/a', {
      env: { TREEHOUSE_PORT: '5001', TREEHOUSE_DOMAIN: '', TREEHOUSE_HOME: 'here', TREEHOUSE_REGISTRY: 'none' },
    });
    expect(config).toMatchObject({ port: 5001, sweep: 5, domain: 'a.example', registry: 'none' });
    expect(config.home).toBe(path.join(cwd, String(count), 'here'));
  });

  it('is read from the file that is named, the command line first', () => {
    const file = (name: string, port: number) => {
      writeFileSync(path.join(cwd, name), `port: ${port}`);
      return path.join(cwd, name);
    };
    const env = { TREEHOUSE_CONFIG: file('env.yml', 1) };
    expect(read('port: 3', { env }).port).toBe(1);
    expect(read('port: 3', { env, file: file('option.yml', 2) }).port).toBe(2);
    expect(read('port: 3', { env: { TREEHOUSE_CONFIG: '' } }).port).toBe(3);
    expect(faults('port: 3', { file: 'missing.yml' })[1]).toContain('missing.yml: ENOENT');
  });

  it('takes secrets from the environment or a file', () => {
    const token = path.join(cwd, 'token');
    writeFileSync(token, 'of the file\n');
    const env = {
      TREEHOUSE_WEBHOOK_SECRET: 'of the variable',
      TREEHOUSE_ADMIN_TOKEN_FILE: token,
      TREEHOUSE_ADMIN_TOKEN: 'unused',
    };
    expect(read(undefined, { env })).toMatchObject({ webhookSecret: 'of the variable', adminToken: 'of the file' });
    expect(read(undefined, { env: { TREEHOUSE_ADMIN_TOKEN: '' } }).adminToken).toBeUndefined();
  });

  it('says how previews sleep, for all and for one', () => {
    const modes = (text: string, env = {}) => read(text, { env }).repositories.map((one) => one.sleepMode);
    const two = 'repositories:\n  acme/shop: {previews: {sleepMode: pause}}\n  acme/blog: {}\n';
    expect(modes(two)).toEqual(['pause', 'stop']);
    expect(modes(two, { TREEHOUSE_SLEEP_MODE: 'pause' })).toEqual(['pause', 'pause']);
    expect(modes(`sleepMode: pause\n${two.replace('pause', 'stop')}`)).toEqual(['stop', 'pause']);
    expect(faults('sleepMode: snore\n')).toContainEqual("sleepMode (TREEHOUSE_SLEEP_MODE): it is 'stop' or 'pause'");
  });

  it('lets previews sleep, for all or for one repository', () => {
    const idle = (text: string, env = {}) => read(text, { env }).repositories.map((one) => one.idle);
    const two = 'repositories:\n  acme/shop: {previews: {idle: 90s}}\n  acme/blog: {}\n';
    expect(idle(two)).toEqual([90_000, undefined]);
    expect(idle(`idle: 1h30m\n${two}`)).toEqual([90_000, 5_400_000]);
    expect(idle(two, { TREEHOUSE_IDLE: '2m' })).toEqual([90_000, 120_000]);
    expect(idle(`idle: 1h\n${two.replace('90s', 'off')}`)).toEqual([undefined, 3_600_000]);
    expect(faults('idle: 5\n')).toContainEqual(expect.stringContaining('idle (TREEHOUSE_IDLE): '));
    expect(faults('idle: soon\n')).toContainEqual(
      'idle (TREEHOUSE_IDLE): it is a time of at least a second, such as 30m, or off',
    );
  });

  it('is frozen to its depth', () => {
    const config = read('repositories: {acme/shop: {}}');
    const [shop] = config.repositories;
    for (const one of [config, config.repositories, shop, shop?.branches]) expect(Object.isFrozen(one)).toBe(true);
  });
});

describe('repositories', () => {
  it('are GitHub’s unless told, of paths made absolute, with what was said last', () => {
    const yml = [
      'repositories:',
      '  acme/shop:',
      '  acme/API: {url: ../api, branches: [main, "!x"]}',
      '  acme/ssh: {url: "git@example.com:acme/ssh.git"}',
      '  acme/twice: {url: /srv/one, branches: [main]}',
    ].join('\n');
    const { repositories } = read(yml, {
      env: { TREEHOUSE_REPOS: ' acme/twice=/srv/two , acme/equals=https://x.example/?a=b,' },
      repositories: [{ name: 'local/here', url: '/srv/here' }],
    });
    expect(
      repositories.map(
        ({ name, slug, url, branches }) => `${name} ${slug.replace(/-[0-9a-f]{10}$/, '-…')} ${url} ${branches}`,
      ),
    ).toEqual([
      'acme/shop shop https://github.com/acme/shop.git *',
      `acme/API api-… ${path.join(cwd, 'api')} main,!x`,
      'acme/ssh ssh git@example.com:acme/ssh.git *',
      'acme/twice twice /srv/two main',
      'acme/equals equals https://x.example/?a=b *',
      'local/here here /srv/here *',
    ]);
  });

  it('whose previews would have the same names are refused', () => {
    expect(faults('repositories: {acme/shop: {}, other/shop: {}}')).toEqual([
      'the configuration has a fault:',
      "repositories.other/shop: its previews would have the names of acme/shop's ('shop'); rename one in the configuration",
    ]);
  });

  it('that ask for what can have no effect are refused, with the way out', () => {
    const idle = (what: string, instead: string) =>
      `repositories.acme/shop.${what}: \`pullRequests: none\` asks nothing of pull requests, so this does nothing: ${instead}, or take this away`;
    expect(faults('repositories: {acme/shop: {pullRequests: none, label: x, drafts: false, paths: [web]}}')).toEqual([
      'the configuration has 3 faults:',
      idle('label', "say 'labelled' there"),
      idle('drafts', "say 'all' or nothing there"),
      idle('paths', "say 'all' or nothing there"),
    ]);
    expect(faults('repositories: {acme/shop: {pullRequests: all, label: x}}').at(-1)).toBe(
      "repositories.acme/shop.label: `pullRequests: all` asks for no label, so this does nothing: say 'labelled' there, or take this away",
    );
  });

  it('may be left out of the names where there is one', () => {
    const env = { TREEHOUSE_HOSTNAME: '{branch}' };
    const one = read('repositories: {acme/shop: {}}', { env });
    expect(one.shortNames).toBe(true);
    expect(previewId(one.repositories[0]?.slug ?? '?', branchName('main'))).toBe('main');
    // None yet: the command line asks a server that has one.
    expect(read(undefined, { env }).shortNames).toBe(true);
    expect(faults('repositories: {acme/shop: {}, acme/api: {}}', { env })).toEqual([
      'the configuration has a fault:',
      "hostname (TREEHOUSE_HOSTNAME): '{branch}' is for one repository; there are 2",
    ]);
  });

  it('takes the login of a registry, and the URL of Redis from a file', () => {
    const secret = path.join(cwd, 'secret');
    writeFileSync(secret, 'redis://default:s3cret@redis:6379\n');
    const env = {
      REDIS_URL_FILE: secret,
      TREEHOUSE_REGISTRY: '127.0.0.1:5000',
      TREEHOUSE_REGISTRY_API: 'http://registry:5000',
      TREEHOUSE_REGISTRY_USER: 'treehouse',
      TREEHOUSE_REGISTRY_PASSWORD: 'p4ss',
      TREEHOUSE_ENGINE_HERE: 'true',
    };
    expect(read(undefined, { env })).toMatchObject({
      redisUrl: 'redis://default:s3cret@redis:6379',
      registryApi: 'http://registry:5000',
      registryLogin: { user: 'treehouse', password: 'p4ss' },
      engineHere: true,
    });
    expect(read('engineHere: false')).toMatchObject({ engineHere: false, registryLogin: undefined });
    writeFileSync(secret, 'redis:6379');
    const wrong = { ...env, TREEHOUSE_REGISTRY_USER: '', TREEHOUSE_ENGINE_HERE: 'maybe', TREEHOUSE_ENTRANCE: '80' };
    expect(faults(undefined, { env: wrong })).toEqual([
      'the configuration has 4 faults:',
      'entrance (TREEHOUSE_ENTRANCE): it is true or false',
      'redisUrl (REDIS_URL): it is redis://host:port',
      'engineHere (TREEHOUSE_ENGINE_HERE): it is true or false',
      'registry (TREEHOUSE_REGISTRY): half of a login is given: set TREEHOUSE_REGISTRY_USER too',
    ]);
  });
});
