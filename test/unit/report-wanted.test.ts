/** What the forge should show after each event, as text: commits, deployments, comments. */
import { describe, expect, it } from 'vitest';
import { branchName, type Commit } from '../../src/domain/names.ts';
import type { PreviewRecord } from '../../src/domain/preview.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';
import type { SaidComment, SaidOfCommit } from '../../src/domain/said.ts';
import type { Known } from '../../src/report/known.ts';
import { environmentOf, wantedOf } from '../../src/report/wanted.ts';
import {
  away,
  FIRST,
  failed,
  live,
  ONE,
  recordOf,
  removed,
  SECOND,
  started,
  superseded,
  TWO,
  URLS,
} from '../support/preview-life.ts';

const pull = (number: number, open: boolean, updatedAt = number): PullRequestFact => ({
  ...{ number, open, merged: !open, head: ONE, updatedAt },
});

interface Around {
  readonly pullRequests?: readonly PullRequestFact[];
  readonly tail?: readonly string[];
  readonly dashboard?: string;
  /** Said of them, and waiting for more. */
  readonly pending?: readonly Commit[];
  readonly commented?: readonly number[];
  readonly leftOut?: string;
  /** Pull requests on which somebody was answered. */
  readonly answered?: readonly number[];
}

/** One line each; `nothing` where there is nothing to be said for now. */
function shown(record: PreviewRecord, around: Around = {}): readonly string[] {
  const { pullRequests = [], tail = [], dashboard, pending = [], commented = [], leftOut, answered = [] } = around;
  const notes = new Map(answered.map((one) => [one, { text: 'x', by: 'ada', at: 1 }]));
  const known: Known = { pullRequests, changes: [], tail, dashboard, leftOut, notes };
  const commits = new Map(pending.map((one): [Commit, SaidOfCommit] => [one, { digest: '', isPending: true }]));
  const comments = new Map(commented.map((one): [number, SaidComment] => [one, { id: one }]));
  const wanted = wantedOf(record, known, { commits, comments });
  if (!wanted) return ['nothing'];
  const of = (commit: Commit) => commit.slice(0, 1);
  return [
    ...[...wanted.commits].map(([commit, { state, description, url }]) =>
      [`${of(commit)} ${state}: ${description}`, ...(url === undefined ? [] : [url])].join(' → '),
    ),
    ...wanted.deployments.map(({ commit, report: { state, description, url } }) =>
      [`deployment of ${of(commit)} ${state}: ${description}`, ...(url === undefined ? [] : [url])].join(' → '),
    ),
    ...wanted.comments.map(
      ({ pullRequest, isEdit, body }) =>
        `#${pullRequest}${isEdit ? ' if it has one' : ''}: ${/^### (.*)$/m.exec(body)?.[1]}`,
    ),
    ...(wanted.isLast ? ['the last words'] : []),
  ];
}

const isLive = [started(FIRST), ...live(FIRST)];
const [URL] = URLS;

describe('what the forge should show', () => {
  it('is nothing of a preview that was only just heard of, or is on its way out', () => {
    expect(shown(recordOf())).toEqual(['nothing']);
    expect(shown(recordOf(...isLive, { type: 'preview.removing', cause: 'x' }))).toEqual(['nothing']);
  });

  it('follows a build, the same whatever stage it is at', () => {
    const building = [
      '1 pending: Is being built',
      'deployment of 1 in_progress: Is being built',
      '#7: Preview: being built',
    ];
    const around = { pullRequests: [pull(7, true)] };
    expect(shown(recordOf(started(FIRST)), around)).toEqual(building);
    expect(shown(recordOf(started(FIRST), ...live(FIRST).slice(0, 3)), around)).toEqual(building);
    expect(shown(recordOf(...isLive), around)).toEqual([
      `1 success: Deployed in 5.0 s → ${URL}`,
      `deployment of 1 success: 111111111111 serves → ${URL}`,
      '#7: Preview: live',
    ]);
  });

  it('leads to the log where others can reach it', () => {
    const page = `https://treehouse.example.com/previews/feature-a--shop?build=${FIRST}`;
    const around = { dashboard: 'https://treehouse.example.com/' };
    expect(shown(recordOf(started(FIRST)), around)[0]).toBe(`1 pending: Is being built → ${page}`);
    expect(shown(recordOf(started(FIRST), failed(FIRST)), around)[0]).toBe(
      `1 failure: test failed: it is red → ${page}`,
    );
  });

  it('keeps what serves active while another commit is built, and where that fails', () => {
    const serves = `deployment of 1 success: 111111111111 serves → ${URL}`;
    expect(shown(recordOf(...isLive, started(SECOND, TWO)))).toEqual([
      '2 pending: Is being built',
      serves,
      'deployment of 2 in_progress: Is being built',
    ]);
    expect(shown(recordOf(...isLive, started(SECOND, TWO), failed(SECOND)))).toEqual([
      '2 failure: test failed: it is red',
      serves,
      'deployment of 2 failure: test failed: it is red',
    ]);
    expect(shown(recordOf(...isLive, started(SECOND, TWO), ...live(SECOND, TWO)))).toEqual([
      `2 success: Deployed in 5.0 s → ${URL}`,
      `deployment of 2 success: 222222222222 serves → ${URL}`,
    ]);
  });

  it('has the end of the log beside a red commit', () => {
    const known: Known = { pullRequests: [], changes: [], tail: ['1 failed'] };
    const none = { commits: new Map(), comments: new Map() };
    const of = (record: PreviewRecord) => wantedOf(record, known, none)?.commits.get(ONE);
    expect(of(recordOf(started(FIRST), failed(FIRST)))?.tail).toEqual(['1 failed']);
  });

  it('calls an error what is not the fault of the commit', () => {
    expect(shown(recordOf(started(FIRST), away(FIRST)))[0]).toBe('1 error: build failed: it is away');
  });

  it('says of a commit in the queue that it waits, and of what serves that it does', () => {
    const waits = { type: 'preview.waiting', purpose: 'build', position: 2, because: 'x' } as const;
    expect(shown(recordOf({ ...waits, commit: ONE }), { pullRequests: [pull(7, true)] })).toEqual([
      '1 pending: Waits for its turn to be built',
      'deployment of 1 queued: Waits for its turn to be built',
      '#7: No preview yet: it waits for its turn',
    ]);
    expect(shown(recordOf(...isLive, { ...waits, commit: TWO }))).toEqual([
      `1 success: Deployed in 5.0 s → ${URL}`,
      '2 pending: Waits for its turn to be built',
      `deployment of 1 success: 111111111111 serves → ${URL}`,
      'deployment of 2 queued: Waits for its turn to be built',
    ]);
  });

  it('does not let a commit wait for ever', () => {
    const pending = [ONE];
    expect(shown(recordOf(started(FIRST), superseded(FIRST)), { pending })).toEqual([
      '1 error: Not built: the branch moved on',
    ]);
    // Its own end was never seen.
    expect(shown(recordOf(started(FIRST), started(SECOND, TWO)), { pending })).toEqual([
      '2 pending: Is being built',
      '1 error: Not built: 222222222222 came after it',
      'deployment of 2 in_progress: Is being built',
    ]);
    expect(shown(recordOf(started(FIRST), ...removed()), { pending })).toEqual([
      '1 error: Not built: pull request #7 was merged',
      'the last words',
    ]);
    // A crash cut it off, and the branch went back to what serves.
    const back = { type: 'preview.observed', state: 'live', cause: 'x', urls: URLS } as const;
    const serving = { build: FIRST, commit: ONE, since: 1 };
    expect(shown(recordOf(...isLive, started(SECOND, TWO), { ...back, serving }), { pending: [TWO] })).toContain(
      '2 error: Not built: its build was cut off',
    );
  });

  it('lets a commit wait that is built again once Treehouse is back', () => {
    expect(shown(recordOf(started(FIRST), superseded(FIRST, 'Treehouse is stopping', true)))).toEqual([
      '1 pending: Is built again: Treehouse was stopped meanwhile',
      'deployment of 1 queued: Is built again',
    ]);
  });

  it('is of a sleeping preview what it was, and of one that cannot be woken that it is down', () => {
    const serving = { build: FIRST, commit: ONE, since: 5_000 };
    const observed = { type: 'preview.observed', urls: URLS, serving } as const;
    const asleep = recordOf(...isLive, { ...observed, state: 'asleep', cause: 'nobody visited it' });
    expect(shown(asleep).at(-1)).toBe(`deployment of 1 success: 111111111111 serves → ${URL}`);
    const down = recordOf(...isLive, { ...observed, state: 'failed', cause: 'it could not be woken: x' });
    expect(shown(down).at(-1)).toBe(`deployment of 1 failure: it could not be woken: x → ${URL}`);
  });

  it('is found anew from what was observed, where all else was forgotten', () => {
    const serving = { build: FIRST, commit: ONE, since: 1 };
    expect(shown(recordOf({ type: 'preview.observed', state: 'live', cause: 'x', urls: URLS, serving }))).toEqual([
      `1 success: Deployed → ${URL}`,
      `deployment of 1 success: 111111111111 serves → ${URL}`,
    ]);
  });

  it('has a comment on each open pull request, and last words on those that closed', () => {
    const pullRequests = [pull(5, false), pull(7, true), pull(8, true), pull(6, false)];
    expect(shown(recordOf(...isLive), { pullRequests, commented: [6, 7] }).slice(2)).toEqual([
      '#7: Preview: live',
      '#8: Preview: live',
    ]);
    const gone = recordOf(...isLive, ...removed());
    const closed = [pull(5, false), pull(6, false), pull(7, false)];
    expect(shown(gone, { pullRequests: closed, commented: [6, 7] })).toEqual([
      '#6 if it has one: Preview: removed',
      '#7 if it has one: Preview: removed',
      'the last words',
    ]);
    // Forgotten: the one that closed last may have a comment.
    expect(shown(gone, { pullRequests: closed })).toEqual(['#7 if it has one: Preview: removed', 'the last words']);
    expect(shown(gone, { pullRequests: [pull(9, true)] })).toContain('#9: Preview: removed');
  });

  it('is a quiet word at the head where settings leave it out, and a comment where somebody missed something', () => {
    const leftOut = 'pull request #7 is a draft';
    const around = { pullRequests: [pull(7, true)], leftOut };
    const never = recordOf(...removed());
    const quiet = ['1 skipped: No preview: pull request #7 is a draft', '#7 if it has one: No preview'];
    expect(shown(never, around)).toEqual(quiet);
    // It waited for its turn.
    expect(shown(never, { ...around, pending: [ONE] })).toEqual(quiet);
    expect(shown(never, { ...around, answered: [7] }).at(-1)).toBe('#7: No preview');
    // What was built had its word, and what was there is missed.
    const gone = recordOf(...isLive, ...removed());
    expect(shown(gone, around)).toEqual(['#7: Preview: removed', 'the last words']);
    const moved = { ...around, pullRequests: [{ ...pull(7, true), head: TWO }] };
    expect(shown(gone, moved)).toEqual(['2 skipped: No preview: pull request #7 is a draft', '#7: Preview: removed']);
    // Set aside by a limit or by hand, which is no setting.
    expect(shown(never, { pullRequests: [pull(7, true)] })).toEqual(['#7: No preview', 'the last words']);
    // It closed.
    expect(shown(never, { pullRequests: [pull(7, false)] })).toEqual([
      '#7 if it has one: No preview',
      'the last words',
    ]);
    expect(shown(recordOf(...isLive), around)).toContain('#7: Preview: live');
  });
});

it('an environment is named after its branch, in the length that GitHub takes', () => {
  expect(environmentOf(branchName('feature/a'))).toBe('preview/feature/a');
  const [one, two] = ['x', 'y'].map((end) => environmentOf(branchName(`${'a'.repeat(254)}${end}`)));
  expect(one).toHaveLength(255);
  expect(one).not.toBe(two);
});
