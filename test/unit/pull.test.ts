/** The compose file for a developer's own engine, from facts of the engine. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type BuildId, branchName, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord } from '../../src/domain/preview.ts';
import type { ProcessFacts, RunningService } from '../../src/domain/running.ts';
import { composeOf } from '../../src/pull/compose-of.ts';
import type { PulledService, PulledStack } from '../../src/pull/parts.ts';
import { pull } from '../../src/pull/pull.ts';
import { yamlText } from '../../src/pull/safe-yaml.ts';

const COMMIT = commitId('1'.repeat(40));
const BUILD = 'mwufyyiwva' as BuildId;
const branch = branchName('main');
const preview = { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch };

const image: ProcessFacts = {
  ...{ command: ['serve'], entrypoint: ['/run'], environment: ['PATH=/bin', 'LANG=C'], labels: { by: 'us' } },
  ...{ user: '', workingDir: '/app', stopSignal: '', health: undefined },
};

function facts(more: Partial<RunningService> = {}, own: Partial<ProcessFacts> = {}): RunningService {
  return {
    ...{ name: 'web', container: { id: 'c'.repeat(64), name: 'th-web' }, build: BUILD, commit: COMMIT },
    image: { reference: 'reg:5000/acme/shop/web:main', id: 'sha256:1', digests: [] },
    ...{ own: { ...image, ...own }, fromImage: image, hostname: '', domainname: '', tty: false, stdinOpen: false },
    ...{ init: true, stopSeconds: undefined, restart: 'no', networks: new Map([['default', []]]), mounts: [] },
    ...{ dns: [], dnsOptions: [], dnsSearch: [], extraHosts: [], groups: [], sysctls: {}, devices: [], ulimits: {} },
    ...{ capAdd: ['CHOWN'], readOnly: false, memory: 1024, cpus: 0.5, pids: 7, shm: 64, after: [], port: undefined },
    ...more,
  };
}

function pulled(of: RunningService, more: Partial<PulledService> = {}): PulledService {
  return { facts: of, image: { reference: 'x@sha256:2' }, files: [], secrets: [], leftOut: [], ...more };
}

function stackOf(services: readonly PulledService[], more: Partial<PulledStack> = {}): PulledStack {
  const networks = new Map([['default', { internal: false }]]);
  return { preview, commit: COMMIT, services, networks, registry: undefined, ...more };
}

/** What Compose makes of `$` in a value. */
function filled(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('$$', '$'));
}

const publishedAt = (variable: string, port: number) => `127.0.0.1:\${${variable}:-}:${port}`;

interface Read {
  readonly services: Record<string, Record<string, unknown>>;
  readonly [key: string]: unknown;
}
const read = (stack: PulledStack) => parse(composeOf(stack), { version: '1.1', schema: 'yaml-1.1' }) as Read;
const web = (more: Partial<RunningService> = {}, own: Partial<ProcessFacts> = {}) =>
  read(stackOf([pulled(facts(more, own))])).services.web ?? {};

describe('a service', () => {
  it('has what differs from its image, and the walls that every engine has', () => {
    expect(read(stackOf([pulled(facts())]))).toEqual({
      name: 'main--shop',
      services: {
        web: {
          ...{ image: 'x@sha256:2', init: true, security_opt: ['no-new-privileges:true'], cap_drop: ['ALL'] },
          ...{ cap_add: ['CHOWN'], mem_limit: 1024, cpus: 0.5, pids_limit: 7, shm_size: 64 },
        },
      },
    });
  });

  it.each<[string, Partial<ProcessFacts>, Record<string, unknown>]>([
    ['a command of its own', { command: ['a', '$b'] }, { command: ['a', '$$b'] }],
    ['an entrypoint, and with it no command', { entrypoint: ['/x'], command: [] }, { entrypoint: ['/x'] }],
    ['an entrypoint, and the command of the image', { entrypoint: ['/x'] }, { entrypoint: ['/x'], command: ['serve'] }],
    ['no entrypoint at all', { entrypoint: [] }, { entrypoint: [], command: ['serve'] }],
    ['the entrypoint of the image, and no command', { command: [] }, { entrypoint: ['/run'] }],
    ['another user and folder', { user: '1:2', workingDir: '/x' }, { user: '1:2', working_dir: '/x' }],
    ['labels', { labels: { by: 'us', 'a.$': '$1' } }, { labels: { 'a.$': '$$1' } }],
    [
      'variables, but for those of the gateway',
      { environment: ['PATH=/bin', 'LANG=de', 'A=b=$c', 'EMPTY=', '__proto__=x', 'VIRTUAL_HOST=h', 'TREEHOUSE_X='] },
      { environment: JSON.parse('{"LANG":"de","A":"b=$$c","EMPTY":"","__proto__":"x"}') },
    ],
    [
      'a health check',
      { health: { test: ['CMD', 'true'], interval: 2e9, timeout: 15e8, startPeriod: 60e9, retries: 4 } },
      {
        healthcheck: { test: ['CMD', 'true'], interval: '2s', timeout: '1500ms', start_period: '60s', retries: 4 },
      },
    ],
    [
      'no health check',
      { health: { test: ['NONE'], interval: 0, timeout: 0, startPeriod: 0, retries: 0 } },
      { healthcheck: { disable: true } },
    ],
    [
      'the pace of a check that is not there',
      { health: { test: [], interval: 0, timeout: 0, startPeriod: 1, retries: 0 } },
      {},
    ],
  ])('has %s', (_what, own, expected) => {
    const found = web({}, own);
    for (const key of ['entrypoint', 'command', 'user', 'working_dir', 'labels', 'environment', 'healthcheck'])
      expect(found[key], key).toEqual(expected[key]);
  });

  it('is nothing that a Treehouse on the same engine takes for its own', () => {
    const labels = { 'treehouse.instance': 'mine', 'treehouse.preview': 'main--shop', by: 'them' };
    const own = { ...labels, 'treehouse.service': 'web', 'com.docker.compose.project': 'th-x', mine: '$' };
    expect(web({ fromImage: { ...image, labels } }, { labels: own }).labels).toEqual({
      ...{ 'treehouse.instance': '', 'treehouse.preview': '', mine: '$$' },
    });
  });

  it('is published on this machine alone, where the gateway leads to it', () => {
    expect(web({ port: 3000 }).ports).toEqual([publishedAt('PORT_WEB', 3000)]);
    const both = read(stackOf([pulled(facts({ name: 'a-b', port: 1 })), pulled(facts({ name: 'a.b', port: 2 }))]));
    expect(Object.values(both.services).map((one) => one.ports)).toEqual([
      [publishedAt('PORT_A_B', 1)],
      [publishedAt('PORT_A_B_2', 2)],
    ]);
  });

  it('waits for what it waited for, as far as that is here', () => {
    const after = [
      { service: 'db', condition: 'service_healthy' as const },
      { service: 'gone', condition: 'service_started' as const },
    ];
    const file = read(stackOf([pulled(facts({ after })), pulled(facts({ name: 'db' }))]));
    expect(file.services.web?.depends_on).toEqual({ db: { condition: 'service_healthy' } });
  });

  it('has its networks with their names there, and new volumes', () => {
    const networks = new Map([
      ['default', { internal: false }],
      ['back', { internal: true }],
    ]);
    const service = facts({
      networks: new Map([
        ['default', []],
        ['back', ['www']],
      ]),
      mounts: [
        { kind: 'volume', volume: 'data', target: '/$d', readOnly: true },
        { kind: 'tmpfs', target: '/tmp', sizeBytes: 5 },
      ],
    });
    const file = read(stackOf([pulled(service)], { networks }));
    expect(file).toMatchObject({ networks: { back: { internal: true } }, volumes: { data: {} } });
    expect(file.services.web).toMatchObject({
      networks: { default: {}, back: { aliases: ['www'] } },
      volumes: [
        { type: 'volume', source: 'data', target: '/$$d', read_only: true },
        { type: 'tmpfs', target: '/tmp', tmpfs: { size: 5 } },
      ],
    });
  });
});

describe('files and secrets', () => {
  const content = '#!/bin/sh\necho "$HOME" $X\n';
  const file = { path: 'conf/a.sh', target: '/etc/a.sh', content, isExecutable: true };
  const secret = { name: 'db_password', target: '/run/secrets/db_password', uid: 1000, gid: 0 };

  it('are inside, or blanks with a name', () => {
    const text = composeOf(stackOf([pulled(facts(), { files: [file], secrets: [secret] })]));
    const whole = parse(text) as Read;
    expect(whole.configs).toEqual({ 'conf_a.sh': { content: content.replaceAll('$', '$$$$') } });
    expect(whole.secrets).toEqual({ db_password: { environment: 'SECRET_DB_PASSWORD' } });
    expect(whole.services.web).toMatchObject({
      configs: [{ source: 'conf_a.sh', target: '/etc/a.sh' }],
      secrets: [{ source: 'db_password', target: '/run/secrets/db_password', uid: '1000', gid: '0' }],
    });
    expect(whole.services.web?.labels).toEqual({ 'secrets.given': `\${SECRET_DB_PASSWORD:+db_password}` });
    expect(text).toContain('mode: 0555');
    expect(text).toContain('mode: 0400');
    expect(text).toContain('content: |\n');
    expect(text).toMatch(/^# .*SECRET_DB_PASSWORD/m);
  });

  it('have keys of their own', () => {
    const other = { ...file, path: 'conf_a.sh', content: 'x' };
    const twice = read(stackOf([pulled(facts(), { files: [file, other, file] })]));
    expect(Object.keys(twice.configs as object)).toEqual(['conf_a.sh', 'conf_a.sh_2']);
    const named = (name: string) => ({ ...secret, name });
    const both = read(stackOf([pulled(facts(), { secrets: [named('a-b'), named('a.b'), named('path')] })]));
    expect(both.secrets).toEqual({
      'a-b': { environment: 'SECRET_A_B' },
      'a.b': { environment: 'SECRET_A_B_2' },
      path: { environment: 'SECRET_PATH' },
    });
  });

  it('are not kept out by a read-only root, nor hidden by a tmpfs', () => {
    const mounts = [
      { kind: 'tmpfs' as const, target: '/run' },
      { kind: 'tmpfs' as const, target: '/ru' },
    ];
    const service = facts({ readOnly: true, mounts });
    expect(web({ readOnly: true, mounts }).read_only).toBe(true);
    const text = composeOf(stackOf([pulled(service, { secrets: [secret] })]));
    const found = (parse(text) as Read).services.web;
    expect([found?.read_only, found?.volumes]).toEqual([undefined, [{ type: 'tmpfs', target: '/ru' }]]);
    expect(text).toContain('# read_only is left out');
    expect(text).toContain('# The tmpfs at /run is left out');
  });

  it('that are left out are named, with what to do', () => {
    const leftOut = [
      { path: 'logo.png', target: '/site/logo.png', why: 'it is no text' },
      { path: undefined, target: '/x\u2028services: {}', why: 'it is of the host' },
    ];
    const text = composeOf(stackOf([pulled(facts(), { leftOut })]));
    expect(text).toContain('  # Not here: /site/logo.png, which is logo.png of the repository: it is no text.\n');
    expect(text).toContain('# Not here: /x?services: {}: it is of the host.');
    expect(text).toContain(`check out ${COMMIT}`);
  });
});

it('says in its head how to reach the registry', () => {
  const own = { image: { reference: '127.0.0.1:5000/a/b@sha256:1' } };
  const head = (registry: string | undefined) => composeOf(stackOf([pulled(facts(), own)], { registry }));
  expect(head('127.0.0.1:5000')).toContain('#   ssh -N -L 5000:127.0.0.1:5000 THE-HOST\n');
  expect(head('reg.example.com')).not.toContain('reg.example.com');
});

describe('what a stranger wrote', () => {
  const HOSTILE = [
    ...[
      'yes',
      'null',
      '~',
      '0o7',
      '1:30',
      '2001-01-01',
      '- a',
      'a: b',
      '# no',
      '&a',
      '*a',
      '!x',
      '%y',
      '@z',
      '`',
      "'",
      '"',
    ],
    ...[
      '',
      ' ',
      '\t',
      '\n',
      'a\n',
      '\na\n',
      ' a\nb\n',
      'a \nb\n',
      'a\n\n',
      '\ta\n',
      'a\n\tb\n',
      '---\na\n',
      'a\n...\n',
      '\r\n',
    ],
    ...[
      '\u0000',
      '\u0007',
      '\u007f',
      '\u0085',
      '\u00a0',
      '\u2028',
      '\u2029',
      '\ufeff',
      '\uffff',
      '\ud800',
      '😀',
      'é\n',
      '<<',
      '{{.}}',
    ],
  ];

  it.each(HOSTILE.map((one) => [JSON.stringify(one), one]))('is read as it was: %s', (_shown, one) => {
    const value = { services: { a: { environment: { [`k${one}`]: one, x: `a${one}b` }, list: [one] } } };
    expect(parse(yamlText(value, []))).toEqual(value);
    expect(parse(yamlText(value, []), { version: '1.1', schema: 'yaml-1.1' })).toEqual(value);
  });

  it('ends no comment', () => {
    const text = yamlText(
      { services: { a: 1 } },
      ['x\nevil: 1', 'y\u2028evil: 1', 'z\u0085evil: 1'],
      new Map([['a', ['\revil: 1']]]),
    );
    expect(text).toBe('# x?evil: 1\n# y?evil: 1\n# z?evil: 1\nservices:\n  # ?evil: 1\n  a: 1\n');
  });
});

describe('pulling', () => {
  const record = newRecord(preview, 0);
  const id = (digit: string) => `sha256:${digit.repeat(64)}`;

  /** With one image, known under `digests`, of which the registry has some. */
  async function referenceOf(reference: string, digests: readonly string[], has: readonly string[]): Promise<string> {
    const service = facts({ image: { reference, id: id('0'), digests } });
    const answer = await pulling([service], [], has);
    if (answer.kind !== 'file') throw new Error(answer.kind);
    return String((parse(answer.text) as Read).services.web?.image);
  }

  function pulling(services: readonly RunningService[], wanted: readonly string[], has: readonly string[] = []) {
    const network = { id: 'n', name: 'n', build: BUILD, commit: COMMIT, key: 'default', role: 'app' as const };
    const container = {
      ...{ id: 'c', name: 'c', service: 'web', role: 'app' as const, build: BUILD, commit: COMMIT, config: '' },
      ...{
        running: true,
        restarting: false,
        exitCode: 0,
        health: 'none' as const,
        restarts: 0,
        image: 'x',
        imageId: 'x',
      },
      ...{ networks: new Map([['n', '']]), after: [], exposed: { host: 'h', port: 1 } },
    };
    const containers = services.length === 0 ? [] : [container];
    return pull(
      {
        engine: {
          observe: async () => ({ preview: preview.id, containers, networks: [network], volumes: [], images: [] }),
        },
        gateway: { routesOf: async () => [] },
        look: async () => ({ services, networks: new Map([['default', { internal: false }]]) }),
        registry: {
          address: 'reg:5000',
          digest: async (path, digest) => (has.includes(`${path}@${digest}`) ? digest : undefined),
        },
        builds: '/nonexistent',
      },
      record,
      wanted,
    );
  }

  it('takes the digest that a registry has, or says that none has', async () => {
    const [one, two] = [id('1'), id('2')];
    expect(await referenceOf('reg:5000/a/web:t', [`reg:5000/a/web@${one}`], [`a/web@${one}`])).toBe(
      `reg:5000/a/web@${one}`,
    );
    expect(await referenceOf('reg:5000/a/web:t', [`reg:5000/a/web@${one}`], [])).toBe(id('0'));
    const several = [`reg:5000/b/web@${one}`, `reg:5000/a/web@${one}`, `reg:5000/a/web@${two}`];
    expect(await referenceOf('reg:5000/a/web:t', several, [`b/web@${one}`, `a/web@${two}`])).toBe(
      `reg:5000/a/web@${two}`,
    );
    expect(await referenceOf('postgres:16', [`postgres@${one}`], [])).toBe(`postgres@${one}`);
    expect(await referenceOf('postgres:16', [], [])).toBe(id('0'));
  });

  it('takes only what is wanted, and what that needs', async () => {
    const needs = (service: string) => [{ service, condition: 'service_started' as const }];
    const all = [
      facts({ name: 'a', after: needs('b') }),
      facts({ name: 'b', after: needs('c') }),
      facts({ name: 'c' }),
      facts({ name: 'd' }),
    ];
    const services = async (...wanted: string[]) => {
      const answer = await pulling(all, wanted);
      return answer.kind === 'file' ? Object.keys((parse(answer.text) as Read).services) : answer;
    };
    expect(await services('a')).toEqual(['a', 'b', 'c']);
    expect(await services('d', 'c')).toEqual(['c', 'd']);
    expect(await services()).toEqual(['a', 'b', 'c', 'd']);
    expect(await services('e')).toEqual({ kind: 'no-service', name: 'e', known: ['a', 'b', 'c', 'd'] });
  });

  it('says where nothing runs', async () => {
    expect(await pulling([], [])).toEqual({ kind: 'nothing-runs' });
  });

  it('leaves the host out', async () => {
    const mounts = [
      { kind: 'bind' as const, source: '/etc/passwd', target: '/p' },
      { kind: 'bind' as const, source: `/nonexistent/main--shop/${BUILD}/../other/key`, target: '/k' },
      { kind: 'bind' as const, source: '/dev/shm/treehouse-0/i/main--shop/b/web/pw~0~0', target: '/run/secrets/pw' },
    ];
    const answer = await pulling([facts({ mounts })], []);
    const text = answer.kind === 'file' ? answer.text : '';
    expect(filled((parse(text) as Read).services.web)).toMatchObject({ secrets: [{ source: 'pw' }] });
    expect(text).toContain('# Not here: /p: it is of the host.');
    expect(text).toContain('# Not here: /k: it is of the host.');
    expect(text).not.toMatch(/passwd|treehouse-0|nonexistent/);
  });
});
