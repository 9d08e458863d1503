/** A whole Treehouse for a journey: real Redis, registry, nginx, engine and git, in a home of its own. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { get as httpGet, type IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import push from '@octokit/webhooks-examples/api.github.com/index.json' with { type: 'json' };
import { readConfig } from '../../src/config.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import { type PreviewId, previewBranch, previewId, repositoryName, repositorySlug } from '../../src/domain/names.ts';
import type { PreviewRecord } from '../../src/domain/preview.ts';
import { createLogger } from '../../src/log.ts';
import { startTreehouse, type Treehouse } from '../../src/main.ts';
import { keptLog } from './log.ts';
import { deliver, SECRET, signed } from './signed.ts';

const run = promisify(execFile);

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface World {
  readonly treehouse: Treehouse;
  readonly home: string;
  readonly url: string;
  readonly gatewayPort: number;
  readonly domain: string;
  idOf(repository: string, branch: string): PreviewId;
  /** Asks the gateway for a host label. */
  visit(label: string, path?: string, headers?: Record<string, string>): Promise<Answer>;
  /** A signed push, as GitHub sends it after `git push`. */
  pushed(repository: string, branch: string, options?: { deleted?: boolean; after?: string }): Promise<number>;
  pullRequest(repository: string, branch: string, options: PullRequestOptions): Promise<number>;
  /** A signed delivery of a comment that is `comment` on the forge. */
  commented(repository: string, pull: number, comment: number, by: string, body: string): Promise<number>;
  record(id: PreviewId): Promise<PreviewRecord | undefined>;
  /** Waits until the newest build of the preview has ended, and says how. */
  ended(id: PreviewId, commit: string): Promise<PreviewRecord>;
  /** Whatever the engine, the registry and the disk still hold of the preview. */
  leftovers(id: PreviewId): Promise<string[]>;
  /** Every event so far. */
  readonly events: readonly BuildEvent[];
  /** What was logged so far. */
  readonly logged: readonly unknown[];
  stop(): Promise<void>;
}

export interface PullRequestOptions {
  readonly action:
    | 'opened'
    | 'closed'
    | 'reopened'
    | 'synchronize'
    | 'edited'
    | 'labeled'
    | 'unlabeled'
    | 'converted_to_draft'
    | 'ready_for_review';
  readonly number: number;
  readonly head: string;
  readonly merged?: boolean;
  /** Seconds since the epoch. */
  readonly at?: number;
  readonly draft?: boolean;
  readonly labels?: readonly string[];
  /** That is set or taken off, and by whom. */
  readonly label?: string;
  readonly by?: string;
  readonly base?: string;
  /** Of a fork, its name. */
  readonly from?: string;
}

export interface WorldOptions {
  /** `owner/name` → path or URL. */
  readonly repositories: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Kept by the caller, to start another Treehouse in it. */
  readonly home?: string;
}

/** Bounds every wait of a journey; generous, since the machine is shared. */
const PATIENCE = 120_000;

export async function startWorld(options: WorldOptions): Promise<World> {
  const home = options.home ?? (await mkdtemp(path.join(tmpdir(), 'treehouse-test-')));
  const [port, gatewayPort] = await freePorts(2);
  const config = readConfig({
    cwd: home,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TREEHOUSE_HOME: home,
      TREEHOUSE_PORT: String(port),
      TREEHOUSE_GATEWAY_PORT: String(gatewayPort),
      TREEHOUSE_WEBHOOK_SECRET: SECRET,
      // The timer is for what webhooks miss: journeys that test webhooks do without it.
      TREEHOUSE_SWEEP: '3600',
      ...options.env,
    },
    repositories: Object.entries(options.repositories).map(([name, url]) => ({ name, url })),
  });
  const kept = keptLog();
  const log = process.env.TEST_LOG === undefined ? kept.log : createLogger({ level: process.env.TEST_LOG });
  const treehouse = await startTreehouse(config, log, new AbortController().signal, { localPollMs: 3_600_000 });
  const url = treehouse.url.replace(/\/$/, '');
  const events: BuildEvent[] = [];
  const over = new AbortController();
  const following = (async () => {
    for await (const { event } of treehouse.store.follow({ signal: over.signal })) events.push(event);
  })().catch(() => undefined);

  const world: World = {
    treehouse,
    home,
    url,
    gatewayPort: config.gatewayPort,
    domain: config.domain,
    events,
    logged: kept.logged,
    idOf: (repository, branch) => previewId(repositorySlug(repositoryName(repository)), previewBranch(branch)),
    visit: (label, where = '/', headers = {}) =>
      visit(config.gatewayPort, { path: where, headers: { host: `${label}.${config.domain}`, ...headers } }),
    async pushed(repository, branch, what) {
      return (await deliver(url, signed('push', pushPayload(repository, branch, what)))).status;
    },
    async pullRequest(
      repository,
      branch,
      { action, number, head, merged = false, at = Math.floor(Date.now() / 1000), ...more },
    ) {
      const payload = {
        action,
        number,
        pull_request: {
          number,
          state: action === 'closed' ? 'closed' : 'open',
          merged,
          draft: more.draft ?? false,
          labels: (more.labels ?? []).map((name) => ({ name })),
          user: { login: 'ada', type: 'User' },
          updated_at: new Date(at * 1000).toISOString(),
          head: { ref: branch, sha: head, repo: repositoryOf(more.from ?? repository) },
          base: { ref: more.base ?? 'main', sha: 'e'.repeat(40), repo: repositoryOf(repository) },
        },
        repository: repositoryOf(repository),
        ...(more.label === undefined ? {} : { label: { name: more.label } }),
        sender: { login: more.by ?? 'ada', type: 'User' },
      };
      return (await deliver(url, signed('pull_request', payload))).status;
    },
    async commented(repository, pull, comment, by, body) {
      const payload = {
        action: 'created',
        issue: { number: pull, pull_request: {} },
        comment: { id: comment, body, created_at: new Date().toISOString(), user: { login: by, type: 'User' } },
        repository: repositoryOf(repository),
        sender: { login: by },
      };
      return (await deliver(url, signed('issue_comment', payload))).status;
    },
    record: (id) => treehouse.store.record(id),
    async ended(id, commit) {
      return until(`the build of ${commit.slice(0, 12)} at ${id} ends`, async () => {
        const record = await treehouse.store.record(id);
        return record?.attempt?.commit === commit && record.attempt.outcome !== undefined ? record : undefined;
      });
    },
    leftovers: (id) => leftovers(id, home, treehouse.registry),
    async stop() {
      await treehouse.removePreviews();
      over.abort();
      await following;
      await treehouse.stop();
      if (options.home === undefined) await rm(home, { recursive: true, force: true });
    },
  };
  return world;
}

/** Asks again and again until there is an answer. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const began = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() - began > PATIENCE) throw new Error(`gave up waiting until ${what}`);
    await delay(50);
  }
}

/** Waits until the preview answers 200 with `text` in its body. */
export async function serves(world: World, label: string, text: string, where = '/'): Promise<Answer> {
  let last: Answer | undefined;
  try {
    return await until(`${label} serves ${JSON.stringify(text)}`, async () => {
      last = await world.visit(label, where);
      if (last.status === 200 && last.body.includes(text)) return last;
      // A build that failed for good will not serve, however long one waits.
      const record = await world.record(label as PreviewId);
      const red =
        record?.state === 'failed' && record.attempt?.kind === 'terminal' && Date.now() - record.changedAt > 5_000;
      if (red) throw new Error(`the build of ${label} failed`);
      return undefined;
    });
  } catch (error) {
    const record = await world.record(label as PreviewId);
    throw new Error(
      `${String(error)}; last answer ${last?.status}: ${last?.body.slice(0, 200)}; ${JSON.stringify(record)}`,
    );
  }
}

export function visit(port: number, options: { path: string; headers: Record<string, string> }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ host: '127.0.0.1', port, agent: false, ...options }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
      answer.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** `docker` by argv, for looking at the world from outside. */
export async function docker(...args: readonly string[]): Promise<string[]> {
  const { stdout } = await run('docker', [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').filter((line) => line !== '');
}

async function leftovers(id: PreviewId, home: string, registry: string | undefined): Promise<string[]> {
  const label = `label=treehouse.preview=${id}`;
  const lists = await Promise.all([
    docker('ps', '-a', '--filter', label, '--format', 'container {{.Names}}'),
    docker('network', 'ls', '--filter', label, '--format', 'network {{.Name}}'),
    docker('volume', 'ls', '--filter', label, '--format', 'volume {{.Name}}'),
    docker('images', '-a', '--filter', label, '--format', 'image {{.Repository}}:{{.Tag}}'),
    docker('ps', '-a', '--format', 'container {{.Names}}'),
    docker('network', 'ls', '--format', 'network {{.Name}}'),
    docker('volume', 'ls', '--format', 'volume {{.Name}}'),
    docker('images', '-a', '--format', 'image {{.Repository}}:{{.Tag}}'),
    registry === undefined ? [] : registryTags(registry),
    run('find', [path.join(home, 'builds'), '-mindepth', '1', '-maxdepth', '1']).then(
      ({ stdout }) => stdout.split('\n'),
      () => [],
    ),
  ]);
  // By label all is meant for it; by name only what holds its whole id.
  const named = new RegExp(`(?<![a-z0-9-])(?:th-)?${id}(?![a-z0-9])`);
  return [
    ...new Set([
      ...lists.slice(0, 4).flat(),
      ...lists
        .slice(4)
        .flat()
        .filter((one) => named.test(one)),
    ]),
  ];
}

async function registryTags(registry: string): Promise<string[]> {
  const ask = async <T>(where: string): Promise<T | undefined> => {
    // It is away for a moment whenever it collects its garbage.
    const answer = await until('the registry answers', () =>
      fetch(`http://${registry}/v2/${where}`).catch(() => undefined),
    );
    return answer.ok ? ((await answer.json()) as T) : undefined;
  };
  const paths = (await ask<{ repositories: string[] }>('_catalog'))?.repositories ?? [];
  const found = await Promise.all(
    paths.map(async (one) => {
      const tags = (await ask<{ tags: string[] | null }>(`${one}/tags/list`))?.tags ?? [];
      return tags.map((tag) => `tag ${one}:${tag}`);
    }),
  );
  return found.flat();
}

/** A push to a branch that is new, or its deletion. */
export function pushPayload(
  repository: string,
  branch: string,
  { deleted = false, after = 'f'.repeat(40) }: { readonly deleted?: boolean; readonly after?: string } = {},
): Record<string, unknown> {
  const zero = '0'.repeat(40);
  return {
    ...examplePush(),
    ref: `refs/heads/${branch}`,
    before: deleted ? after : zero,
    after: deleted ? zero : after,
    deleted,
    created: !deleted,
    repository: repositoryOf(repository),
  };
}

function examplePush(): Record<string, unknown> {
  const all = push as unknown as readonly {
    readonly name: string;
    readonly examples: readonly Record<string, unknown>[];
  }[];
  return all.find((one) => one.name === 'push')?.examples[0] ?? {};
}

function repositoryOf(fullName: string): Record<string, unknown> {
  const [login, name] = fullName.split('/');
  return {
    id: 1,
    name,
    full_name: fullName,
    private: false,
    owner: { login },
    // Never used: the configured one is.
    clone_url: 'https://example.invalid/wrong.git',
    default_branch: 'main',
  };
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
