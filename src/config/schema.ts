/** What `treehouse.yml` may say, key by key, and the variable that says the same. */
import { availableParallelism, totalmem } from 'node:os';
import { z } from 'zod';
import type { RepositoryLimits } from '../domain/admission.ts';
import { millisecondsOf } from '../domain/duration.ts';
import type { Repository } from '../domain/ports.ts';
import type { SleepMode } from '../domain/rest.ts';
import type { ShipTo } from '../domain/shipping.ts';
import { policyFields, policyRules, refinePolicy, size } from '../policy/settings.ts';
import { imageRulesSchema, scanSchema } from '../supply/settings.ts';
import { accessSchema } from './access.ts';
import { gatewayFields, port } from './gateway.ts';
import { GATEWAYS, gatewayVariables } from './nginx-proxy.ts';
import { refineSelection, selectionFields, selectionOf } from './selection.ts';

/** Milliseconds; undefined where it is off. */
const time = z
  .string()
  .refine(
    (text) => text === 'off' || (millisecondsOf(text) ?? 0) >= 1_000,
    'it is a time of at least a second, such as 30m, or off',
  )
  .transform((text) => (text === 'off' ? undefined : millisecondsOf(text)));

/** Of what may go when it is too much; bytes. */
const budget = z.union([z.literal('off').transform(() => undefined), size]);
const GB = 2 ** 30;

/** Of previews or builds. */
const count = z.coerce.number().int().min(1).max(100_000);
const sleepMode = z.enum(['stop', 'pause'], "it is 'stop' or 'pause'");
const atLimit = z.enum(['wait', 'remove'], "it is 'wait' or 'remove'");

/** A name with nothing behind it is a repository too. */
export const repositorySchema = z.preprocess(
  (value) => value ?? {},
  z
    .strictObject({
      url: z.string().min(1).optional(),
      branches: z.array(z.string().min(1).max(255)).min(1).default(['*']),
      ...selectionFields,
      approvalLabel: z.string().min(1).max(50).optional(),
      images: imageRulesSchema.optional(),
      scan: scanSchema.optional(),
      access: accessSchema.optional(),
      previews: z
        .strictObject({
          idle: time.optional(),
          ttl: time.optional(),
          max: count.optional(),
          running: count.optional(),
          builds: count.optional(),
          memory: size.optional(),
          atLimit: atLimit.optional(),
          sleepMode: sleepMode.optional(),
        })
        .default({}),
      ...policyFields,
    })
    .superRefine(refinePolicy)
    .superRefine(refineSelection)
    .transform(({ policy, capabilities, limits, pullRequests, label, drafts, bots, base, paths, ...rest }) => ({
      ...rest,
      selection: selectionOf({ pullRequests, label, drafts, bots, base, paths }),
      policy: policyRules({ policy, capabilities, limits }),
    })),
);

export interface PreviewSettings {
  readonly idle?: number | undefined;
  readonly ttl?: number | undefined;
  readonly max?: number | undefined;
  readonly running?: number | undefined;
  readonly builds?: number | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  readonly atLimit?: RepositoryLimits['atLimit'] | undefined;
  readonly sleepMode?: SleepMode | undefined;
}

/** What the configuration says of one repository, before defaults. */
export type Listed = Pick<
  Repository,
  'branches' | 'selection' | 'approvalLabel' | 'images' | 'scan' | 'access' | 'policy'
> & {
  readonly url?: string | undefined;
  readonly previews?: PreviewSettings;
};
export const NO_REPOSITORY: Listed = { branches: ['*'] };

/** Of a text of the form that is asked for below. */
function shipTo(text: string): ShipTo {
  const [, format, transport, host = '', port] = /^(\w+)\+(\w+):\/\/(.+):(\d+)\/?$/.exec(text) ?? [];
  return {
    format: format === 'gelf' ? 'gelf' : 'syslog',
    tls: transport === 'tls',
    host: host.replaceAll(/[[\]]/g, ''),
    port: Number(port),
  };
}

const domainPattern = /^(?=.{1,180}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The whole file. */
export const fileSchema = z.strictObject({
  home: z.string().min(1).default('.treehouse'),
  host: z.string().min(1).default('127.0.0.1'),
  port: port.default(4000),
  /** Where admins reach the dashboard by name, which then no branch's preview can be. */
  adminHost: z
    .string()
    .regex(domainPattern, 'it is a host name in lower case, such as treehouse.example.com')
    .optional(),
  gatewayHost: z.string().min(1).default('127.0.0.1'),
  gatewayPort: port.default(8080),
  ...gatewayFields,
  /** Whom `walls` gives the home to: as whom the other processes run. */
  owner: z
    .string()
    .regex(/^\d{1,9}:\d{1,9}$/, 'it is UID:GID, such as 10001:10001')
    .transform((text) => {
      const [uid, gid] = text.split(':').map(Number);
      return Object.freeze({ uid: uid ?? 0, gid: gid ?? 0 });
    })
    .optional(),
  gateway: z.enum(GATEWAYS, "it is 'own' or 'nginx-proxy'").default('own'),
  /** The name of its container, where it is one. */
  gatewayContainer: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/, "it is a container's name")
    .optional(),
  /** What nginx-proxy is told of each preview beside its host. */
  gatewayVariables: gatewayVariables.default({}),
  /** What previews' URLs begin with, where the gateway's own settings do not tell. */
  publicScheme: z.enum(['http', 'https'], "it is 'http' or 'https'").optional(),
  domain: z
    .string()
    .regex(domainPattern, 'it is a host name in lower case, such as preview.example.com')
    .default('preview.localhost'),
  hostname: z
    .enum(['{branch}--{repo}', '{branch}'], "it is '{branch}--{repo}' or, for one repository, '{branch}'")
    .default('{branch}--{repo}'),
  concurrency: z.coerce.number().int().min(1).max(64).default(Math.max(2, availableParallelism())),
  startLimit: z.coerce.number().int().min(1).max(3600).default(120),
  stopLimit: z.coerce.number().int().min(0).max(3600).default(30),
  drain: z.coerce.number().int().min(0).max(3600).default(30),
  buildLimit: time.default(3_600_000),
  testLimit: time.default(1_800_000),
  pullLimit: time.default(1_800_000),
  /** Of a build or a test that prints nothing. */
  buildSilence: time.default(600_000),
  /** Of all build steps together. */
  buildMemory: size.default(Math.floor(totalmem() / 2)),
  buildCpus: z.coerce.number().min(0.1).max(1024).default(availableParallelism()),
  idle: time.optional(),
  ttl: time.optional(),
  maxPreviews: count.optional(),
  maxRunning: count.optional(),
  /** What the containers that run may use together. */
  maxMemory: size.optional(),
  atLimit: atLimit.default('wait'),
  sleepMode: sleepMode.default('stop'),
  /** Of one commit on disk. */
  checkoutSize: size.default(2 * 2 ** 30),
  /** Of what previews leave on disk, each the most that it may take before the least recently used goes. */
  diskImages: budget.default(20 * GB),
  diskCache: budget.default(10 * GB),
  diskRegistry: budget.default(10 * GB),
  diskMirrors: budget.default(5 * GB),
  diskCheckouts: budget.default(5 * GB),
  /** Per cent of a disk from which on builds wait, and what must be free of it. */
  diskFull: z.coerce.number().min(50).max(99).default(90),
  diskFree: size.default(GB / 4),
  /** Seconds between two looks at it, and seconds after its last use for which nothing goes. */
  diskEvery: z.coerce.number().int().min(1).max(86_400).default(300),
  diskGrace: z.coerce.number().int().min(1).max(86_400).default(300),
  /** Seconds between two looks at everything: every branch of every repository, and all that Treehouse made. */
  sweep: z.coerce.number().int().min(1).max(86_400).default(60),
  sweepGrace: z.coerce.number().int().min(1).max(86_400).default(120),
  /** Requests of one token to the API in a minute. */
  apiRate: z.coerce.number().int().min(1).max(1_000_000).default(1_200),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  repositories: z.record(z.string(), repositorySchema).default({}),
  firewall: z.enum(['auto', 'on', 'off']).default('auto'),
  egress: z.enum(['internet', 'all', 'none']).default('internet'),
  /** Where what containers print is shipped; syslog over TLS where it can be: a log may hold anything. */
  shipLogs: z
    .string()
    .regex(
      /^(?:syslog|gelf)\+(?:tcp|tls):\/\/(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}\/?$/,
      'it is syslog+tls://host:port, syslog+tcp://, gelf+tls:// or gelf+tcp://',
    )
    .transform(shipTo)
    .refine(({ port }) => port >= 1 && port <= 65_535, 'its port is 1 to 65535')
    .optional(),
  vaultAddr: z.url({ protocol: /^https?$/, error: 'it is https://host:port' }).optional(),
  redisUrl: z
    .string()
    .regex(/^rediss?:\/\/|^unix:/, 'it is redis://host:port')
    .optional(),
  registry: z.string().min(1).optional(),
  registryApi: z
    .string()
    .regex(/^(?:https?:\/\/)?[^/\s@]+$/, 'it is host:port, or http://host:port within a network of its own')
    .optional(),
  dockerHost: z
    .string()
    .regex(/^(?:unix:\/\/\/|(?:tcp|http):\/\/[^/]+)/, 'it is unix:///path or tcp://host:port')
    .optional(),
  engineHere: z.union([z.boolean(), z.stringbool()], 'it is true or false').default(false),
});

/** Environment variable → key of the file; `secret` ones have no key there. */
export const VARIABLES: Readonly<Record<string, keyof z.infer<typeof fileSchema>>> = {
  TREEHOUSE_HOME: 'home',
  TREEHOUSE_OWNER: 'owner',
  TREEHOUSE_HOST: 'host',
  TREEHOUSE_PORT: 'port',
  TREEHOUSE_ADMIN_HOST: 'adminHost',
  TREEHOUSE_GATEWAY_HOST: 'gatewayHost',
  TREEHOUSE_GATEWAY_PORT: 'gatewayPort',
  TREEHOUSE_TLS_CERT: 'tlsCert',
  TREEHOUSE_TLS_KEY: 'tlsKey',
  TREEHOUSE_TLS_PORT: 'tlsPort',
  TREEHOUSE_HSTS: 'hsts',
  TREEHOUSE_PUBLIC_PORT: 'publicPort',
  TREEHOUSE_TRUSTED_PROXIES: 'trustedProxies',
  TREEHOUSE_ENTRANCE: 'entrance',
  TREEHOUSE_GATEWAY: 'gateway',
  TREEHOUSE_GATEWAY_CONTAINER: 'gatewayContainer',
  TREEHOUSE_GATEWAY_VARIABLES: 'gatewayVariables',
  TREEHOUSE_PUBLIC_SCHEME: 'publicScheme',
  TREEHOUSE_DOMAIN: 'domain',
  TREEHOUSE_HOSTNAME: 'hostname',
  TREEHOUSE_CONCURRENCY: 'concurrency',
  TREEHOUSE_START_LIMIT: 'startLimit',
  TREEHOUSE_STOP_LIMIT: 'stopLimit',
  TREEHOUSE_DRAIN: 'drain',
  TREEHOUSE_BUILD_LIMIT: 'buildLimit',
  TREEHOUSE_TEST_LIMIT: 'testLimit',
  TREEHOUSE_PULL_LIMIT: 'pullLimit',
  TREEHOUSE_BUILD_SILENCE: 'buildSilence',
  TREEHOUSE_BUILD_MEMORY: 'buildMemory',
  TREEHOUSE_BUILD_CPUS: 'buildCpus',
  TREEHOUSE_IDLE: 'idle',
  TREEHOUSE_TTL: 'ttl',
  TREEHOUSE_MAX_PREVIEWS: 'maxPreviews',
  TREEHOUSE_MAX_RUNNING: 'maxRunning',
  TREEHOUSE_MAX_MEMORY: 'maxMemory',
  TREEHOUSE_AT_LIMIT: 'atLimit',
  TREEHOUSE_SLEEP_MODE: 'sleepMode',
  TREEHOUSE_CHECKOUT_SIZE: 'checkoutSize',
  TREEHOUSE_DISK_IMAGES: 'diskImages',
  TREEHOUSE_DISK_CACHE: 'diskCache',
  TREEHOUSE_DISK_REGISTRY: 'diskRegistry',
  TREEHOUSE_DISK_MIRRORS: 'diskMirrors',
  TREEHOUSE_DISK_CHECKOUTS: 'diskCheckouts',
  TREEHOUSE_DISK_FULL: 'diskFull',
  TREEHOUSE_DISK_FREE: 'diskFree',
  TREEHOUSE_DISK_EVERY: 'diskEvery',
  TREEHOUSE_DISK_GRACE: 'diskGrace',
  TREEHOUSE_SWEEP: 'sweep',
  TREEHOUSE_SWEEP_GRACE: 'sweepGrace',
  TREEHOUSE_API_RATE: 'apiRate',
  TREEHOUSE_LOG_LEVEL: 'logLevel',
  TREEHOUSE_REGISTRY: 'registry',
  TREEHOUSE_REGISTRY_API: 'registryApi',
  TREEHOUSE_FIREWALL: 'firewall',
  TREEHOUSE_EGRESS: 'egress',
  TREEHOUSE_SHIP_LOGS: 'shipLogs',
  TREEHOUSE_VAULT_ADDR: 'vaultAddr',
  REDIS_URL: 'redisUrl',
  DOCKER_HOST: 'dockerHost',
  TREEHOUSE_ENGINE_HERE: 'engineHere',
};
