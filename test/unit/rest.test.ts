/** Which previews are idle. */
import { describe, expect, it } from 'vitest';
import { branchName, type PreviewId, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, type PreviewState } from '../../src/domain/preview.ts';
import { type IdleInput, idlePreviews, soonestIdle } from '../../src/domain/rest.ts';

const MINUTE = 60_000;
const NOW = 100 * MINUTE;
const id = previewId('shop', branchName('main'));

function preview(state: PreviewState, changedAt = 0): PreviewRecord {
  return {
    ...newRecord({ id, repository: repositoryName('acme/shop'), branch: branchName('main') }, changedAt),
    state,
  };
}

function idle(record: PreviewRecord, more: Partial<IdleInput> = {}): readonly PreviewId[] {
  const input: IdleInput = {
    records: [record],
    visited: new Map(),
    kept: new Set(),
    idleOf: () => 30 * MINUTE,
    since: 0,
    now: NOW,
    ...more,
  };
  return idlePreviews(input).map((one) => one.id);
}

describe('a preview that nobody visited for half an hour', () => {
  it.each([
    ['live', true],
    ['outdated', true],
    ['waiting', false],
    ['building', false],
    ['failed', false],
    ['asleep', false],
    ['waking', false],
    ['removing', false],
    ['removed', false],
  ] as const)('%s: sleeps: %s', (state, sleeps) => {
    expect(idle(preview(state))).toEqual(sleeps ? [id] : []);
  });

  it.each<[string, PreviewRecord, Partial<IdleInput>]>([
    ['was visited since', preview('live'), { visited: new Map([[id, NOW - 30 * MINUTE + 1]]) }],
    ['is pinned', preview('live'), { kept: new Set([id]) }],
    ['is of a repository whose previews never sleep', preview('live'), { idleOf: () => undefined }],
    ['came to life since', preview('live', NOW - 29 * MINUTE), {}],
    ['is looked at by a gateway that began since', preview('live'), { since: NOW - 29 * MINUTE }],
  ])('does not when it %s', (_why, record, more) => {
    expect(idle(record, more)).toEqual([]);
  });

  it('does to the millisecond', () => {
    expect(idle(preview('live'), { visited: new Map([[id, NOW - 30 * MINUTE]]) })).toEqual([id]);
  });
});

it.each([
  [undefined, undefined, undefined],
  [30, undefined, 30],
  [undefined, 5, 5],
  [30, 5, 5],
  [30, 120, 30],
])('where the admin says %s and the file says %s it sleeps after %s', (admin, asked, idle) => {
  expect(soonestIdle(admin, asked)).toBe(idle);
});
