/** What is wanted of a preview, what there is of it, and what a converge would do about the difference. Pure. */
import type { Settled } from './desired.ts';
import { driftOf } from './drift.ts';
import type { ObservedStack } from './observed.ts';
import type { Route } from './ports.ts';
import { hasFailed, type PreviewRecord } from './preview.ts';

export interface Explanation {
  readonly desired: Settled;
  readonly stack: ObservedStack;
  readonly routes: readonly Route[];
  /** `converge`: whatever it takes of building, mending, waking and taking away. */
  readonly next: 'nothing' | 'converge' | 'remove';
  readonly why: string;
}

export function explanation(
  world: Pick<Explanation, 'desired' | 'stack' | 'routes'>,
  record: PreviewRecord,
): Explanation {
  const { desired, stack, routes } = world;
  return { desired, stack, routes, ...nextOf(world, record) };
}

function nextOf(
  { desired, stack, routes }: Pick<Explanation, 'desired' | 'stack' | 'routes'>,
  record: PreviewRecord,
): Pick<Explanation, 'next' | 'why'> {
  if (desired.kind === 'absent') {
    const isThere = [stack.containers, stack.networks, stack.volumes, stack.images, routes].some(
      (one) => one.length > 0,
    );
    if (isThere || record.state !== 'removed') return { next: 'remove', why: desired.cause };
    return { next: 'nothing', why: `it is gone: ${desired.cause}` };
  }
  const drift = driftOf({ key: record, commit: desired.commit, record, stack, routes });
  if (drift !== undefined) return { next: 'converge', why: drift };
  if (record.state === 'asleep') return { next: 'nothing', why: 'it sleeps until somebody visits it' };
  if (hasFailed(record, desired.commit)) {
    return { next: 'nothing', why: 'this commit failed and would again; a redeploy tries it once more' };
  }
  return { next: 'nothing', why: desired.because ?? 'it is as it should be' };
}
