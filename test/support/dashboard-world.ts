/** A dashboard over HTTP on whatever store it is given, with tokens of every role; the engine and git are made up. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { issueToken, tokenKnower } from '../../src/access/issue.ts';
import { signIns } from '../../src/access/sessions.ts';
import { type ApiDeps, apiRoutes } from '../../src/api/api.ts';
import { apiRouter, bearer } from '../../src/api/router.ts';
import { dashboardRouter } from '../../src/dashboard/dashboard.ts';
import { openDigests } from '../../src/dashboard/digests.ts';
import { openFacts } from '../../src/dashboard/facts.ts';
import { createHub, type Hub } from '../../src/dashboard/hub.ts';
import { EVERY_MS, type Sample } from '../../src/dashboard/samples.ts';
import { ROLES, type Role } from '../../src/domain/access.ts';
import type { StoredEvent } from '../../src/domain/events.ts';
import { type BuildId, type PreviewId, repositoryName } from '../../src/domain/names.ts';
import type { ObservedContainer } from '../../src/domain/observed.ts';
import type { Repository } from '../../src/domain/ports.ts';
import type { Sessions } from '../../src/domain/sessions.ts';
import { close, createApp, listen } from '../../src/web/server.ts';
import {
  memoryBook,
  memoryExec,
  memoryReplays,
  memorySessions,
  memorySharing,
  memoryTokens,
  memoryTrail,
} from './api-memory.ts';
import { keptLog } from './log.ts';

export const ADMIN_TOKEN = 'the admin token of this test';
export const ASSETS = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../templates/dashboard');

export type WorldStore = ApiDeps['store'] & {
  uses(): Promise<ReadonlyMap<PreviewId, number>>;
  last(preview: PreviewId, build: BuildId, count: number): Promise<readonly StoredEvent[]>;
};

export interface DashboardWorld {
  readonly url: string;
  readonly hub: Hub;
  readonly trail: ReturnType<typeof memoryTrail>;
  readonly tokens: ReturnType<typeof memoryTokens>;
  readonly logged: readonly { readonly msg?: unknown }[];
  /** Of a role that reaches everything, or one repository. */
  token(role: Role, repository?: string): string;
  /** Signs in as a browser does; the value of its Cookie header. */
  signIn(token: string): Promise<string>;
  /** What forms of that session carry. */
  form(cookie: string): Promise<string>;
  close(): Promise<void>;
}

export interface DashboardOptions {
  readonly store: WorldStore;
  readonly repositories: readonly Repository[];
  readonly containers?: readonly ObservedContainer[];
  readonly sessions?: Sessions;
  readonly author?: string;
  readonly subject?: string;
  readonly guesses?: number;
  readonly adminHost?: string;
  readonly adminToken?: string;
  readonly now?: () => number;
}

/** Of an hour that was busy. */
function samplesUntil(now: number): readonly Sample[] {
  return Array.from({ length: 360 }, (_, index) => ({
    at: now - (359 - index) * EVERY_MS,
    cpu: 0.4 + 0.35 * Math.sin(index / 23) * Math.cos(index / 7),
    memory: 0.5 + 0.2 * Math.sin(index / 90),
    building: Math.max(0, Math.round(2 + 2 * Math.sin(index / 30))),
    waiting: Math.max(0, Math.round(3 * Math.sin(index / 41))),
    disks: [{ name: 'Treehouse’s home', used: 0.4 + index / 1_500 }],
  }));
}

export async function startDashboard(options: DashboardOptions): Promise<DashboardWorld> {
  const { store, now = Date.now } = options;
  const clock = { now };
  const tokens = memoryTokens();
  const trail = memoryTrail();
  const pinned = new Set<PreviewId>();
  const repositories = () => options.repositories;
  const hub = createHub(20);
  const pins = {
    all: async () => pinned,
    pin: async (id: PreviewId) => void pinned.add(id),
    unpin: async (id: PreviewId) => void pinned.delete(id),
  };
  const records = () => store.records();
  const api: ApiDeps = {
    ...{ store, pins, tokens, trail, clock, repositories, version: '1.2.3', limits: { builds: 2, previews: 500 } },
    hints: { hint: async () => undefined },
    wake: async () => undefined,
    engine: {
      observe: async (preview) => ({
        ...{ preview, networks: [], volumes: [], images: [] },
        containers: [...(options.containers ?? [])],
      }),
      logs: async () => undefined,
    },
    pausedBecause: async () => undefined,
    host: async () => ({
      engine: { version: '26.1.5', api: '1.45', containers: 31, running: 17 },
      ...{ cores: 8, memory: 33e9, disks: [{ name: 'Treehouse’s home', size: 512e9, free: 204e9 }] },
    }),
    use: async () => ({ memory: 61e6, memoryLimit: 512e6, cpu: 0.12, processes: 5 }),
    disk: async () => 4_096,
    book: {
      read: async () => {
        const all = await records();
        const is = (state: string) => all.filter((one) => one.state === state).slice(0, 10);
        return {
          places: is('building').map(({ id, repository }) => ({ id, repository, purpose: 'build' as const })),
          waiting: is('waiting').map(({ id, repository, changedAt }) => {
            return { id, repository, purpose: 'build' as const, since: changedAt };
          }),
          served: new Map(),
        };
      },
    },
    repositoryBook: memoryBook(options.repositories),
    secretsOf: async () => [],
    explain: async () => Promise.reject(new Error('not asked')),
    pull: async () => ({ kind: 'nothing-runs' }),
    exec: memoryExec([], { trail, clock }),
    links: memorySharing(clock),
    passwords: { set: async () => undefined, clear: async () => undefined },
    urlOf: (label) => `http://${label}.preview.localhost/`,
    sweep: async ({ dryRun }) => ({ dryRun, lines: [] }),
  };
  const facts = openFacts({
    git: {
      describe: async () => ({ author: options.author ?? 'Ada', subject: options.subject ?? 'Say hello', at: now() }),
    },
    gateway: {
      routes: async () => [],
      visits: async () => [],
    },
    store: { uses: async () => new Map((await records()).map((one) => [one.id, one.changedAt])) },
    sizes: async () => new Map((await records()).map((one, index) => [one.id, 12e6 + index * 31e6])),
    ...{ repositories, now, onKnown: hub.touch },
  });
  await facts.look();
  const routes = apiRoutes(api);
  const adminToken = options.adminToken ?? ADMIN_TOKEN;
  const serve = { store, clock, trail, repositories, replays: memoryReplays() };
  const { log, logged } = keptLog();
  const app = createApp({
    routers: [
      apiRouter({
        ...{ ...serve, routes, version: '1.2.3', limits: { requests: 1e6, guesses: 1e6 } },
        authenticate: bearer(tokenKnower({ tokens, clock, adminToken })),
      }),
      dashboardRouter({
        ...{ serve, routes, store, pins, facts, hub, clock, assets: ASSETS },
        ...{ digests: openDigests(store), samples: { all: () => samplesUntil(now()) }, domain: 'preview.localhost' },
        ...{ guesses: options.guesses ?? 1e6, adminHost: options.adminHost },
        signIns: signIns({ sessions: options.sessions ?? memorySessions(), tokens, clock, adminToken }),
        queue: () => Promise.reject(new Error('there is no queue here')),
      }),
    ],
    ready: async () => [],
    log,
  });
  const made = new Map<string, string>();
  for (const role of ROLES) {
    for (const name of [undefined, ...options.repositories.map((one) => one.name)]) {
      const reach = name === undefined ? [] : [repositoryName(name)];
      const { token } = await issueToken({ tokens, clock }, { name: `a ${role}`, role, repositories: reach });
      made.set(`${role} ${name}`, token);
    }
  }
  const server: Server = await listen(app, '127.0.0.1', 0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ url, hub, trail, tokens, logged },
    token: (role, repository) => made.get(`${role} ${repository}`) ?? '',
    async signIn(token) {
      const body = new URLSearchParams({ token });
      const answer = await fetch(`${url}/sign-in`, { method: 'POST', body, redirect: 'manual' });
      return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    },
    async form(cookie) {
      const text = await (await fetch(`${url}/queue`, { headers: { cookie } })).text();
      return /name="form" value="([^"]+)"/.exec(text)?.[1] ?? '';
    },
    close: () => close(server, 0),
  };
}
