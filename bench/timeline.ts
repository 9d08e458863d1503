/** Where a build's time went, from its own events. */
import { type BuildEvent, STAGES } from '../src/domain/events.ts';
import type { Parts } from './contender.ts';

/**
 * `queue` is the time from the webhook to the build's start, `between` that between its stages; the stages are its own times,
 * of which `push` and `start` overlap.
 */
export function timeline(events: readonly BuildEvent[], announced: number): Parts {
  const parts: Record<string, number> = {};
  const started = events.find((one) => one.type === 'build.started');
  if (!started) return parts;
  parts.queue = started.at - announced;
  for (const stage of STAGES) {
    const finished = events.find((one) => one.type === 'stage.finished' && one.stage === stage);
    if (finished?.type === 'stage.finished') parts[stage] = finished.ms;
  }
  const end = events.find((one) => one.type === 'build.live');
  if (end?.type !== 'build.live') return parts;
  const { queue: _, push = 0, start = 0, ...serial } = parts;
  const staged = Object.values(serial).reduce((sum, ms) => sum + ms, Math.max(push, start));
  parts.between = end.at - started.at - staged;
  return parts;
}
