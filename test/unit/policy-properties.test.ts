/** Whatever compose model policy accepts, the containers that are made of it have nothing that no preview may have. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type ComposeFileInput,
  composeFile,
  plannedFacts,
  type ServiceInstance,
} from '../../src/domain/compose-file.ts';
import { DEFAULT_LIMITS } from '../../src/domain/isolation.ts';
import { type BuildId, branchName, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { everyService, type Stack } from '../../src/domain/stack.ts';
import { harden } from '../../src/policy/harden.ts';
import { RESERVED_LABELS, RESERVED_VARIABLES, SERVICE_KEYS } from '../../src/policy/table.ts';

/** A checkout beside a secret, with links out of it. */
const folder = mkdtempSync(path.join(tmpdir(), 'treehouse-properties-'));
const root = path.join(folder, 'checkout');
mkdirSync(path.join(root, 'site/deep'), { recursive: true });
for (const name of ['Dockerfile', 'site/Dockerfile', 'site/page', 'key', '../secret'])
  writeFileSync(path.join(root, name), 'x');
symlinkSync('/etc', path.join(root, 'out'));
symlinkSync('../secret', path.join(root, 'leak'));
symlinkSync('site', path.join(root, 'inner'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As Compose prints paths, and as nobody should. */
const PATHS = [
  '',
  'site',
  'site/deep',
  'site/page',
  'key',
  'inner',
  'out',
  'leak',
  'out/ssl',
  '..',
  '../secret',
  'none',
];
const anyPath = fc.oneof(
  fc.constantFrom(...PATHS.map((one) => path.join(root, one))),
  fc.constantFrom(
    '/',
    '/etc',
    '/var/run/docker.sock',
    'site',
    '.',
    '$$HOME',
    `${root}/site/../../secret`,
    `${root}-else`,
  ),
);
const insidePath = fc.constantFrom(root, path.join(root, 'site'), path.join(root, 'inner'));
const mostlyFile = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(path.join(root, 'key'), path.join(root, 'inner/page')) },
  { weight: 1, arbitrary: anyPath },
);
const NAMES = ['web', 'db', 'test', 'a.b', 'x'];
const BAD_NAMES = ['__proto__', 'constructor', '..', '-x', 'A B', '', 'x/y', 'host', `${'n'.repeat(70)}`];

const weird = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, 1, -1, 0.5, 1e-12, 1e12, Number.NaN, '', 'host', 'true', '*', [], {}),
  fc.string({ maxLength: 8 }),
  fc.array(fc.constantFrom('ALL', 'SYS_ADMIN', '/:/host', 'host-gateway'), { maxLength: 2 }),
  fc.constantFrom<unknown>({ privileged: true }, { type: 'bind', source: '/', target: '/h' }, [[['x']]], [null]),
);
/** Mostly what Compose prints there, now and then anything. */
const mostly = <T>(likely: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 30, arbitrary: likely }, { weight: 1, arbitrary: weird });

/** An object of these entries in any order, `__proto__` a key like any other. */
function record(values: Readonly<Record<string, fc.Arbitrary<unknown>>>, atLeast: readonly string[] = []) {
  const keys = Object.keys(values);
  return fc
    .tuple(
      fc.shuffledSubarray(keys, { maxLength: Math.min(keys.length, 9) }),
      fc.record(Object.fromEntries(keys.map((key) => [key, fc.option(values[key] ?? weird, { freq: 40 })]))),
    )
    .map(([chosen, all]) =>
      entries([...new Set([...chosen, ...atLeast])].map((key) => [key, (all as Record<string, unknown>)[key]])),
    );
}
const entries = (all: readonly (readonly [string, unknown])[]): Record<string, unknown> => Object.fromEntries(all);
const table = (keys: fc.Arbitrary<string>, values: fc.Arbitrary<unknown>, maxLength = 3) =>
  fc.array(fc.tuple(keys, values), { maxLength }).map(entries);
const name = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...BAD_NAMES) },
);
const word = fc.oneof(fc.constantFrom('a', 'PATH', '$$x', 'true'), fc.string({ maxLength: 6 }));
const number = fc.oneof(fc.integer({ min: -2, max: 2e12 }), fc.constantFrom(0, 0.5, 1e-10, 1e-30, 64, 1e300, Infinity));
const asText = fc.oneof(number, number.map(String));
const duration = fc.constantFrom('1ms', '0s', '1ns', '500ms', '2s', '1m30s', '0.5s', '30');

const variables = table(
  fc.oneof(
    word,
    fc.constantFrom(
      'VIRTUAL_HOST',
      'virtual_port',
      'TREEHOUSE_X',
      'CERT_NAME',
      'CERT_NAME=x',
      'VIRTUAL_HOST=x',
      '__proto__',
    ),
  ),
  fc.oneof(word, fc.constant(null), fc.integer()),
);
const labels = table(
  fc.oneof(
    word,
    fc.constantFrom(
      'treehouse.preview',
      'Treehouse.host',
      'com.docker.compose.project',
      'com.github.nginx-proxy.x',
      'ok',
    ),
  ),
  word,
);
const mount = record(
  {
    type: fc.constantFrom('bind', 'volume', 'tmpfs', 'npipe'),
    source: fc.oneof(anyPath, name, fc.constantFrom('../x', '__proto__')),
    target: fc.constantFrom('/data', '/x/../../y', 'code', '/run/secrets/x', '/proc', 'C:\\x', '/data:rw'),
    read_only: fc.boolean(),
    bind: fc.constantFrom({ create_host_path: true }, { propagation: 'shared' }),
    volume: fc.constantFrom({ nocopy: true }, { subpath: '../..' }),
    tmpfs: fc.record({ size: asText }),
  },
  ['type', 'target'],
);
const use = fc.oneof(
  fc.constantFrom('one', 'two'),
  fc.record({
    source: fc.constantFrom('one', 'two'),
    target: fc.constantFrom('/etc/x', '../../x', '/run/secrets/../x', 'y', '/run/secrets/z'),
  }),
);
const build = record(
  {
    context: fc.oneof({ weight: 9, arbitrary: insidePath }, { weight: 1, arbitrary: anyPath }),
    dockerfile: fc.constantFrom(...Array<string>(12).fill('Dockerfile'), '../secret', 'leak', '/etc/passwd', 'page'),
    dockerfile_inline: fc.constant('FROM busybox'),
    args: variables,
    target: word,
    network: fc.constantFrom('default', 'none', ''),
    additional_contexts: table(
      name,
      fc.oneof({ weight: 9, arbitrary: insidePath }, { weight: 1, arbitrary: anyPath }),
      2,
    ),
    labels,
  },
  ['context'],
);

const service = record(
  {
    image: fc.constantFrom('busybox', 'redis:7'),
    build,
    command: fc.oneof(fc.constant(null), fc.array(word, { maxLength: 2 })),
    entrypoint: fc.constantFrom([], ['sh']),
    environment: variables,
    labels,
    user: fc.constantFrom('0', '1000:1000'),
    working_dir: fc.constant('/'),
    hostname: word,
    init: fc.boolean(),
    tty: fc.boolean(),
    privileged: fc.constantFrom(false, null),
    pid: fc.constantFrom('', null),
    devices: fc.constantFrom([], null),
    cap_add: fc.array(fc.constantFrom('CHOWN', 'cap_kill', 'NET_BIND_SERVICE', 'FSETID', 'SYS_ADMIN'), {
      maxLength: 2,
    }),
    cap_drop: fc.array(fc.constantFrom('ALL', 'CHOWN', 'x'), { maxLength: 2 }),
    cpus: asText,
    mem_limit: asText,
    memswap_limit: asText,
    pids_limit: asText,
    shm_size: asText,
    cpu_quota: number,
    ulimits: table(
      fc.constantFrom('nofile', 'core', 'memlock', 'fsize', 'rtprio', '__proto__'),
      fc.oneof(number, fc.record({ soft: number, hard: number })),
    ),
    deploy: record({
      replicas: number,
      resources: fc.record({ limits: record({ cpus: asText, memory: asText, pids: asText }) }),
    }),
    extra_hosts: fc.array(fc.constantFrom('db=10.0.0.1', 'x:203.0.113.1'), { maxLength: 2 }),
    healthcheck: record({
      test: fc.constant(['CMD', 'true']),
      interval: duration,
      start_interval: duration,
      timeout: duration,
      retries: number,
      disable: fc.boolean(),
    }),
    restart: fc.constantFrom('no', 'always', 'unless-stopped', 'on-failure', 'on-failure:99', 'on-failure:0'),
    logging: fc.constant({ driver: 'syslog' }),
    container_name: word,
    networks: table(
      fc.constantFrom('default', 'back'),
      fc.oneof(fc.constant(null), record({ aliases: fc.array(word), ipv4_address: word, mac_address: word })),
    ),
    links: fc.constantFrom(['db:alias'], ['web']),
    depends_on: table(name, record({ condition: fc.constantFrom('service_started', 'service_healthy', 'gone') })),
    ports: fc.array(
      record({ target: fc.integer({ min: 0, max: 70_000 }), published: word, protocol: fc.constantFrom('tcp', 'udp') }),
      { maxLength: 3 },
    ),
    expose: fc.array(fc.constantFrom('80', '8000-8010', 'x'), { maxLength: 2 }),
    volumes: fc.array(mount, { maxLength: 3 }),
    tmpfs: fc.array(fc.constantFrom('/t', '/t:size=10g', '/u:size=1k,exec', 'relative'), { maxLength: 2 }),
    configs: fc.array(use, { minLength: 1, maxLength: 2 }),
    secrets: fc.array(use, { minLength: 1, maxLength: 2 }),
    read_only: fc.boolean(),
    profiles: fc.constantFrom([], ['test'], ['dev']),
    'x-anything': weird,
    annotations: labels,
  },
  ['image'],
).chain((one) =>
  // Now and then a key of the other kind, or a wrong value for one of these.
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(one) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(...SERVICE_KEYS.keys(), ...BAD_NAMES, 'unheard_of'), weird)
        .map((extra) => entries([...Object.entries(one), extra])),
    },
  ),
);

const model: fc.Arbitrary<Record<string, unknown>> = record(
  {
    name: word,
    services: table(name, service, 4),
    networks: table(
      fc.constantFrom('default', 'back'),
      mostly(record({ name: word, internal: fc.boolean(), ipam: weird, driver: fc.constantFrom('bridge', '') })),
    ),
    volumes: table(name, mostly(record({ name: word, driver: fc.constantFrom('local', '') }))),
    configs: table(
      fc.constantFrom('one', 'two'),
      mostly(fc.oneof(record({ file: mostlyFile }, ['file']), record({ content: word }))),
    ),
    secrets: table(
      fc.constantFrom('one', 'two'),
      mostly(fc.oneof(record({ file: mostlyFile }, ['file']), record({ external: fc.constant(true), name: word }))),
    ),
    'x-treehouse': mostly(
      record({
        expose: fc.oneof(name, fc.array(name, { maxLength: 2 })),
        test: name,
        tests: fc.constantFrom('gate', 'report'),
      }),
    ),
    'x-else': weird,
  },
  ['services', 'networks', 'volumes', 'configs', 'secrets'],
);

const PREFIX = 'th-main--shop';
const CHECKOUT = '/srv/builds/b1/checkout';
const SECRETS = '/dev/shm/treehouse/secrets';
const branch = branchName('main');
const preview = { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch };

/** What becomes of an accepted stack, the first service reached from outside. */
function planned(stack: Stack): { readonly input: ComposeFileInput; readonly made: Made } {
  const services = everyService(stack).map(
    (one, index): ServiceInstance => ({
      service: one,
      image: 'registry/image:1',
      config: 'c0ffee',
      reserved: ['VIRTUAL_PATH'],
      ...(index === 0 ? { virtual: { label: preview.id, host: `${preview.id}.localhost`, port: 80 } } : {}),
    }),
  );
  const input: ComposeFileInput = {
    instance: 'th-1',
    preview,
    build: 'b1' as BuildId,
    commit: commitId('1'.repeat(40)),
    role: 'app',
    services,
    checkout: CHECKOUT,
    networks: new Map(Object.keys(stack.networks).map((key) => [key, `${PREFIX}-b1-${key}`])),
    volumeName: (key) => `${PREFIX}_${key}`,
    seccomp: '/srv/seccomp.json',
    secrets: SECRETS,
  };
  return { input, made: JSON.parse(JSON.stringify(composeFile(input))) as Made };
}

interface Made {
  readonly services: Readonly<Record<string, Record<string, unknown>>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, { readonly name: string }>>;
}

/** Everything that a container of ours is said to be; nothing else, whatever the tables say. */
const SAID = new Set(
  (
    'image pull_policy command entrypoint environment labels user working_dir hostname domainname tty stdin_open stop_signal ' +
    'stop_grace_period init restart healthcheck networks volumes dns dns_opt dns_search extra_hosts group_add security_opt ' +
    'cap_add cap_drop read_only mem_limit memswap_limit cpus pids_limit shm_size ulimits logging'
  ).split(' '),
);
const CAPABILITIES = new Set([
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
]);

/** What is wrong with a container that would be made; empty where nothing is. */
function faults(one: Record<string, unknown>, all: Made): string[] {
  const found: string[] = [];
  const must = (right: boolean, what: string): void => {
    if (!right) found.push(what);
  };
  const within = (key: string, least: number, most: number): void => {
    const value = Number(one[key]);
    must(value >= least && value <= most, `${key} is ${String(one[key])}`);
  };
  const record = (key: string) => (one[key] ?? {}) as Record<string, unknown>;
  for (const key of Object.keys(one)) must(SAID.has(key), `it says ${key}`);
  must(one.pull_policy === 'never', 'it pulls');
  must(
    String(one.security_opt) === 'no-new-privileges:true,seccomp:/srv/seccomp.json',
    `security_opt ${String(one.security_opt)}`,
  );
  must(String(one.cap_drop) === 'ALL', 'it keeps capabilities');
  for (const cap of one.cap_add as string[]) must(CAPABILITIES.has(cap), `it has ${cap}`);
  within('mem_limit', 1, DEFAULT_LIMITS.memory.most);
  must(one.memswap_limit === one.mem_limit, 'it swaps');
  // The engine counts in billionths, cut off; nought is without a limit.
  must(
    Math.trunc(Number(one.cpus) * 1e9) > 0 && Number(one.cpus) <= DEFAULT_LIMITS.cpus.most,
    `cpus is ${String(one.cpus)}`,
  );
  within('pids_limit', 1, DEFAULT_LIMITS.pids.most);
  within('shm_size', 1, DEFAULT_LIMITS.shm);
  for (const [limit, value] of Object.entries(record('ulimits'))) {
    const hard = Number(typeof value === 'object' && value !== null ? (value as { hard: unknown }).hard : value);
    must(hard >= 0 && Number.isFinite(hard), `ulimit ${limit} is ${hard}`);
  }
  must(JSON.stringify(one.logging).includes('max-size'), 'its log has no end');
  must(
    /^(?:undefined|unless-stopped|on-failure:(?:10|\d))$/.test(String(one.restart)),
    `restart ${String(one.restart)}`,
  );
  must(!JSON.stringify(one.extra_hosts ?? []).includes('gateway'), 'it knows the host');
  for (const [key, value] of Object.entries(record('healthcheck'))) {
    must(
      ['disable', 'interval', 'retries', 'start_interval', 'start_period', 'test', 'timeout'].includes(key),
      `it checks ${key}`,
    );
    if (key === 'interval')
      must(['1000ms', '2s', '1m30s', '1s'].includes(String(value)), `it checks each ${String(value)}`);
    if (key === 'start_interval')
      must(!['1ms', '1ns', '0s'].includes(String(value)), `it checks each ${String(value)}`);
  }
  for (const [network, value] of Object.entries(record('networks'))) {
    must(Object.hasOwn(all.networks, network), `it is in ${network}`);
    must(String(Object.keys(value as object)) === 'aliases', `it asks ${network} for more`);
  }
  must(Object.keys(record('networks')).length > 0, 'it is in the default network');
  for (const mount of one.volumes as Record<string, unknown>[]) {
    const { type, source, target } = mount as { type: string; source: string; target: string };
    must(target.startsWith('/'), `${target} is no place`);
    if (type === 'bind') {
      const inside = path.relative(source.startsWith(SECRETS) ? path.dirname(SECRETS) : CHECKOUT, source);
      must(
        source === CHECKOUT ||
          (/^(?:site|key|\.treehouse-|secrets\/|Dockerfile)/.test(inside) && !inside.split('/').includes('..')),
        `it has ${source}`,
      );
      must(mount.read_only === true, `it writes to ${source}`);
      must(JSON.stringify(mount.bind) === '{"create_host_path":false}', 'it makes folders of the host');
    } else if (type === 'volume') {
      must(/^[\w.-]+$/.test(all.volumes[source]?.name.slice(PREFIX.length) ?? '/'), `its volume is ${source}`);
      must(all.volumes[source]?.name.startsWith(`${PREFIX}_`) === true, `its volume is ${source}`);
    } else {
      must(type === 'tmpfs', `a mount of type ${type}`);
      must(
        Number((mount.tmpfs as { size?: unknown } | undefined)?.size) <= DEFAULT_LIMITS.tmpfs,
        `${target} has no end`,
      );
    }
  }
  for (const [label, value] of Object.entries(record('labels'))) {
    const own = label === 'treehouse.preview' ? value === preview.id : label.startsWith('treehouse.');
    must(own || !RESERVED_LABELS.test(label), `it is labelled ${label}`);
  }
  for (const [variable, value] of Object.entries(record('environment'))) {
    const key = variable.split('=')[0] ?? '';
    const own = { VIRTUAL_HOST: `${preview.id}.localhost`, VIRTUAL_PORT: '80', VIRTUAL_PATH: '/' }[variable];
    const isEmptied = value === '' && variable === 'VIRTUAL_PATH';
    must(value === own || isEmptied || !RESERVED_VARIABLES.test(key), `its ${variable} is ${String(value)}`);
  }
  return found;
}

const runs = (count: number) => ({ numRuns: count, seed: 20_240_501 });

describe('whatever is accepted', () => {
  it('makes containers that have nothing that no preview may have', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(model, async (one) => {
        const result = await harden(root, one);
        if (result.kind === 'refused') return;
        accepted += 1;
        const { input, made } = planned(result.stack);
        expect(Object.keys(made).sort()).toEqual(['networks', 'services', 'volumes']);
        for (const [key, network] of Object.entries(made.networks))
          expect(network).toEqual({ name: `${PREFIX}-b1-${key}`, external: true });
        for (const container of Object.values(made.services)) expect(faults(container, made)).toEqual([]);
        for (const instance of input.services) {
          const { files, secrets = [] } = instance.service;
          for (const file of [...files, ...secrets]) {
            expect(file.target.split('/')).not.toContain('..');
            if (!('kind' in file) || file.kind === 'secret') expect(file.target).toMatch(/^\/run\/secrets\//);
          }
          const facts = plannedFacts(instance, input);
          expect(facts.virtualHost).toBe(instance.virtual?.host);
          expect(facts.capAdd.every((cap) => CAPABILITIES.has(cap))).toBe(true);
          expect(facts.networks.every((network) => network.startsWith(`${PREFIX}-b1-`))).toBe(true);
          expect(facts.mounts.every((mount) => mount.type !== 'bind' || !mount.writable)).toBe(true);
        }
      }),
      runs(250),
    );
    // A test that only sees refusals shows nothing.
    expect(accepted).toBeGreaterThan(60);
  });
});

/** Refused wherever it stands, whatever the tables say. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  '': 'include services_of_others',
  services:
    'blkio_config cgroup cgroup_parent cpu_rt_period cpu_rt_runtime credential_spec device_cgroup_rules devices external_links ' +
    'gpus ipc isolation network_mode oom_kill_disable oom_score_adj pid post_start pre_stop privileged provider runtime ' +
    'security_opt storage_opt sysctls use_api_socket userns_mode uts volume_driver volumes_from',
  build: 'entitlements extra_hosts isolation privileged secrets ssh',
  healthcheck: 'shell',
  networks: 'driver_opts',
  volumes: 'driver_opts',
  configs: 'environment template_driver',
  secrets: 'environment template_driver',
};
/** Values that say something. */
const said = fc.constantFrom<unknown>(true, 'host', 1, ['x'], { a: 1 });

describe('refusing', () => {
  it('stays, whatever forbidden key is added to what is accepted', async () => {
    const tried = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(model, said, async (one, value) => {
        if ((await harden(root, one)).kind === 'refused') return;
        for (const [section, text] of Object.entries(FORBIDDEN)) {
          const keys = [...text.split(' '), 'unheard_of', '__proto__'];
          const spoiled = spoil(one, section, keys, value);
          if (!spoiled) continue;
          tried.set(section, (tried.get(section) ?? 0) + 1);
          const result = await harden(root, spoiled.model);
          const at = result.kind === 'refused' ? result.refusals.map((other) => other.path) : [];
          expect(at).toEqual(expect.arrayContaining(keys.map((key) => `${spoiled.path}${key}`)));
        }
      }),
      runs(200),
    );
    // Each of them was there to be spoiled.
    for (const section of Object.keys(FORBIDDEN)) expect(tried.get(section) ?? 0, section).toBeGreaterThan(0);
  });

  it('does not hang on the order of keys', async () => {
    await fc.assert(
      fc.asyncProperty(model, async (one) => {
        const [there, back] = [await harden(root, one), await harden(root, reversed(one))];
        expect(wallsOf(back)).toEqual(wallsOf(there));
      }),
      runs(80),
    );
  });
});

/** The model with these keys added to a section of it that is read; undefined where there is none. */
function spoil(one: Record<string, unknown>, section: string, keys: readonly string[], value: unknown) {
  const copy = structuredClone(one);
  const put = (into: unknown, path: string) => {
    if (typeof into !== 'object' || into === null || Array.isArray(into)) return undefined;
    // As JSON.parse does: `__proto__` is a key like any other.
    for (const key of keys) Object.defineProperty(into, key, { value, enumerable: true, configurable: true });
    return { model: copy, path };
  };
  if (section === '') return put(copy, '');
  const isInService = ['services', 'build', 'healthcheck'].includes(section);
  const all = (copy[isInService ? 'services' : section] ?? {}) as Record<string, Record<string, unknown>>;
  for (const [name, inside] of Object.entries(all)) {
    // What belongs to a profile is left out, whatever it says.
    const { profiles } = inside ?? {};
    if (isInService && Array.isArray(profiles) && profiles.length > 0) continue;
    const found =
      section === 'build' || section === 'healthcheck'
        ? put(inside?.[section], `services.${name}.${section}.`)
        : put(inside, `${section}.${name}.`);
    if (found) return found;
  }
  return undefined;
}

/** structuredClone keeps the order; this turns it round at every level, lists aside. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return entries(
    Object.entries(value)
      .reverse()
      .map(([key, inside]) => [key, reversed(inside)]),
  );
}

/** All but what the order of services decides: who is exposed, which of two is the test, whose network is the first. */
function wallsOf(result: Awaited<ReturnType<typeof harden>>): unknown {
  if (result.kind === 'refused') return new Set(result.refusals.map((one) => `${one.path} ${one.rule}`));
  return new Map(
    everyService(result.stack).map((one) => [
      one.name,
      [one.definition, one.environment, one.mounts, one.files, one.secrets, one.build],
    ]),
  );
}
