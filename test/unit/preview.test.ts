import { describe, expect, it } from 'vitest';
import type { BuildEvent, Stage } from '../../src/domain/events.ts';
import { type BuildId, branchName, buildId, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, spentUntil, transition } from '../../src/domain/preview.ts';

const ONE = commitId('1'.repeat(40));
const TWO = commitId('2'.repeat(40));
const [FIRST, SECOND] = [buildId(1, 0), buildId(2, 0)];
const branch = branchName('main');
const preview = previewId('shop', branch);
const fresh = newRecord({ id: preview, repository: repositoryName('acme/shop'), branch }, 1);
const URLS = ['http://main--shop.preview.localhost/', 'http://api--main--shop.preview.localhost/'];

let clock = 0;
type Told = BuildEvent extends infer E ? (E extends BuildEvent ? Omit<E, 'at' | 'preview'> : never) : never;
const event = (told: Told) => ({ at: ++clock, preview, ...told }) as BuildEvent;
const started = (build: BuildId, commit = ONE) =>
  event({ type: 'build.started', build, commit, cause: 'it was pushed' });
const live = (build: BuildId, commit = ONE) => event({ type: 'build.live', build, commit, urls: URLS, ms: 9 });
const failed = (build: BuildId, stage: Stage = 'test') =>
  event({ type: 'build.failed', build, stage, code: 'test-failed', kind: 'terminal', message: 'it is red', ms: 9 });
const superseded = (build: BuildId) =>
  event({ type: 'build.superseded', build, message: 'the branch moved on', ms: 9 });

/** What became of a record, one line an event: its state, the reason, what serves and the newest attempt. */
function told(...events: readonly BuildEvent[]): string[] {
  const lines: string[] = [];
  let record: PreviewRecord = fresh;
  for (const one of events) {
    record = transition(record, one);
    expect(record.changedAt).toBeLessThanOrEqual(one.at);
    const { serving, attempt, urls } = record;
    const serves = serving ? `serves ${serving.commit.slice(0, 1)} at ${urls.length} URLs` : `serves nothing`;
    const tries = attempt ? `; ${attempt.commit.slice(0, 1)} ${attempt.outcome ?? attempt.stage ?? 'began'}` : '';
    lines.push(`${record.state} (${record.reason}), ${serves}${tries}`);
  }
  return lines;
}

describe('a record', () => {
  it('begins waiting', () => {
    expect(fresh).toEqual({
      id: 'main--shop',
      repository: 'acme/shop',
      branch: 'main',
      state: 'waiting',
      reason: 'waiting to be looked at',
      changedAt: 1,
      urls: [],
    });
  });

  it('follows a build to live', () => {
    const lines = told(
      started(FIRST),
      event({ type: 'stage.started', build: FIRST, stage: 'checkout' }),
      event({ type: 'log', build: FIRST, stage: 'checkout', source: 'git', line: 'x' }),
      event({ type: 'stage.finished', build: FIRST, stage: 'checkout', ms: 5 }),
      event({ type: 'change', build: FIRST, path: 'services.web.ports', message: 'dropped' }),
      live(FIRST),
    );
    expect(lines).toEqual([
      'building (it was pushed), serves nothing; 1 began',
      'building (it was pushed), serves nothing; 1 checkout',
      'building (it was pushed), serves nothing; 1 checkout',
      'building (it was pushed), serves nothing; 1 checkout',
      'building (it was pushed), serves nothing; 1 checkout',
      'live (serves the newest commit), serves 1 at 2 URLs; 1 live',
    ]);
  });

  it('is outdated, and keeps serving, where the newest build of what is live fails', () => {
    expect(
      told(started(FIRST), live(FIRST), started(SECOND, TWO), failed(SECOND), started(FIRST, TWO), live(FIRST, TWO)),
    ).toEqual([
      'building (it was pushed), serves nothing; 1 began',
      'live (serves the newest commit), serves 1 at 2 URLs; 1 live',
      'building (it was pushed), serves 1 at 2 URLs; 2 began',
      'outdated (test failed: it is red), serves 1 at 2 URLs; 2 failed',
      'building (it was pushed), serves 1 at 2 URLs; 2 began',
      'live (serves the newest commit), serves 2 at 2 URLs; 2 live',
    ]);
  });

  it('is failed where nothing was live, and superseded is not failed', () => {
    expect(told(started(FIRST), failed(FIRST, 'build'))).toContainEqual(
      'failed (build failed: it is red), serves nothing; 1 failed',
    );
    expect(told(started(FIRST), superseded(FIRST))).toContainEqual(
      'waiting (the branch moved on), serves nothing; 1 superseded',
    );
    expect(told(started(FIRST), live(FIRST), started(SECOND, TWO), superseded(SECOND)).at(-1)).toBe(
      'outdated (the branch moved on), serves 1 at 2 URLs; 2 superseded',
    );
  });

  it('loses what serves when the preview is removed, and gets it back by being built', () => {
    expect(
      told(
        started(FIRST),
        live(FIRST),
        event({ type: 'preview.removing', cause: 'it was merged' }),
        event({ type: 'preview.removed', cause: 'it was merged', ms: 3 }),
        started(SECOND, TWO),
        live(SECOND, TWO),
      ).slice(2),
    ).toEqual([
      'removing (it was merged), serves 1 at 2 URLs; 1 live',
      'removed (it was merged), serves nothing; 1 live',
      'building (it was pushed), serves nothing; 2 began',
      'live (serves the newest commit), serves 2 at 2 URLs; 2 live',
    ]);
  });

  it('becomes what was observed', () => {
    const observed = { type: 'preview.observed', cause: 'it was found so' } as const;
    expect(
      told(
        event({ ...observed, state: 'live', serving: { build: FIRST, commit: TWO, since: 1 }, urls: URLS }),
        event({ ...observed, state: 'failed', urls: [] }),
      ),
    ).toEqual(['live (it was found so), serves 2 at 2 URLs', 'failed (it was found so), serves nothing']);
  });

  it('keeps the times of overlapping stages apart', () => {
    const record = [
      started(FIRST),
      event({ type: 'stage.started', build: FIRST, stage: 'push' }),
      event({ type: 'stage.started', build: FIRST, stage: 'start' }),
      event({ type: 'stage.finished', build: FIRST, stage: 'push', ms: 7 }),
      // Its start was lost.
      event({ type: 'stage.finished', build: FIRST, stage: 'route', ms: 2 }),
    ].reduce(transition, fresh);
    const [, push = 0, start = 0, , route = 0] = [0, clock - 3, clock - 2, clock - 1, clock];
    expect(record.attempt).toEqual({
      build: FIRST,
      commit: ONE,
      startedAt: clock - 4,
      stage: 'start',
      stages: { push: { startedAt: push, ms: 7 }, start: { startedAt: start }, route: { startedAt: route - 2, ms: 2 } },
    });
  });

  it('is in the stage that goes on, of two at once', () => {
    const begins = (stage: 'start' | 'push') => event({ type: 'stage.started', build: FIRST, stage });
    const ends = (stage: 'start' | 'push') => event({ type: 'stage.finished', build: FIRST, stage, ms: 7 });
    const stageAfter = (...events: readonly BuildEvent[]) =>
      [started(FIRST), ...events].reduce(transition, fresh).attempt?.stage;
    expect(stageAfter(begins('start'), begins('push'))).toBe('push');
    expect(stageAfter(begins('start'), begins('push'), ends('push'))).toBe('start');
    expect(stageAfter(begins('start'), begins('push'), ends('start'))).toBe('push');
    expect(stageAfter(begins('start'), begins('push'), ends('push'), ends('start'))).toBe('start');
  });

  it('is told by a failed attempt whether trying again could help', () => {
    const record = [started(FIRST), failed(FIRST)].reduce(transition, fresh);
    expect(record.attempt).toMatchObject({ outcome: 'failed', kind: 'terminal', message: 'it is red', stage: 'test' });
  });

  it('does not take the stages of an older build for those of the newest', () => {
    const before = [started(FIRST), started(SECOND, TWO)].reduce(transition, fresh);
    for (const late of [
      event({ type: 'stage.started', build: FIRST, stage: 'build' }),
      event({ type: 'stage.finished', build: FIRST, stage: 'build', ms: 1 }),
      event({ type: 'log', build: FIRST, stage: 'build', source: 'x', line: 'y' }),
    ]) {
      // Counted it was.
      expect({ ...transition(before, late), spent: before.spent }).toEqual(before);
    }
    expect(transition(before, superseded(FIRST)).attempt).toEqual(before.attempt);
  });
});

describe('what a preview took', () => {
  const of = { preview: preview, build: FIRST };
  const commit = ONE;
  const at = (record: PreviewRecord, ...events: BuildEvent[]) => events.reduce(transition, record);

  it('is its builds, and the time for which its containers were up', () => {
    const live = at(
      fresh,
      { type: 'build.started', at: 1_000, ...of, commit, cause: 'pushed' },
      { type: 'build.live', at: 3_000, ...of, commit, urls: [], ms: 2_000 },
    );
    expect(spentUntil(live, 10_000)).toEqual({ builds: 1, building: 2_000, awake: 7_000, at: 10_000 });
    const observed = { type: 'preview.observed', preview: preview, cause: 'x', urls: [] } as const;
    const serving = { build: of.build, commit, since: 3_000 };
    const asleep = at(live, { ...observed, at: 13_000, state: 'asleep', serving });
    expect(spentUntil(asleep, 99_000).awake).toBe(10_000);
    const woken = at(asleep, { ...observed, at: 100_000, state: 'live', serving });
    expect(spentUntil(woken, 101_000).awake).toBe(11_000);
    const failed = at(woken, {
      ...{ type: 'build.failed', at: 102_000, ...of, stage: 'test', code: 'test-failed', kind: 'terminal' },
      ...{ message: 'red', ms: 500 },
    } as BuildEvent);
    expect(failed.spent).toEqual({ builds: 2, building: 2_500, awake: 12_000, at: 102_000 });
    const removed = at(failed, { type: 'preview.removed', at: 103_000, preview: preview, cause: 'deleted', ms: 1 });
    expect(spentUntil(removed, 999_000).awake).toBe(13_000);
  });

  it('takes nothing back where the clock was set back', () => {
    const live = at(fresh, { type: 'build.live', at: 5_000, ...of, commit, urls: [], ms: 1 });
    expect(spentUntil(live, 1_000).awake).toBe(0);
  });
});

describe('what is shown beside URLs', () => {
  const shown = { services: ['web', 'api'], login: ['demo / demo'] };
  const isLive = event({ type: 'build.live', build: FIRST, commit: ONE, urls: URLS, ms: 9, ...shown });
  const of = (...events: readonly BuildEvent[]) => {
    const { services, login } = events.reduce(transition, fresh);
    return { services, login };
  };
  const none = { services: undefined, login: undefined };

  it('is that of the build that serves', () => {
    expect(of(isLive)).toEqual(shown);
    expect(of(isLive, started(SECOND, TWO), failed(SECOND))).toEqual(shown);
    expect(of(isLive, started(SECOND, TWO), live(SECOND, TWO))).toEqual(none);
    expect(of(isLive, event({ type: 'preview.removed', cause: 'it was merged', ms: 3 }))).toEqual(none);
  });

  it('stays where the same build is observed, and only there', () => {
    const observed = { type: 'preview.observed', cause: 'x', state: 'asleep', urls: URLS } as const;
    const serving = (build: BuildId) => ({ serving: { build, commit: ONE, since: 1 } });
    expect(of(isLive, event({ ...observed, ...serving(FIRST) }))).toEqual(shown);
    expect(of(isLive, event({ ...observed, ...serving(SECOND) }))).toEqual(none);
    expect(of(isLive, event(observed))).toEqual(none);
    expect(of(event({ ...observed, ...serving(FIRST), ...shown }))).toEqual(shown);
  });
});
