/** Which preview is looked at when; the clock is the test's own. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PreviewId } from '../../src/domain/names.ts';
import { backOff } from '../../src/report/again.ts';
import { type Agenda, openAgenda } from '../../src/report/agenda.ts';

const CALM = 10_000;
const [A, B, C] = ['a', 'b', 'c'] as PreviewId[] as [PreviewId, PreviewId, PreviewId];

let looks: string[];
let answers: (number | undefined)[];
let takes: number;
let agenda: Agenda;
let atOnce: number;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  [looks, answers, takes, atOnce] = [[], [], 0, 0];
  let running = 0;
  agenda = openAgenda({
    async work(id, failures) {
      // What is put off to the end of a turn costs a fake clock a millisecond.
      const at = Math.floor(Date.now() / 10) * 10;
      looks.push(`${id} at ${at}${failures === 0 ? '' : ` after ${failures}`}`);
      running += 1;
      atOnce = Math.max(atOnce, running);
      if (takes > 0) await new Promise((resolve) => setTimeout(resolve, takes));
      running -= 1;
      return answers.shift();
    },
    ...{ now: Date.now, sideBySide: 2, calmMs: CALM },
  });
});

afterEach(async () => {
  // By the clock that its timers are of: the real one would be harmed by them.
  const over = agenda.stop();
  await vi.runAllTimersAsync();
  await over;
  vi.useRealTimers();
});

describe('the agenda', () => {
  it('looks once at what was told of many times', async () => {
    for (let at = 0; at < 100; at += 1) agenda.soon(A);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toEqual(['a at 0']);
  });

  it('looks again after a while at what changes, and at once at what came to its end', async () => {
    agenda.soon(A);
    await vi.advanceTimersByTimeAsync(1_000);
    agenda.soon(A);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(looks).toEqual(['a at 0']);
    agenda.now(A);
    await vi.advanceTimersByTimeAsync(20_000);
    // What was to be seen later has been seen with it.
    expect(looks).toEqual(['a at 0', 'a at 5000']);
  });

  it('looks again at what came while it looked, never twice at once', async () => {
    takes = 3_000;
    agenda.now(A);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(agenda.isUrgent(A)).toBe(false);
    agenda.now(A);
    expect(agenda.isUrgent(A)).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toEqual(['a at 0', 'a at 3000']);
    expect(atOnce).toBe(1);
  });

  it('looks at few at a time, at the urgent ones first', async () => {
    takes = 1_000;
    for (const id of [A, B]) agenda.soon(id);
    await vi.advanceTimersByTimeAsync(10);
    agenda.soon('d' as PreviewId);
    agenda.now(C);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toEqual(['a at 0', 'b at 0', 'c at 1000', 'd at 1000']);
    expect(atOnce).toBe(2);
  });

  it('tries again when it is told to, not before, whatever comes meanwhile', async () => {
    answers = [30_000, 45_000];
    agenda.now(A);
    await vi.advanceTimersByTimeAsync(1_000);
    agenda.now(A);
    agenda.soon(A);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toEqual(['a at 0', 'a at 30000 after 1', 'a at 45000 after 2']);
  });

  it('ends with what is under way, and begins nothing more', async () => {
    takes = 1_000;
    agenda.now(A);
    await vi.advanceTimersByTimeAsync(10);
    agenda.now(B);
    agenda.soon(A);
    let isOver = false;
    const stopping = agenda.stop().then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(500);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    await stopping;
    agenda.now(C);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toEqual(['a at 0']);
  });
});

it('is longer patient after each failure, to a limit, and keeps the time that the forge named', () => {
  const patience = { firstMs: 1_000, mostMs: 60_000 };
  for (const [failures, most] of [
    [0, 1_000],
    [3, 8_000],
    [50, 60_000],
  ] as const) {
    const ms = backOff(failures, undefined, 0, patience);
    expect(ms).toBeGreaterThanOrEqual(most / 2);
    expect(ms).toBeLessThanOrEqual(most);
  }
  const told = backOff(2, 90_000, 10_000, patience);
  expect(told).toBeGreaterThanOrEqual(80_000);
  expect(told).toBeLessThanOrEqual(81_000);
});
