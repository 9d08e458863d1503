/** An API in memory with a little of everything, and tokens of every role and reach. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { issueToken, tokenKnower } from '../../src/access/issue.ts';
import { type ApiDeps, apiRoutes } from '../../src/api/api.ts';
import type { ClientLimits } from '../../src/api/client-limits.ts';
import type { ExecLimits } from '../../src/api/exec-sessions.ts';
import type { Route } from '../../src/api/route.ts';
import { apiRouter, bearer } from '../../src/api/router.ts';
import { ROLES, type Role } from '../../src/domain/access.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import {
  type Branch,
  branchName,
  buildId,
  commitId,
  previewId,
  repositoryName,
  repositorySlug,
} from '../../src/domain/names.ts';
import type { ObservedContainer } from '../../src/domain/observed.ts';
import type { Repository } from '../../src/domain/ports.ts';
import { newRecord, type PreviewRecord, transition } from '../../src/domain/preview.ts';
import { close, createApp, listen } from '../../src/web/server.ts';
import { serveUpgrades } from '../../src/web/upgrades.ts';
import { memoryBook, memoryExec, memoryReplays, memorySharing, memoryTokens, memoryTrail } from './api-memory.ts';
import { keptLog } from './log.ts';

export const BUILD = buildId(1_700_000_000_000, 7);
const COMMIT = commitId('1'.repeat(40));
export const REPOSITORIES = ['acme/shop', 'acme/blog'] as const;

function recordOf(repository: (typeof REPOSITORIES)[number], branch: string): PreviewRecord {
  const name = repositoryName(repository);
  const id = previewId(repositorySlug(name), branchName(branch));
  return newRecord({ id, repository: name, branch: branch as Branch }, 0);
}

function eventsOf({ id }: PreviewRecord): readonly BuildEvent[] {
  const of = { preview: id, build: BUILD };
  return [
    { type: 'build.started', at: 1_000, ...of, commit: COMMIT, cause: 'it was pushed' },
    { type: 'stage.started', at: 1_000, ...of, stage: 'checkout' },
    { type: 'log', at: 1_000, ...of, stage: 'checkout', source: 'git', line: 'a line' },
    { type: 'change', at: 1_005, ...of, path: 'services.web.ports', message: 'not published on the host' },
    { type: 'stage.finished', at: 1_020, ...of, stage: 'checkout', ms: 20 },
    { type: 'build.live', at: 2_000, ...of, commit: COMMIT, urls: [`http://${id}.preview.localhost/`], ms: 1_000 },
  ];
}

const CONTAINER: ObservedContainer = {
  ...{ id: 'c1', name: 'th-main--shop-web-1', service: 'web', role: 'app', build: BUILD, commit: COMMIT },
  ...{ config: 'c0ffee', running: true, restarting: false, exitCode: 0, health: 'healthy', restarts: 0 },
  ...{
    networks: new Map([['n', '']]),
    image: 'x:1',
    imageId: 'sha256:1',
    after: [],
    exposed: { host: 'main--shop', port: 80 },
  },
};

/** What is pulled of any preview. */
export const PULLED = 'name: x\nservices: {web: {image: reg/x@sha256:1}, db: {image: sha256:2}}\n';

export interface ApiWorld {
  readonly url: string;
  readonly routes: readonly Route[];
  readonly deps: ApiDeps;
  readonly exec: ReturnType<typeof memoryExec>;
  readonly trail: ReturnType<typeof memoryTrail>;
  readonly logged: readonly { readonly msg?: unknown }[];
  /** Token of a role that reaches everything, or one repository. */
  token(role: Role, repository?: string): string;
  close(): Promise<void>;
}

export async function startApiWorld(
  limits: ClientLimits = { requests: 1e6, guesses: 1e6 },
  execLimits?: ExecLimits,
): Promise<ApiWorld> {
  const records = new Map<string, PreviewRecord>();
  for (const repository of REPOSITORIES) {
    const main = recordOf(repository, 'main');
    records.set(main.id, eventsOf(main).reduce(transition, main));
    const late = recordOf(repository, 'late');
    records.set(late.id, late);
    const busy = recordOf(repository, 'busy');
    records.set(busy.id, eventsOf(busy).slice(0, 2).reduce(transition, busy));
  }
  const pinned = new Set<PreviewRecord['id']>();
  const tokens = memoryTokens();
  const trail = memoryTrail();
  const clock = { now: () => 1_700_000_000_000 };
  const repositories = (): readonly Repository[] =>
    REPOSITORIES.map((name) => ({
      name: repositoryName(name),
      slug: repositorySlug(repositoryName(name)),
      url: `/srv/${name}`,
      branches: ['*'],
      access: { mode: 'password', open: [] },
    }));
  const places = {
    places: [...records.values()].map(({ id, repository }) => ({ id, repository, purpose: 'build' as const })),
  };
  const exec = memoryExec([CONTAINER], { trail, clock }, execLimits);
  const deps: ApiDeps = {
    store: {
      record: async (id) => records.get(id),
      records: async () => [...records.values()],
      async *follow() {
        for (const one of records.values())
          yield {
            cursor: `1-${one.id.length}`,
            event: { type: 'preview.removed', at: 1, preview: one.id, cause: 'x', ms: 1 },
          };
      },
      requestRedeploy: async () => undefined,
      requestReset: async () => undefined,
      requestCancel: async () => undefined,
      setAside: async () => undefined,
      wantRest: async () => undefined,
      builds: async () => [BUILD],
      read: async (preview, build, { after, count }) => {
        const record = records.get(preview);
        return (build === BUILD && record ? eventsOf(record) : [])
          .map((event, index) => ({ cursor: `${index}-0`, event }))
          .filter(({ cursor }) => after === undefined || Number.parseInt(cursor, 10) > Number.parseInt(after, 10))
          .slice(0, count);
      },
      async *followBuild(preview) {
        const record = records.get(preview);
        if (record) yield* eventsOf(record).map((event, index) => ({ cursor: `${index}-0`, event }));
      },
    },
    hints: { hint: async () => undefined },
    pins: {
      all: async () => pinned,
      pin: async (id) => void pinned.add(id),
      unpin: async (id) => void pinned.delete(id),
    },
    wake: async () => undefined,
    engine: {
      observe: async (preview) => ({ preview, containers: [CONTAINER], networks: [], volumes: [], images: [] }),
      logs: async (_id, _options, onLine) => onLine('it listens'),
    },
    version: '1.2.3',
    limits: { builds: 2 },
    pausedBecause: async () => undefined,
    agreement: async () => ({
      host: 'github.com',
      installations: [
        { owner: 'acme', agreedAt: 1_000, faults: [] },
        { owner: 'rho', agreedAt: undefined, faults: [{ repositories: [repositoryName('rho/site')], why: 'no' }] },
      ],
      deliveries: { doneAt: 2_000, fault: undefined },
    }),
    host: async () => ({
      engine: { version: '26.1.5', api: '1.45', containers: 3, running: 2 },
      ...{ cores: 2, memory: 2 ** 30, disks: [{ name: 'Treehouse’s home', size: 100, free: 40 }] },
    }),
    pull: async () => ({ kind: 'file', text: PULLED }),
    use: async () => ({ memory: 1, memoryLimit: 2, cpu: 0.5, processes: 3 }),
    disk: async () => 4_096,
    book: {
      read: async () => ({ ...places, waiting: places.places.map((one) => ({ ...one, since: 5 })), served: new Map() }),
    },
    sweep: async ({ dryRun }) => ({
      dryRun,
      lines: [{ what: 'volume', name: 'th-gone--shop_data', action: 'remove', why: 'the branch was deleted' }],
    }),
    explain: async ({ id }) => ({
      desired: { kind: 'present', commit: COMMIT },
      stack: { preview: id, containers: [CONTAINER], networks: [], volumes: [], images: [] },
      ...{ routes: [], next: 'nothing', why: 'it is as it should be' },
    }),
    repositoryBook: memoryBook(repositories()),
    secretsOf: async () => [{ name: 'API_KEY', service: '*', branch: '*', setAt: 1_700_000_000_000 }],
    ...{ tokens, trail, clock, repositories, exec, links: memorySharing(clock) },
    passwords: { set: async () => undefined, clear: async () => undefined },
    urlOf: (label) => `http://${label}.preview.localhost/`,
  };
  const routes = apiRoutes(deps);
  const made = new Map<string, string>();
  for (const role of ROLES) {
    for (const repository of [undefined, ...REPOSITORIES]) {
      const reach = repository === undefined ? [] : [repositoryName(repository)];
      const { token } = await issueToken(
        { tokens, clock },
        { name: `${role} ${repository}`, role, repositories: reach },
      );
      made.set(`${role} ${repository}`, token);
    }
  }
  const { log, logged } = keptLog();
  const router = apiRouter({
    ...{ routes, version: '1.2.3', repositories, replays: memoryReplays(), trail, clock, limits },
    store: { record: async (id) => records.get(id) },
    authenticate: bearer(tokenKnower({ tokens, clock, adminToken: 'of the home' })),
  });
  const app = createApp({ routers: [router], ready: async () => [], log });
  const server: Server = await listen(app, '127.0.0.1', 0);
  serveUpgrades(server, app);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ routes, deps, exec, trail, logged },
    token: (role, repository) => made.get(`${role} ${repository}`) ?? '',
    async close() {
      await exec.sessions.stop();
      await close(server, 0);
    },
  };
}
