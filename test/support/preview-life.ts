/** Records of one preview as its events make them, for what reads records. */
import type { BuildEvent, Stage } from '../../src/domain/events.ts';
import { type BuildId, branchName, buildId, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord, type PreviewKey, type PreviewRecord, transition } from '../../src/domain/preview.ts';

export const ONE = commitId('1'.repeat(40));
export const TWO = commitId('2'.repeat(40));
export const [FIRST, SECOND] = [buildId(1, 0), buildId(2, 0)];
export const BRANCH = branchName('feature-a');
export const KEY: PreviewKey = {
  id: previewId('shop', BRANCH),
  repository: repositoryName('acme/shop'),
  branch: BRANCH,
};
export const URLS = [
  'https://feature-a--shop.preview.example.com/',
  'https://api--feature-a--shop.preview.example.com/',
];
/** 27 November 2026, 12:31 UTC. */
export const START = Date.UTC(2026, 10, 27, 12, 31);

export type Told = BuildEvent extends infer E ? (E extends BuildEvent ? Omit<E, 'at' | 'preview'> : never) : never;

/** What became of a preview, a second after the other. */
export function recordOf(...events: readonly Told[]): PreviewRecord {
  let at = START;
  return events.reduce(
    (record, one) => {
      at += 1_000;
      return transition(record, { ...one, at, preview: KEY.id } as BuildEvent);
    },
    newRecord(KEY, START),
  );
}

export function started(build: BuildId, commit = ONE): Told {
  return { type: 'build.started', build, commit, cause: 'it was pushed' };
}

/** Two stages, and it serves. */
export function live(build: BuildId, commit = ONE, shown: { readonly login?: readonly string[] } = {}): Told[] {
  return [
    { type: 'stage.started', build, stage: 'build' },
    { type: 'stage.finished', build, stage: 'build', ms: 12_300 },
    { type: 'stage.started', build, stage: 'test' },
    { type: 'stage.finished', build, stage: 'test', ms: 900 },
    { type: 'build.live', build, commit, urls: URLS, services: ['web', 'api'], ms: 9, ...shown },
  ];
}

export function failed(build: BuildId, message = 'it is red', stage: Stage = 'test'): Told {
  return { type: 'build.failed', build, stage, code: 'test-failed', kind: 'terminal', message, ms: 9 };
}

export function away(build: BuildId): Told {
  return {
    ...{ type: 'build.failed', build, stage: 'build', code: 'engine-away', kind: 'transient', message: 'it is away' },
    ms: 9,
  };
}

export function superseded(build: BuildId, message = 'the branch moved on', again?: true): Told {
  return { type: 'build.superseded', build, message, ms: 9, ...(again ? { again } : {}) };
}

export function removed(cause = 'pull request #7 was merged'): Told[] {
  return [
    { type: 'preview.removing', cause },
    { type: 'preview.removed', cause, ms: 3 },
  ];
}
