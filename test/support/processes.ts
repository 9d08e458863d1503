/** An installation of several processes on this host, from dist: real Redis, registry, nginx and engine, each its own process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore, type RedisStore } from '../../src/adapters/redis-store.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { startRegistry } from '../../src/embedded/registry.ts';
import { queueKeys } from '../../src/queue/names.ts';
import { type RedisConnections, redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from './log.ts';
import { startRedis } from './redis.ts';
import { SECRET } from './signed.ts';
import { type Answer, freePorts, until, visit } from './treehouse.ts';

export interface Running {
  readonly pid: number;
  /** What it logged so far. */
  readonly lines: readonly string[];
  /** Gone at once, as by `kill -9`. */
  kill(): Promise<void>;
  /** By SIGTERM; resolves once it has ended. @returns its exit code */
  end(): Promise<number | null>;
}

export interface Installation {
  readonly home: string;
  readonly domain: string;
  readonly gatewayPort: number;
  /** Of the receiver and the API. */
  readonly url: string;
  readonly token: string;
  readonly store: RedisStore;
  readonly registry: string;
  /** Every event so far. */
  readonly events: readonly BuildEvent[];
  /** Resolves once it runs; a first gateway, once a worker told it who may see what. */
  start(kind: 'serve' | 'worker' | 'gateway' | 'walls', env?: Readonly<Record<string, string>>): Promise<Running>;
  visit(label: string, where?: string): Promise<Answer>;
  /** Process ids of those that work on the preview. */
  workersAt(id: PreviewId): Promise<readonly number[]>;
  /** By `kill -9`, for good. */
  killRedis(): Promise<void>;
  /** Ends all that was started. */
  stop(): Promise<void>;
}

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const TOKEN = 'token-of-the-installation';

export async function startInstallation(
  repositories: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-install-'));
  const redis = await startRedis();
  const registry = await startRegistry({ home, searchPath: process.env.PATH ?? '' });
  const { log } = keptLog();
  const connections: RedisConnections = redisConnections(redis.url, log);
  const asking = connections.quick();
  const store = openStore({ redis: connections, clock: { now: () => Date.now() }, log });
  const [port, gatewayPort] = await freePorts(2);
  const domain = 'preview.localhost';
  const events: BuildEvent[] = [];
  const over = new AbortController();
  const following = (async () => {
    for await (const { event } of store.follow({ signal: over.signal })) events.push(event);
  })().catch(() => undefined);
  const common = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    TREEHOUSE_HOME: home,
    TREEHOUSE_DOMAIN: domain,
    TREEHOUSE_GATEWAY_PORT: String(gatewayPort),
    TREEHOUSE_WEBHOOK_SECRET: SECRET,
    TREEHOUSE_ADMIN_TOKEN: TOKEN,
    TREEHOUSE_SWEEP: '3600',
    TREEHOUSE_REPOS: Object.entries(repositories)
      .map(([name, url]) => `${name}=${url}`)
      .join(','),
    REDIS_URL: redis.url,
    TREEHOUSE_REGISTRY: registry.address,
    ...env,
  };
  const children = new Set<ChildProcess>();
  const lastWill = () => {
    for (const one of children) one.kill('SIGKILL');
  };
  process.once('exit', lastWill);

  const start: Installation['start'] = async (kind, more = {}) => {
    const [own] = kind === 'serve' ? [port] : await freePorts(1);
    const lines: string[] = [];
    const child = spawn(process.execPath, [CLI, kind], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: home,
      env: { ...common, TREEHOUSE_PORT: String(own), ...more },
    });
    children.add(child);
    const exited = once(child, 'exit').then(() => children.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => void lines.push(...text.split('\n').filter(Boolean)));
    }
    await until(`${kind} runs`, async () => {
      if (child.exitCode !== null) throw new Error(`${kind} ended: ${lines.join('\n')}`);
      return lines.some((one) => one.includes('"msg":"it runs"'));
    });
    const gone = async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await exited;
      return child.exitCode;
    };
    return { pid: child.pid ?? 0, lines, kill: async () => void (await gone('SIGKILL')), end: () => gone('SIGTERM') };
  };

  return {
    ...{ home, domain, gatewayPort: gatewayPort ?? 0, store, events, token: TOKEN, registry: registry.address, start },
    url: `http://127.0.0.1:${port}`,
    visit: (label, where = '/') => visit(gatewayPort ?? 0, { path: where, headers: { host: `${label}.${domain}` } }),
    async workersAt(id) {
      const said = await asking.hget(queueKeys('treehouse').holders, id);
      return said === null ? [] : [Number(said.split('/')[1])];
    },
    killRedis: () => redis.kill(),
    async stop() {
      over.abort();
      await following;
      // The gateway last: whoever ends its work tells it.
      await Promise.all(
        [...children].map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return;
          const exited = once(child, 'exit');
          child.kill('SIGTERM');
          await exited;
        }),
      );
      process.off('exit', lastWill);
      asking.disconnect();
      await store.close();
      await registry.stop();
      await redis.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
