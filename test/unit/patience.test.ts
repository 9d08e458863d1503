/** What hangs is ended, by time or by silence; what goes on is not. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { patiently } from '../../src/converge/patience.ts';
import { TreehouseError } from '../../src/errors.ts';

const bounds = {
  act: 'building it',
  code: 'build-failed',
  limit: 600_000,
  setting: 'TREEHOUSE_X',
  silence: 60_000,
} as const;
const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Work that prints every `every` ms, ends after `total`, and when its signal is aborted at once, with words of its own. */
function work(every: number, total: number) {
  return (onLine: (line: string) => void, signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      const beat = setInterval(() => onLine('.'), every);
      const end = setTimeout(() => resolve('done'), total);
      signal.addEventListener('abort', () => {
        clearInterval(beat);
        clearTimeout(end);
        reject(new Error('it was stopped'));
      });
    });
}

it.each([
  ['prints and ends', work(50_000, 500_000), 'done'],
  [
    'prints nothing for too long',
    work(61_000, 500_000),
    'building it printed nothing for 1 minute and was ended: let it print a line now and then, or set TREEHOUSE_BUILD_SILENCE',
  ],
  [
    'goes on for too long',
    work(50_000, 700_000),
    'building it took longer than 10 minutes and was ended; TREEHOUSE_X sets how long it may take',
  ],
])('%s', async (_what, does, comesTo) => {
  const lines: string[] = [];
  const ended = patiently(bounds, (line) => lines.push(line), never, does).catch((error: Error) => error.message);
  await vi.advanceTimersByTimeAsync(900_000);
  expect(await ended).toBe(comesTo);
  // Its own beat is left where nothing stopped it.
  expect(vi.getTimerCount()).toBe(comesTo === 'done' ? 1 : 0);
});

it('ends for the reason of its caller where that came first', async () => {
  const outer = new AbortController();
  const why = new TreehouseError('superseded', 'a newer commit');
  const ended = patiently(bounds, () => undefined, outer.signal, work(10_000, 500_000)).catch(
    (error: unknown) => error,
  );
  outer.abort(why);
  expect(await ended).toBe(why);
});

it('has no end where neither is set', async () => {
  const free = { ...bounds, limit: undefined, silence: undefined };
  const ended = patiently(free, () => undefined, never, work(900_000, 86_400_000));
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect(await ended).toBe('done');
});
