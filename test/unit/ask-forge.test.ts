/** A forge that never answers keeps no sweep, and whoever was not asked about comes first at the next one. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Agreement } from '../../src/domain/agreement.ts';
import { ForgeFault } from '../../src/domain/forge.ts';
import type { RepositoryName } from '../../src/domain/names.ts';
import { abortReason } from '../../src/errors.ts';
import { agreements, askForge } from '../../src/sweep/ask-forge.ts';
import type { ForgeSide } from '../../src/sweep/deps.ts';
import { repository } from '../support/sweep-world.ts';

const ALL = Array.from({ length: 30 }, (_, index) => repository(`acme/r${index}`));
const never = new AbortController().signal;
beforeEach(() => void vi.useFakeTimers({ now: 1_000 }));
afterEach(() => void vi.useRealTimers());

/** Each answer takes so long; what is asked of is kept, in order. */
function side(ms: number) {
  const asked: RepositoryName[] = [];
  let known: ReadonlyMap<RepositoryName, Agreement> = new Map();
  const made: ForgeSide = {
    forge: {
      host: 'github.com',
      pullRequests: (name, signal) =>
        new Promise((resolve, reject) => {
          asked.push(name);
          const timer = setTimeout(() => resolve([]), ms);
          signal.addEventListener('abort', () => {
            clearTimeout(timer);
            reject(abortReason(signal));
          });
        }),
      pullRequestsNow: async () => [],
    },
    book: {
      read: async () => ({ repositories: known, deliveries: undefined }),
      noteRepositories: async (all) => {
        known = all;
      },
      noteDeliveries: async () => undefined,
    },
    deliveries: undefined,
    now: Date.now,
  };
  return { asked, made };
}

const NO_FORKS = { all: async () => [] };

it('one that never answers is away, for all that it was not asked about too', async () => {
  const { asked, made } = side(3_600_000);
  const asking = askForge({ side: made, forks: NO_FORKS }, ALL, new Map(), never);
  await vi.advanceTimersByTimeAsync(15_000);
  const seen = await asking;
  expect(asked).toHaveLength(1);
  expect(seen.away).toBe('github.com did not list the open pull requests within 15 s');
  const all = agreements(seen, ALL, new Map());
  expect(all.size).toBe(30);
  expect(new Set([...all.values()].map((one) => one.fault?.why))).toEqual(new Set([seen.away]));
});

it('one with many repositories is asked about as many as there is time for, the others next', async () => {
  const { asked, made } = side(1_000);
  for (const from of [0, 10, 20]) {
    const asking = askForge({ side: made, forks: NO_FORKS }, ALL, new Map(), never);
    await vi.advanceTimersByTimeAsync(11_000);
    const seen = await asking;
    expect(seen.away).toBeUndefined();
    expect(asked.splice(0)).toEqual(ALL.slice(from, from + 10).map((one) => one.name));
    await made.book.noteRepositories(agreements(seen, ALL, new Map()));
  }
  const { repositories } = await made.book.read();
  expect(repositories.size).toBe(30);
});

it('one repository that fails keeps no other from being asked about; two in a row are enough', async () => {
  const { made } = side(0);
  const failing = async (bad: readonly string[]) => {
    const asked: string[] = [];
    const pullRequests: ForgeSide['forge']['pullRequests'] = async (name) => {
      asked.push(name);
      if (bad.includes(name)) throw new ForgeFault('too large', { kind: 'transient' });
      return [];
    };
    const seen = await askForge(
      { side: { ...made, forge: { ...made.forge, pullRequests } }, forks: NO_FORKS },
      ALL.slice(0, 4),
      new Map(),
      never,
    );
    return [asked.length, seen.away];
  };
  expect(await failing(['acme/r0', 'acme/r2'])).toEqual([4, undefined]);
  expect(await failing(['acme/r1', 'acme/r2'])).toEqual([3, undefined]);
  expect(await failing(['acme/r0', 'acme/r1'])).toEqual([2, 'too large']);
});

it('ends with what it was given', async () => {
  const { made } = side(1_000);
  const over = new AbortController();
  const asking = askForge({ side: made, forks: NO_FORKS }, ALL, new Map(), over.signal);
  const ended = expect(asking).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(1);
  over.abort();
  await ended;
});
