/** A store on a real Redis, previews whose events a test tells, and a reporter that speaks to a fake GitHub. */
import type { Redis } from 'ioredis';
import { redisSaid } from '../../src/adapters/redis-said.ts';
import { openStore } from '../../src/adapters/redis-store.ts';
import type { BuildEvent } from '../../src/domain/events.ts';
import {
  type BuildId,
  branchName,
  buildId,
  type Commit,
  commitId,
  previewId,
  repositoryName,
} from '../../src/domain/names.ts';
import type { Note } from '../../src/domain/notes.ts';
import type { PreviewKey } from '../../src/domain/preview.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';
import type { Selection } from '../../src/domain/selection.ts';
import { createGitHub } from '../../src/github/github.ts';
import type { GitHubSettings, Pace } from '../../src/github/settings.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { type Reporter, type ReporterPatience, startReporting } from '../../src/report/reporter.ts';
import { type FakeGitHub, startGitHub } from './github/github.ts';
import type { FakeDeployment, FakeRepository } from './github/state.ts';
import { keptLog } from './log.ts';
import { type Told, URLS } from './preview-life.ts';
import type { TestRedis } from './redis.ts';

/** A second of GitHub's is 20 ms here. */
export const SECOND_MS = 20;
export const PACE: Partial<Pace> = {
  ...{ writeMs: 1, notifyMs: 1, anyMs: 0, secondMs: SECOND_MS, patienceMs: 100, attemptMs: 2_000, actMs: 10_000 },
};
const PATIENCE: ReporterPatience = { firstMs: 10, mostMs: 200, calmMs: 30, settlesMs: 150 };

export interface ReportWorld {
  readonly github: FakeGitHub;
  readonly repository: FakeRepository;
  readonly logged: readonly Record<string, unknown>[];
  readonly beside: Redis;
  /** What somebody was answered on a pull request. */
  readonly notes: Map<number, Note>;
  reporter(): Reporter;
  /** Ends the reporter and begins another, as a new process would. */
  restart(): Promise<void>;
  key(branch: string): PreviewKey;
  /** As builds do: into the store, then to who listens. */
  tell(key: PreviewKey, ...events: readonly Told[]): Promise<void>;
  /** What GitHub would have told by a webhook. */
  pull(key: PreviewKey, number: number, isOpen: boolean, more?: Partial<PullRequestFact>): Promise<void>;
  /** The last word on a commit, by whatever it is said. */
  wordOn(commit: Commit): { readonly state: string; readonly text: string } | undefined;
  deployments(key: PreviewKey): readonly FakeDeployment[];
  /** Those that are shown as serving. */
  active(key: PreviewKey): readonly FakeDeployment[];
  comments(pull: number): readonly { readonly id: number; readonly body: string }[];
  /** Resolves once nothing was asked for so long. */
  silence(ms?: number): Promise<void>;
  close(): Promise<void>;
}

let worlds = 0;

export async function reportWorld(
  redis: TestRedis,
  settingsOf: (github: FakeGitHub, repository: FakeRepository) => GitHubSettings,
  pace: Partial<Pace> = {},
  { selection, patience = PATIENCE }: { readonly selection?: Selection; readonly patience?: ReporterPatience } = {},
): Promise<ReportWorld> {
  worlds += 1;
  const prefix = `report${worlds}`;
  const { log, logged } = keptLog();
  const connections = redisConnections(redis.url, log);
  const beside = connections.patient();
  const clock = { now: () => Date.now() };
  const store = openStore({ redis: connections, clock, log, prefix });
  const book = redisSaid({ redis: connections, prefix });
  const github = await startGitHub();
  const repository = github.repository('acme/shop');
  const forge = createGitHub({
    ...{ settings: settingsOf(github, repository), log, now: clock.now, pace: { ...PACE, ...pace } },
  });
  const notes = new Map<number, Note>();
  const shop = {
    name: repositoryName('acme/shop'),
    slug: 'shop',
    url: '/srv/shop',
    branches: ['*', '!bot/*'],
    selection,
  };
  const start = () =>
    startReporting({
      ...{ forge, book, store, log, now: clock.now, dashboard: undefined, patience },
      repositories: () => [shop],
      changesOf: async () => [{ path: 'services.web.ports', message: 'not opened on the host' }],
      noteOf: async (_repository, number) => notes.get(number),
      sizeOf: async () => 210_000_000,
    });
  let reporter = start();

  const world: ReportWorld = {
    ...{ github, repository, logged, beside, notes },
    reporter: () => reporter,
    async restart() {
      await reporter.stop(0);
      reporter = start();
    },
    key(name) {
      const branch = branchName(name);
      return { id: previewId('shop', branch), repository: repositoryName('acme/shop'), branch };
    },
    async tell(key, ...events) {
      await store.know(key);
      for (const one of events) {
        const event = { ...one, at: Date.now(), preview: key.id } as BuildEvent;
        await store.append(event);
        reporter.take(event);
      }
    },
    async pull(key, number, isOpen, more = {}) {
      if (!repository.pulls.some((one) => one.number === number)) github.pull(repository, { number });
      await store.know(key);
      const head = commitId('1'.repeat(40));
      await store.notePullRequest(key.repository, key.branch, {
        ...{ number, open: isOpen, merged: !isOpen, head, updatedAt: Date.now(), ...more },
      });
      reporter.look(key.id);
    },
    wordOn(commit) {
      const run = repository.checkRuns.findLast((one) => one.commit === commit);
      if (run) {
        const { status, conclusion, output = {} } = run.fields as Record<string, unknown> & { output?: object };
        return { state: String(conclusion ?? status), text: JSON.stringify(output) };
      }
      const status = repository.statuses.findLast((one) => one.commit === commit);
      return status && { state: status.state, text: `${status.description} ${status.url ?? ''}` };
    },
    deployments: (key) => repository.deployments.filter((one) => one.environment === `preview/${key.branch}`),
    active: (key) => world.deployments(key).filter((one) => one.statuses.at(-1)?.state === 'success'),
    comments: (pull) => repository.comments.filter((one) => one.pull === pull),
    async silence(ms = 400) {
      for (let seen = -1; seen !== github.requests.length; ) {
        seen = github.requests.length;
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    },
    async close() {
      await reporter.stop(0);
      forge.close();
      book.close();
      await store.close();
      beside.disconnect();
      await github.close();
    },
  };
  return world;
}

export function commit(digit: string): Commit {
  return commitId(digit.repeat(40));
}

export function build(number: number): BuildId {
  return buildId(number, 0);
}

export const begins = (of: BuildId, at: Commit): Told => ({
  ...{ type: 'build.started', build: of, commit: at, cause: 'it was pushed' },
});
export const serves = (of: BuildId, at: Commit): Told => ({
  ...{ type: 'build.live', build: of, commit: at, urls: URLS, services: ['web', 'api'], ms: 5 },
});
export const says = (of: BuildId, line: string): Told => ({
  ...{ type: 'log', build: of, stage: 'test', source: 'test', line },
});
export const fails = (of: BuildId): Told => ({
  ...{ type: 'build.failed', build: of, stage: 'test', code: 'test-failed', kind: 'terminal', message: 'it is red' },
  ms: 5,
});
export const goes = (cause: string): Told[] => [
  { type: 'preview.removing', cause },
  { type: 'preview.removed', cause, ms: 5 },
];
