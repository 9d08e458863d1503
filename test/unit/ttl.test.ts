/** When a preview that nobody uses is warned of, and when it goes. */
import { describe, expect, it } from 'vitest';
import { branchName, buildId, commitId, type PreviewId, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, type PreviewState, transition } from '../../src/domain/preview.ts';
import { ageing, type TtlInput } from '../../src/domain/ttl.ts';

const HOUR = 3_600_000;
const TTL = 8 * HOUR;
const START = 1_000 * HOUR;
const id = previewId('shop', branchName('main'));

function preview(more: Partial<PreviewRecord> = {}): PreviewRecord {
  const key = { id, repository: repositoryName('acme/shop'), branch: branchName('main') };
  const serving = { build: buildId(1, 0), commit: commitId('1'.repeat(40)), since: START };
  return { ...newRecord(key, START), state: 'live', serving, ...more };
}

/** What is made of one preview at an hour after it came to life. */
function at(hours: number, record: PreviewRecord = preview(), more: Partial<TtlInput> = {}): string {
  const now = START + hours * HOUR;
  const input = { records: [record], visited: new Map<PreviewId, number>(), kept: new Set<PreviewId>(), since: 0 };
  const [one] = ageing({ ...input, ttlOf: () => TTL, now, ...more });
  if (!one) return 'left alone';
  const end = one.expiresAt === undefined ? '' : `, goes at ${(one.expiresAt - START) / HOUR}`;
  return `used at ${(one.lastUsed - START) / HOUR}${end}${one.isOver ? ', now' : ''}`;
}

const warned = (hours: number) => preview({ expiresAt: START + hours * HOUR });

describe('a preview with eight hours to live', () => {
  it.each<[string, string, string]>([
    ['is left for six', at(5.9), 'used at 0'],
    ['is warned of then', at(6), 'used at 0, goes at 8'],
    ['goes when that is over, not before', at(7.9, warned(8)), 'used at 0, goes at 8'],
    ['goes when that is over', at(8, warned(8)), 'used at 0, goes at 8, now'],
    ['is warned of first however old it is found', at(100), 'used at 0, goes at 102'],
    [
      'has all of it again after a visit',
      at(7, warned(8), { visited: new Map([[id, START + 6.5 * HOUR]]) }),
      'used at 6.5',
    ],
    ['has all of it from a start that remembers nothing', at(7, preview(), { since: START + 3 * HOUR }), 'used at 3'],
    [
      'keeps what is remembered over a start',
      at(7, preview(), { since: START + 6 * HOUR, visited: new Map([[id, START + HOUR]]) }),
      'used at 1, goes at 9',
    ],
    ['does not age while it is pinned', at(50, warned(8), { kept: new Set([id]) }), 'used at 50'],
    ['does not age where there is no such time', at(50, warned(8), { ttlOf: () => undefined }), 'used at 0'],
  ])('%s', (_what, said, wanted) => expect(said).toBe(wanted));

  it('is warned of a day before at most', () => {
    expect(at(9 * 24, preview(), { ttlOf: () => 10 * 24 * HOUR })).toBe('used at 0, goes at 240');
    expect(at(9 * 24 - 0.1, preview(), { ttlOf: () => 10 * 24 * HOUR })).toBe('used at 0');
  });

  it.each<[PreviewState, boolean]>([
    ['live', true],
    ['outdated', true],
    ['asleep', true],
    ['failed', true],
    ['waiting', false],
    ['building', false],
    ['waking', false],
    ['removing', false],
    ['removed', false],
  ])('%s: goes: %s', (state, goes) => {
    expect(at(9, { ...warned(8), state })).toBe(goes ? 'used at 0, goes at 8, now' : 'left alone');
  });

  it('is known to go soon until it is used or gone', () => {
    const soon = transition(preview(), { type: 'preview.expiring', at: 1, preview: id, expiresAt: 5 });
    expect(soon).toMatchObject({ state: 'live', changedAt: START, expiresAt: 5 });
    expect(transition(soon, { type: 'preview.expiring', at: 2, preview: id })).not.toHaveProperty('expiresAt');
    const gone = transition(soon, { type: 'preview.removed', at: 2, preview: id, cause: 'x', ms: 1 });
    expect(gone).not.toHaveProperty('expiresAt');
  });
});
