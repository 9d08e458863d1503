/** Worlds for the sweep's decisions: whole previews as the engine, the gateway and the history show them, by one line each. */
import {
  type Branch,
  branchName,
  type Commit,
  commitId,
  type PreviewId,
  previewId,
  repositoryName,
} from '../../src/domain/names.ts';
import type { ObservedContainer, ObservedStack } from '../../src/domain/observed.ts';
import type { Repository, Route } from '../../src/domain/ports.ts';
import { newRecord, type PreviewKey, type PreviewRecord } from '../../src/domain/preview.ts';
import type { Thing } from '../../src/domain/sweep.ts';
import type { Seen } from '../../src/sweep/decide.ts';
import type { SweepDeps } from '../../src/sweep/deps.ts';
import { keptLog } from './log.ts';

export const HEAD = commitId('1'.repeat(40));
export const OTHER = commitId('2'.repeat(40));
export const GRACE = 120_000;

export function repository(name: string, more: Partial<Repository> = {}): Repository {
  return { name: repositoryName(name), slug: name.slice(name.indexOf('/') + 1), url: '/r', branches: ['*'], ...more };
}

export const SHOP = repository('acme/shop');

export function keyOf(branch: string, of: Repository = SHOP): PreviewKey {
  return { id: previewId(of.slug, branchName(branch)), repository: of.name, branch: branchName(branch) };
}

export function heads(...branches: readonly string[]): ReadonlyMap<Branch, Commit> {
  return new Map(branches.map((one) => [branchName(one), HEAD]));
}

/** A world of nothing but what is given. */
export function seen(more: Partial<Seen>): Seen {
  return {
    repositories: [],
    pullRequests: new Map(),
    forge: undefined,
    aside: new Map(),
    paths: new Map(),
    forks: new Map(),
    records: [],
    stacks: new Map(),
    routes: [],
    things: [],
    unread: [],
    running: new Set(),
    later: new Set(),
    ...more,
  };
}

const nothing = async () => undefined;
const none = async () => [];
const unknown = async () => new Map();

/** Ports of a world in which there is nothing, but for what is given. */
export function sweepDeps(more: Partial<SweepDeps>): SweepDeps {
  return {
    repositories: () => [SHOP],
    git: { branches: async () => heads('main') },
    forks: { all: none, approvals: none, note: nothing },
    store: {
      ...{ records: none, know: nothing, pullRequests: none, notePullRequest: nothing },
      ...{ allAside: unknown, allPaths: unknown },
    },
    engine: {
      ...{ stop: nothing, removeContainer: nothing, removeNetwork: nothing, removeVolume: nothing },
      ...{ removeImage: nothing, image: nothing },
    },
    inventory: async () => ({ stacks: new Map(), things: [] }),
    gateway: { routes: none, setRoutes: async () => true },
    places: [],
    allPullRequests: unknown,
    hints: { hint: nothing, later: async () => new Set() },
    worker: { atWork: none, hold: async (_id, work) => work().then(() => true) },
    log: keptLog().log,
    ...more,
  };
}

export interface Whole {
  readonly record: PreviewRecord;
  readonly stack: ObservedStack;
  readonly route: Route;
  readonly things: readonly Thing[];
}

/** A preview that serves `commit`, with all that belongs to it. */
export function whole(key: PreviewKey, commit: Commit = HEAD): Whole {
  const { id } = key;
  const build = 'b1' as Whole['route']['build'];
  const container: ObservedContainer = {
    ...{ id: `c-${id}`, name: `th-${id}-web-b1-1`, service: 'web', role: 'app', build, commit, config: 'x' },
    ...{ running: true, restarting: false, exitCode: 0, health: 'healthy', restarts: 0 },
    ...{ networks: new Map([[`th-${id}-b1-default`, '10.0.0.2']]), image: 'i', imageId: 'i' },
    after: [],
    exposed: { host: id, port: 80 },
  };
  const network = { id: `n-${id}`, name: `th-${id}-b1-default`, build, commit, key: 'default', role: 'app' as const };
  const volumes = [{ name: `th-${id}_data` }];
  const images = [{ reference: `treehouse/acme/shop/web:${id}.${commit}`, id: 'i' }];
  const mine = { kind: 'preview', id, key } as const;
  const byId = { kind: 'preview', id } as const;
  return {
    record: {
      ...newRecord(key, 0),
      state: 'live',
      serving: { build, commit, since: 0 },
      attempt: { build, commit, startedAt: 0, stages: {}, outcome: 'live' },
    },
    stack: { preview: id, containers: [container], networks: [network], volumes, images },
    route: { host: id, preview: id, build, upstream: '10.0.0.2:80' },
    things: [
      { what: 'container', name: container.name, ref: container.id, owner: mine },
      { what: 'network', name: network.name, ref: network.id, owner: mine },
      { what: 'volume', name: `th-${id}_data`, ref: `th-${id}_data`, owner: mine },
      { what: 'image', name: images[0]?.reference ?? '', ref: images[0]?.reference ?? '', owner: mine },
      { what: 'route', name: id, ref: id, owner: byId },
      { what: 'tag', name: `acme/shop/web:${id}.${commit}`, ref: `acme/shop/web:${id}.${commit}`, owner: byId },
      { what: 'folder', name: `builds/${id}`, ref: id, owner: byId },
      { what: 'key', name: `treehouse:builds:${id}`, ref: `treehouse:builds:${id}`, owner: byId },
    ],
  };
}

/** The parts of a world in which these previews are whole. */
export function worldOf(all: readonly Whole[]): Pick<Seen, 'records' | 'stacks' | 'routes' | 'things'> {
  return {
    records: all.map((one) => one.record),
    stacks: new Map<PreviewId, ObservedStack>(all.map((one) => [one.stack.preview, one.stack])),
    routes: all.map((one) => one.route),
    things: all.flatMap((one) => one.things),
  };
}
