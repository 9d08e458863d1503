/** A preview that waits: what is said of it, and what its record makes of that. */
import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../../src/domain/events.ts';
import { branchName, buildId, commitId, previewId, repositoryName } from '../../src/domain/names.ts';
import { newRecord, type PreviewRecord, transition } from '../../src/domain/preview.ts';
import { waitText } from '../../src/domain/waiting.ts';

const [OLD, NEW] = [commitId('1'.repeat(40)), commitId('2'.repeat(40))];
const preview = previewId('shop', branchName('main'));
const fresh = newRecord({ id: preview, repository: repositoryName('acme/shop'), branch: branchName('main') }, 1);
const serving: PreviewRecord = { ...fresh, state: 'live', serving: { build: buildId(1, 0), commit: OLD, since: 2 } };

function waits(more: {
  readonly purpose?: 'build' | 'wake';
  readonly commit?: string;
  readonly at?: number;
}): BuildEvent {
  return {
    ...{ type: 'preview.waiting', preview, position: 1, because: 'one build runs' },
    at: 9,
    purpose: 'build',
    ...more,
  };
}

it.each([
  [{ position: 1, because: 'x' }, 'first in the queue: x'],
  [{ position: 3, because: 'x', aboutMs: 4 * 60_000 }, 'third in the queue, about 4 min: x'],
  [{ position: 10, because: 'x', aboutMs: 20_400 }, 'tenth in the queue, about 20 s: x'],
  [{ position: 11, because: 'x' }, '11th in the queue: x'],
  [{ position: 22, because: 'x' }, '22nd in the queue: x'],
  [{ position: 111, because: 'x' }, '111th in the queue: x'],
  [{ position: 103, because: 'x' }, '103rd in the queue: x'],
])('%o is %s', (wait, text) => expect(waitText(wait)).toBe(text));

describe('a record that waits', () => {
  it.each<[string, PreviewRecord, BuildEvent, PreviewRecord['state']]>([
    ['to be built for the first time', fresh, waits({ commit: NEW }), 'waiting'],
    ['while another commit serves', serving, waits({ commit: NEW }), 'outdated'],
    ['to be built anew while this commit serves', serving, waits({ commit: OLD }), 'live'],
    ['while it sleeps', { ...serving, state: 'asleep' }, waits({ commit: NEW }), 'asleep'],
    ['to be woken', { ...serving, state: 'asleep' }, waits({ purpose: 'wake' }), 'waking'],
  ])('%s', (_what, before, event, state) => {
    const after = transition(before, event);
    expect(after).toMatchObject({ state, reason: 'first in the queue: one build runs', wait: { position: 1 } });
    expect(after.serving).toEqual(before.serving);
    // How long nobody visited it is counted from when its state changed.
    expect(after.changedAt).toBe(state === before.state ? before.changedAt : 9);
  });

  it('waits no longer when it is built', () => {
    const started: BuildEvent = {
      type: 'build.started',
      at: 10,
      preview,
      build: buildId(2, 0),
      commit: NEW,
      cause: 'x',
    };
    expect(transition(transition(fresh, waits({})), started)).not.toHaveProperty('wait');
  });
});
