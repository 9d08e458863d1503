/** What is remembered of GitHub's limits. */
import { describe, expect, it } from 'vitest';
import { createLimits, isLimited } from '../../src/github/limits.ts';

const NOON = Date.parse('2026-01-01T12:00:00Z');

function stage({ commentsPerHour = 500 } = {}) {
  let now = NOON;
  const limits = createLimits({ now: () => now, secondMs: 1_000, commentsPerHour });
  const wait = (kind: 'core' | 'graphql' = 'core') => {
    const until = limits.until(kind, false);
    return until === undefined ? 0 : (until - now) / 1_000;
  };
  const heard = (status: number, headers: Record<string, string> = {}, kind: 'core' | 'graphql' = 'core', text = '') =>
    limits.heard({ kind, status, headers: new Headers(headers), text });
  const pass = (seconds: number) => {
    now += seconds * 1_000;
  };
  return { limits, wait, heard, pass };
}

describe('limits of GitHub', () => {
  it('hold for all where they are secondary, until GitHub’s time is over', () => {
    const { wait, heard, pass } = stage();
    heard(403, { 'retry-after': '30' });
    expect([wait(), wait('graphql')]).toEqual([30, 30]);
    pass(10);
    heard(429, { 'retry-after': '5' });
    expect(wait()).toBe(20);
    pass(20);
    expect(wait()).toBe(0);
  });

  it('that say not when are a minute, then longer each time, until something came through', () => {
    const { wait, heard, pass } = stage();
    const waits = Array.from({ length: 6 }, () => {
      heard(403, {}, 'core', 'You have exceeded a secondary rate limit.');
      const seconds = wait();
      pass(seconds);
      return seconds;
    });
    expect(waits).toEqual([60, 120, 240, 480, 900, 900]);
    heard(200);
    heard(429);
    expect(wait()).toBe(60);
  });

  it('of the hour hold for one API, by GitHub’s own clock', () => {
    const { wait, heard, pass } = stage();
    // Ten minutes before this host's.
    const date = new Date(NOON - 600_000).toUTCString();
    const reset = String((NOON - 600_000) / 1_000 + 90);
    heard(200, { date, 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset }, 'graphql');
    expect([wait('graphql'), wait()]).toEqual([91, 0]);
    pass(91);
    expect(wait('graphql')).toBe(0);
  });

  it('of comments let the next one through when the oldest is an hour old', () => {
    const { limits, pass } = stage({ commentsPerHour: 2 });
    expect(limits.until('core', true)).toBeUndefined();
    pass(600);
    expect(limits.until('core', true)).toBeUndefined();
    expect(limits.until('core', true)).toBe(NOON + 3_600_000);
    expect(limits.until('core', false)).toBeUndefined();
    pass(3_000);
    expect(limits.until('core', true)).toBeUndefined();
    expect(limits.until('core', true)).toBe(NOON + 4_200_000);
  });

  it.each<[number, Record<string, string>, string, boolean]>([
    [429, {}, '', true],
    [403, { 'retry-after': '1' }, '', true],
    [403, { 'x-ratelimit-remaining': '0' }, '', true],
    [403, {}, 'You have exceeded a secondary rate limit', true],
    [403, { 'x-ratelimit-remaining': '4999' }, 'Resource not accessible by integration', false],
    [404, { 'retry-after': '1' }, '', false],
    [200, {}, 'rate limit', false],
  ])('are told from a missing permission: %i %o %s', (status, headers, text, isOne) => {
    expect(isLimited(status, new Headers(headers), text)).toBe(isOne);
  });
});
