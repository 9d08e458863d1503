/** The configuration: `treehouse.yml` and the environment, read once, checked as a whole, frozen. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import type { z } from 'zod';
import { adminLabel, doorFaults } from './config/door.ts';
import { type GatewaySettings, gatewayFaults, gatewaySettings } from './config/gateway.ts';
import { githubSettings } from './config/github.ts';
import { type GatewayKind, houseFaults } from './config/nginx-proxy.ts';
import { registryLogin } from './config/registry-login.ts';
import { pairs, type RepositoryDefaults, resolveRepositories } from './config/repositories.ts';
import {
  fileSchema,
  type Listed,
  NO_REPOSITORY,
  type PreviewSettings,
  repositorySchema,
  VARIABLES,
} from './config/schema.ts';
import type { Patience } from './converge/patience.ts';
import type { HouseLimits } from './domain/admission.ts';
import type { DiskSettings } from './domain/disk.ts';
import type { BuildLimits } from './domain/isolation.ts';
import type { RegistryLogin, Repository } from './domain/ports.ts';
import type { ShipTo } from './domain/shipping.ts';
import { messageOf, TreehouseError } from './errors.ts';
import type { GitHubSettings } from './github/settings.ts';
import type { ConfiguredVault } from './secrets/vault.ts';

/** Processes of all build steps together: many a compiler's, and fewer than a host has. */
const BUILD_PIDS = 4096;

export interface Config extends GatewaySettings {
  /** Absolute. */
  readonly home: string;
  /** Whom `walls` gives it to; undefined: nobody, and makes nothing in it. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly host: string;
  readonly port: number;
  /** The host name by which admins reach the dashboard; undefined: only by an address, or a name that is no preview's. */
  readonly adminHost: string | undefined;
  readonly gatewayHost: string;
  readonly gatewayPort: number;
  readonly gateway: GatewayKind;
  /** The name of the gateway's container; undefined: it is none. */
  readonly gatewayContainer: string | undefined;
  /** What nginx-proxy is told of each preview beside its host; `{host}` stands for that. */
  readonly gatewayVariables: Readonly<Record<string, string>>;
  /** Of previews' URLs, where it is said. */
  readonly publicScheme: 'http' | 'https' | undefined;
  readonly domain: string;
  /** Whether ids are the branch alone, which takes a single repository. */
  readonly shortNames: boolean;
  /** Builds side by side. */
  readonly concurrency: number;
  /** The most that there may be of all previews. */
  readonly most: HouseLimits;
  /** Seconds that a service may take to become healthy. */
  readonly startLimit: number;
  /** Seconds that builds are given to end after SIGTERM. */
  readonly stopLimit: number;
  readonly patience: Patience;
  /** Seconds for which what is open to a replaced container may go on. */
  readonly drain: number;
  /** Seconds between two sweeps. */
  readonly sweep: number;
  /** Seconds for which a thing must be seen to belong to nothing before it is removed. */
  readonly sweepGrace: number;
  readonly buildLimits: BuildLimits;
  /** Bytes that a checkout may take on disk. */
  readonly checkoutSize: number;
  readonly disk: DiskSettings;
  /** Requests of one token to the API in a minute. */
  readonly apiRate: number;
  readonly logLevel: string;
  /** Of file, environment and command line; the API may add others. */
  readonly repositories: readonly Repository[];
  /** Where what containers print is shipped; undefined: nowhere. */
  readonly shipLogs: ShipTo | undefined;
  /** For repositories that are added later. */
  readonly defaults: RepositoryDefaults;
  /** `auto`: where the host lets us; `on`: or Treehouse does not start. */
  readonly firewall: 'auto' | 'on' | 'off';
  /** What previews reach of the world: all but private addresses, those too, or nothing. */
  readonly egress: 'internet' | 'all' | 'none';
  /** Undefined: embedded. */
  readonly redisUrl: string | undefined;
  /** Undefined: embedded; `none`: nothing is pushed. */
  readonly registry: string | undefined;
  /** Where Treehouse itself reaches the registry, if not by the address in images' names: `host:port` or a URL. */
  readonly registryApi: string | undefined;
  readonly registryLogin: RegistryLogin | undefined;
  readonly dockerHost: string | undefined;
  /** Whether the engine sees this host's files though it is reached by TCP. */
  readonly engineHere: boolean;
  readonly webhookSecret: string | undefined;
  readonly adminToken: string | undefined;
  /** Where secrets of the form `vault:path#key` are. */
  readonly vault: ConfiguredVault | undefined;
  /** Where GitHub is and who Treehouse is there; undefined: nobody, and nothing is said or asked there. */
  readonly github: GitHubSettings | undefined;
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
  // Its password is one.
  if (env.REDIS_URL_FILE !== undefined) file.redisUrl = secret(env, 'REDIS_URL', faults);
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
  const defaults = Object.freeze({
    ...{ cwd: input.cwd, shortNames, usual: usualOf(parsed.data) },
    reserved: parsed.data && adminLabel(parsed.data),
    gateway: parsed.data?.gateway,
  });
  const repositories = resolveRepositories(listed, defaults, faults);
  if (shortNames && repositories.length > 1) {
    faults.push(`hostname (TREEHOUSE_HOSTNAME): '{branch}' is for one repository; there are ${repositories.length}`);
  }
  const webhookSecret = secret(env, 'TREEHOUSE_WEBHOOK_SECRET', faults);
  const adminToken = secret(env, 'TREEHOUSE_ADMIN_TOKEN', faults);
  const pusher = registryLogin(
    env.TREEHOUSE_REGISTRY_USER || undefined,
    secret(env, 'TREEHOUSE_REGISTRY_PASSWORD', faults),
    faults,
  );
  const vault = vaultSettings(env, file.vaultAddr, faults);
  const github = githubSettings(
    {
      apiUrl: env.GITHUB_API_URL || undefined,
      token: secret(env, 'GITHUB_TOKEN', faults),
      appId: env.GITHUB_APP_ID || undefined,
      privateKey: secret(env, 'GITHUB_PRIVATE_KEY', faults),
    },
    faults,
  );
  if (parsed.data) {
    faults.push(
      ...doorFaults({ ...parsed.data, adminToken }),
      ...gatewayFaults(parsed.data),
      ...houseFaults(parsed.data),
    );
  }
  if (!parsed.success || faults.length > 0) throw faulty(faults);
  const settings = parsed.data;
  return Object.freeze({
    home: path.resolve(input.cwd, settings.home),
    owner: settings.owner,
    host: settings.host,
    port: settings.port,
    adminHost: settings.adminHost,
    gatewayHost: settings.gatewayHost,
    gatewayPort: settings.gatewayPort,
    ...gatewaySettings(settings, input.cwd),
    ...gatewayOf(settings),
    domain: settings.domain,
    shortNames,
    concurrency: settings.concurrency,
    most: Object.freeze({
      previews: settings.maxPreviews,
      running: settings.maxRunning,
      memory: settings.maxMemory,
    }),
    startLimit: settings.startLimit,
    stopLimit: settings.stopLimit,
    patience: Object.freeze({
      silence: settings.buildSilence,
      build: settings.buildLimit,
      test: settings.testLimit,
      pull: settings.pullLimit,
    }),
    drain: settings.drain,
    buildLimits: { memory: settings.buildMemory, cpus: settings.buildCpus, pids: BUILD_PIDS },
    checkoutSize: settings.checkoutSize,
    disk: Object.freeze({
      budgets: Object.freeze({
        images: settings.diskImages,
        cache: settings.diskCache,
        registry: settings.diskRegistry,
        mirrors: settings.diskMirrors,
        checkouts: settings.diskCheckouts,
      }),
      mark: Object.freeze({ full: settings.diskFull / 100, free: settings.diskFree }),
      every: settings.diskEvery,
      grace: settings.diskGrace,
    }),
    sweep: settings.sweep,
    sweepGrace: settings.sweepGrace,
    apiRate: settings.apiRate,
    logLevel: settings.logLevel,
    repositories,
    defaults,
    firewall: settings.firewall,
    egress: settings.egress,
    shipLogs: settings.shipLogs,
    redisUrl: settings.redisUrl,
    registry: settings.registry,
    registryApi: settings.registryApi,
    registryLogin: pusher,
    dockerHost: settings.dockerHost,
    engineHere: settings.engineHere,
    webhookSecret,
    adminToken,
    vault,
    github,
    path: env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    userHome: env.HOME ?? '/nonexistent',
  });
}

function gatewayOf(
  settings: z.output<typeof fileSchema>,
): Pick<Config, 'gateway' | 'gatewayContainer' | 'gatewayVariables' | 'publicScheme'> {
  const { gateway, gatewayContainer, gatewayVariables, publicScheme } = settings;
  return {
    ...{ gateway, publicScheme, gatewayVariables: Object.freeze(gatewayVariables) },
    gatewayContainer: gatewayContainer ?? (gateway === 'own' ? undefined : 'nginx-proxy'),
  };
}

/** What holds of a repository that says nothing of it. */
function usualOf(settings: PreviewSettings | undefined): PreviewSettings {
  return { idle: settings?.idle, ttl: settings?.ttl, atLimit: settings?.atLimit, sleepMode: settings?.sleepMode };
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
