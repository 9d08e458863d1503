/** The configuration: `treehouse.yml` and the environment, read once, checked as a whole, frozen. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { nanosecondsOf } from './domain/duration.ts';
import type { BuildLimits } from './domain/isolation.ts';
import { repositoryName, repositorySlug } from './domain/names.ts';
import type { Repository } from './domain/ports.ts';
import { messageOf, TreehouseError } from './errors.ts';
import { policyFields, policyRules, refinePolicy, size } from './policy/settings.ts';
import type { ConfiguredVault } from './secrets/vault.ts';
import { imageRulesSchema, scanSchema } from './supply/settings.ts';

/** Milliseconds; undefined where it is off. */
const time = z
  .string()
  .refine(
    (text) => text === 'off' || (nanosecondsOf(text) ?? 0) >= 1e9,
    'it is a time of at least a second, such as 30m, or off',
  )
  .transform((text) => (text === 'off' ? undefined : (nanosecondsOf(text) ?? 0) / 1e6));

const port = z.coerce.number().int().min(1).max(65535);

/** A name with nothing behind it is a repository too. */
const repositorySchema = z.preprocess(
  (value) => value ?? {},
  z
    .strictObject({
      url: z.string().min(1).optional(),
      branches: z.array(z.string().min(1).max(255)).min(1).default(['*']),
      images: imageRulesSchema.optional(),
      scan: scanSchema.optional(),
      previews: z.strictObject({ idle: time.optional() }).default({}),
      ...policyFields,
    })
    .superRefine(refinePolicy)
    .transform(({ policy, capabilities, limits, ...rest }) => ({
      ...rest,
      policy: policyRules({ policy, capabilities, limits }),
    })),
);
type Listed = Pick<Repository, 'branches' | 'images' | 'scan' | 'policy'> & {
  readonly url?: string | undefined;
  readonly previews?: { readonly idle?: number | undefined };
};
const NO_REPOSITORY: Listed = { branches: ['*'] };

/** Processes of all build steps together: many a compiler's, and fewer than a host has. */
const BUILD_PIDS = 4096;

const domainPattern = /^(?=.{1,180}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const fileSchema = z.strictObject({
  home: z.string().min(1).default('.treehouse'),
  host: z.string().min(1).default('127.0.0.1'),
  port: port.default(4000),
  gatewayHost: z.string().min(1).default('127.0.0.1'),
  gatewayPort: port.default(8080),
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
  /** Of all build steps together. */
  buildMemory: size.default(Math.floor(totalmem() / 2)),
  buildCpus: z.coerce.number().min(0.1).max(1024).default(availableParallelism()),
  idle: time.optional(),
  /** Of one commit on disk. */
  checkoutSize: size.default(2 * 2 ** 30),
  /** Seconds between two looks at everything: every branch of every repository, and all that Treehouse made. */
  sweep: z.coerce.number().int().min(1).max(86_400).default(60),
  sweepGrace: z.coerce.number().int().min(1).max(86_400).default(120),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  repositories: z.record(z.string(), repositorySchema).default({}),
  firewall: z.enum(['auto', 'on', 'off']).default('auto'),
  egress: z.enum(['internet', 'all', 'none']).default('internet'),
  vaultAddr: z.url({ protocol: /^https?$/, error: 'it is https://host:port' }).optional(),
  redisUrl: z
    .string()
    .regex(/^rediss?:\/\/|^unix:/, 'it is redis://host:port')
    .optional(),
  registry: z.string().min(1).optional(),
  dockerHost: z
    .string()
    .regex(/^(?:unix:\/\/\/|(?:tcp|http):\/\/[^/]+)/, 'it is unix:///path or tcp://host:port')
    .optional(),
});

/** Environment variable → key of the file; `secret` ones have no key there. */
const VARIABLES: Readonly<Record<string, keyof z.infer<typeof fileSchema>>> = {
  TREEHOUSE_HOME: 'home',
  TREEHOUSE_HOST: 'host',
  TREEHOUSE_PORT: 'port',
  TREEHOUSE_GATEWAY_HOST: 'gatewayHost',
  TREEHOUSE_GATEWAY_PORT: 'gatewayPort',
  TREEHOUSE_DOMAIN: 'domain',
  TREEHOUSE_HOSTNAME: 'hostname',
  TREEHOUSE_CONCURRENCY: 'concurrency',
  TREEHOUSE_START_LIMIT: 'startLimit',
  TREEHOUSE_STOP_LIMIT: 'stopLimit',
  TREEHOUSE_BUILD_MEMORY: 'buildMemory',
  TREEHOUSE_BUILD_CPUS: 'buildCpus',
  TREEHOUSE_IDLE: 'idle',
  TREEHOUSE_CHECKOUT_SIZE: 'checkoutSize',
  TREEHOUSE_SWEEP: 'sweep',
  TREEHOUSE_SWEEP_GRACE: 'sweepGrace',
  TREEHOUSE_LOG_LEVEL: 'logLevel',
  TREEHOUSE_REGISTRY: 'registry',
  TREEHOUSE_FIREWALL: 'firewall',
  TREEHOUSE_EGRESS: 'egress',
  TREEHOUSE_VAULT_ADDR: 'vaultAddr',
  REDIS_URL: 'redisUrl',
  DOCKER_HOST: 'dockerHost',
};

export interface Config {
  /** Absolute. */
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly gatewayHost: string;
  readonly gatewayPort: number;
  readonly domain: string;
  /** Whether ids are the branch alone, which takes a single repository. */
  readonly shortNames: boolean;
  readonly concurrency: number;
  /** Seconds that a service may take to become healthy. */
  readonly startLimit: number;
  /** Seconds that builds are given to end after SIGTERM. */
  readonly stopLimit: number;
  /** Seconds between two sweeps. */
  readonly sweep: number;
  /** Seconds for which a thing must be seen to belong to nothing before it is removed. */
  readonly sweepGrace: number;
  readonly buildLimits: BuildLimits;
  /** Bytes that a checkout may take on disk. */
  readonly checkoutSize: number;
  readonly logLevel: string;
  readonly repositories: readonly Repository[];
  /** `auto`: where the host lets us; `on`: or Treehouse does not start. */
  readonly firewall: 'auto' | 'on' | 'off';
  /** What previews reach of the world: all but private addresses, those too, or nothing. */
  readonly egress: 'internet' | 'all' | 'none';
  /** Undefined: embedded. */
  readonly redisUrl: string | undefined;
  /** Undefined: embedded; `none`: nothing is pushed. */
  readonly registry: string | undefined;
  readonly dockerHost: string | undefined;
  readonly webhookSecret: string | undefined;
  readonly adminToken: string | undefined;
  /** Where secrets of the form `vault:path#key` are. */
  readonly vault: ConfiguredVault | undefined;
  /** PATH for the programs that Treehouse runs. */
  readonly path: string;
  /** The user's home, where the docker CLI keeps plugins. */
  readonly userHome: string;
}

export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** `--config`, before `TREEHOUSE_CONFIG` and `treehouse.yml`. */
  readonly file?: string | undefined;
  /** Repositories of the command line; they add to the configured ones. */
  readonly repositories?: readonly { readonly name: string; readonly url: string }[];
}

/** @throws {TreehouseError} `bad-config` whose message lists every fault with its key. */
export function readConfig(input: ConfigInput): Config {
  const { env } = input;
  const faults: string[] = [];
  const file = readFile(input, faults);
  for (const [variable, key] of Object.entries(VARIABLES)) {
    const value = env[variable];
    if (value !== undefined && value !== '') file[key] = value;
  }
  const parsed = fileSchema.safeParse(file);
  for (const issue of parsed.error?.issues ?? []) faults.push(...faultTexts(issue));
  const listed = new Map<string, Listed>();
  // Each is read apart, so that a fault elsewhere does not hide one of its name.
  const section = file.repositories;
  for (const [name, value] of Object.entries(
    typeof section === 'object' && !Array.isArray(section) ? (section ?? {}) : {},
  )) {
    listed.set(name, repositorySchema.safeParse(value).data ?? NO_REPOSITORY);
  }
  for (const [name, url] of pairs(env.TREEHOUSE_REPOS, faults)) {
    listed.set(name, { ...(listed.get(name) ?? NO_REPOSITORY), url });
  }
  for (const one of input.repositories ?? []) {
    listed.set(one.name, { ...listed.get(one.name), url: one.url, branches: ['*'] });
  }
  const shortNames = file.hostname === '{branch}';
  const repositories = resolveRepositories(listed, { cwd: input.cwd, shortNames, idle: parsed.data?.idle }, faults);
  if (shortNames && repositories.length > 1) {
    faults.push(`hostname (TREEHOUSE_HOSTNAME): '{branch}' is for one repository; there are ${repositories.length}`);
  }
  const webhookSecret = secret(env, 'TREEHOUSE_WEBHOOK_SECRET', faults);
  const adminToken = secret(env, 'TREEHOUSE_ADMIN_TOKEN', faults);
  const vault = vaultSettings(env, file.vaultAddr, faults);
  if (!parsed.success || faults.length > 0) throw faulty(faults);
  const settings = parsed.data;
  return Object.freeze({
    home: path.resolve(input.cwd, settings.home),
    host: settings.host,
    port: settings.port,
    gatewayHost: settings.gatewayHost,
    gatewayPort: settings.gatewayPort,
    domain: settings.domain,
    shortNames,
    concurrency: settings.concurrency,
    startLimit: settings.startLimit,
    stopLimit: settings.stopLimit,
    buildLimits: { memory: settings.buildMemory, cpus: settings.buildCpus, pids: BUILD_PIDS },
    checkoutSize: settings.checkoutSize,
    sweep: settings.sweep,
    sweepGrace: settings.sweepGrace,
    logLevel: settings.logLevel,
    repositories,
    firewall: settings.firewall,
    egress: settings.egress,
    redisUrl: settings.redisUrl,
    registry: settings.registry,
    dockerHost: settings.dockerHost,
    webhookSecret,
    adminToken,
    vault,
    path: env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    userHome: env.HOME ?? '/nonexistent',
  });
}

function readFile(input: ConfigInput, faults: string[]): Record<string, unknown> {
  const named = input.file ?? (input.env.TREEHOUSE_CONFIG || undefined);
  const file = path.resolve(input.cwd, named ?? 'treehouse.yml');
  if (named === undefined && !existsSync(file)) return {};
  try {
    const content: unknown = parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 }) ?? {};
    if (typeof content === 'object' && !Array.isArray(content)) return { ...content };
    faults.push(`${file}: it holds no keys`);
  } catch (error) {
    faults.push(`${file}: ${messageOf(error).split('\n')[0]}`);
  }
  return {};
}

/** A secret, from the variable or from the file that `…_FILE` names. */
function secret(env: ConfigInput['env'], name: string, faults: string[]): string | undefined {
  const file = env[`${name}_FILE`];
  if (file === undefined) return env[name] || undefined;
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    faults.push(`${name}_FILE: ${messageOf(error)}`);
    return undefined;
  }
}

/** The address and one way to log in. */
function vaultSettings(env: ConfigInput['env'], address: unknown, faults: string[]): ConfiguredVault | undefined {
  const token = secret(env, 'TREEHOUSE_VAULT_TOKEN', faults);
  const roleId = env.TREEHOUSE_VAULT_ROLE_ID || undefined;
  const secretId = secret(env, 'TREEHOUSE_VAULT_SECRET_ID', faults);
  const fault = (text: string): undefined => void faults.push(`vaultAddr (TREEHOUSE_VAULT_ADDR): ${text}`);
  if (address === undefined) {
    return token || roleId || secretId ? fault('a login for Vault is given, and not where it is') : undefined;
  }
  if (token !== undefined && (roleId ?? secretId) !== undefined) return fault('a token and an AppRole are given');
  if ((roleId === undefined) !== (secretId === undefined)) return fault('half of an AppRole is given');
  const asRole = roleId !== undefined && secretId !== undefined ? Object.freeze({ roleId, secretId }) : undefined;
  // Without a login only who asks Vault cannot go on: a command line needs none.
  return Object.freeze({ address: String(address), login: token === undefined ? asRole : Object.freeze({ token }) });
}

function pairs(text: string | undefined, faults: string[]): [string, string][] {
  const found: [string, string][] = [];
  for (const part of (text ?? '').split(',').map((one) => one.trim())) {
    if (part === '') continue;
    const at = part.indexOf('=');
    if (at < 1) faults.push(`TREEHOUSE_REPOS: '${part}' has not the form owner/name=URL`);
    else found.push([part.slice(0, at), part.slice(at + 1)]);
  }
  return found;
}

function resolveRepositories(
  listed: ReadonlyMap<string, Listed>,
  {
    cwd,
    shortNames,
    idle: usualIdle,
  }: { readonly cwd: string; readonly shortNames: boolean; readonly idle: number | undefined },
  faults: string[],
): readonly Repository[] {
  const repositories: Repository[] = [];
  const slugs = new Map<string, string>();
  for (const [text, one] of listed) {
    try {
      const name = repositoryName(text);
      const idle = one.previews && 'idle' in one.previews ? one.previews.idle : usualIdle;
      const slug = repositorySlug(name);
      const other = slugs.get(slug);
      if (other !== undefined) {
        faults.push(
          `repositories.${name}: its previews would have the names of ${other}'s ('${slug}'); rename one in the configuration`,
        );
      }
      slugs.set(slug, name);
      repositories.push(
        Object.freeze({
          name,
          slug: shortNames ? '' : slug,
          url: absolute(one.url ?? `https://github.com/${name}.git`, cwd),
          branches: Object.freeze([...one.branches]),
          ...(one.images ? { images: Object.freeze(one.images) } : {}),
          ...(one.scan ? { scan: Object.freeze(one.scan) } : {}),
          ...(idle === undefined ? {} : { idle }),
          ...(one.policy ? { policy: Object.freeze(one.policy) } : {}),
        }),
      );
    } catch (error) {
      faults.push(`repositories.${text}: ${messageOf(error)}`);
    }
  }
  return Object.freeze(repositories);
}

/** A path becomes absolute; anything with a scheme, or `user@host:path`, stays. */
function absolute(url: string, cwd: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/|^[^/]+@[^/]+:|^-/i.test(url) ? url : path.resolve(cwd, url);
}

function faultTexts(issue: z.core.$ZodIssue): string[] {
  const key = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((one) => `${[...issue.path, one].join('.')}: there is no such setting`);
  }
  const variable = Object.entries(VARIABLES).find(([, name]) => name === key)?.[0];
  return [`${key}${variable === undefined ? '' : ` (${variable})`}: ${issue.message}`];
}

function faulty(faults: readonly string[]): TreehouseError {
  return new TreehouseError(
    'bad-config',
    `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n  ${faults.join('\n  ')}`,
  );
}
