/**
 * Which containers take so much of the host that their neighbours would wait, and what is done about it. Shares and quotas of CPU
 * time are not enough: a process that zeroes pages, forks or writes keeps its core for many milliseconds, whatever its weight, so
 * that whoever wakes on that core waits. A hog is therefore given cores that it shares with hogs alone, and a flood of logs, which
 * the engine itself copies, is slowed at its source. docs/adr/0010-hogs-are-set-apart.md has the figures.
 */
import type { BuildId, PreviewId } from './names.ts';

/** `apart`: on the cores of hogs; `slow`: there too, and with next to no CPU time. */
export type Share = 'usual' | 'apart' | 'slow';

/** What a running container has taken since it was made. */
export interface Taken {
  readonly container: string;
  readonly preview: PreviewId;
  readonly service: string;
  readonly build: BuildId;
  /** Seconds of CPU time. */
  readonly cpu: number;
  /** Bytes that its log grew by. */
  readonly log: number;
  /** What the engine gives it now. */
  readonly share: Share;
}

/** One look at the host. */
export interface Look {
  /** Milliseconds on a clock that does not jump. */
  readonly at: number;
  /** How much of the host's CPU time was used since the last look, 0 to 1. */
  readonly busy: number;
  readonly cores: number;
  readonly taken: readonly Taken[];
}

/** What is remembered of one container from look to look. */
export interface Known {
  readonly at: number;
  readonly cpu: number;
  readonly log: number;
  readonly share: Share;
  /** Bytes that its log may still grow by at once. */
  readonly allowance: number;
  /** For how many looks its preview has been greedy. */
  readonly greedy: number;
  /** No sooner is it given its usual share again. */
  readonly until: number;
  /** When it was last seen to be a hog. */
  readonly hogAt: number;
  /** How often it was a hog, which makes each time longer than the one before. */
  readonly times: number;
}

export type Memory = ReadonlyMap<string, Known>;

/** A container that is to have another share from now on. */
export interface Change {
  readonly of: Taken;
  readonly share: Share;
  /** Fit for the preview's log, behind the service's name. */
  readonly why: string;
}

/** From here on the host counts as busy; below it nobody waits long. */
export const BUSY = 0.8;
/** Cores that a preview may use on a busy host. */
export const GREEDY_CORES = 0.75;
/** Looks in a row: an app that starts is greedy for a moment. */
export const GREEDY_LOOKS = 2;
/** A container of a greedy preview that uses less is none of its hogs. */
const IDLE_CORES = 0.05;
/** A log may grow by so much at once, and by so much a second. */
export const LOG_BURST = 8 * 1024 * 1024;
export const LOG_RATE = 1024 * 1024;
/** How long the first time lasts; each further one twice as long as the one before. */
export const FIRST_MS: Readonly<Record<'apart' | 'slow', number>> = { apart: 5_000, slow: 30_000 };
const DOUBLINGS_MAX = 5;
/** After so long without being a hog the next time is a first one. */
const FORGIVEN_MS = 10 * 60_000;

/** What is to change after a look, and what to remember of it for the next. */
export function judge(memory: Memory, look: Look): { readonly memory: Memory; readonly changes: readonly Change[] } {
  const rates = new Map(look.taken.map((one) => [one.container, rateOf(memory.get(one.container), one, look.at)]));
  const usual = look.taken.filter((one) => one.share === 'usual');
  const byPreview = sums(usual, rates);
  const crowded = hogsFillTheirCores(look, rates);

  const next = new Map<string, Known>();
  const changes: Change[] = [];
  for (const one of look.taken) {
    const before = memory.get(one.container);
    if (!before) {
      next.set(one.container, first(one, look.at));
      continue;
    }
    const rate = rates.get(one.container) ?? 0;
    const uses = byPreview.get(one.preview) ?? 0;
    const greedy = look.busy >= BUSY && uses >= GREEDY_CORES && rate >= IDLE_CORES ? before.greedy + 1 : 0;
    const seconds = Math.max(0, look.at - before.at) / 1000;
    const allowance = Math.min(LOG_BURST, before.allowance + seconds * LOG_RATE - (one.log - before.log));
    const now: Known = { ...before, at: look.at, cpu: one.cpu, log: one.log, share: one.share, greedy, allowance };

    const change = decide(now, one, { rate, uses, crowded, at: look.at });
    if (change) changes.push({ of: one, ...change });
    next.set(one.container, change ? { ...now, ...afterwards(now, change.share, look.at) } : now);
  }
  return { memory: next, changes };
}

interface Circumstances {
  readonly rate: number;
  readonly uses: number;
  readonly crowded: boolean;
  readonly at: number;
}

function decide(
  now: Known,
  one: Taken,
  { rate, uses, crowded, at }: Circumstances,
): { readonly share: Share; readonly why: string } | undefined {
  if (one.share !== 'slow' && now.allowance < 0) {
    return {
      share: 'slow',
      why: `writes its log faster than ${mib(LOG_RATE)} MiB a second, after ${mib(LOG_BURST)} MiB at once: it is slowed down, so that its neighbours are not`,
    };
  }
  if (one.share === 'usual' && now.greedy >= GREEDY_LOOKS) {
    return {
      share: 'apart',
      why: `uses ${rate.toFixed(1)} cores of a busy host, its preview ${uses.toFixed(1)}: it runs on the cores kept for such, so that its neighbours do not wait`,
    };
  }
  if (one.share === 'slow' && at >= now.until) return { share: 'usual', why: 'has its usual share of the host again' };
  // Hogs that fill their cores look calm one by one.
  if (one.share === 'apart' && at >= now.until && (!crowded || rate < IDLE_CORES / 5)) {
    return { share: 'usual', why: 'has its usual share of the host again' };
  }
  return undefined;
}

/** What is remembered once a share has changed. */
function afterwards(now: Known, share: Share, at: number): Partial<Known> {
  const allowance = share === 'slow' || now.share === 'slow' ? LOG_BURST : now.allowance;
  if (share === 'usual') return { share, greedy: 0, allowance };
  const times = at - now.hogAt > FORGIVEN_MS ? 0 : now.times;
  const until = at + FIRST_MS[share] * 2 ** Math.min(times, DOUBLINGS_MAX);
  return { share, greedy: 0, until, hogAt: at, times: times + 1, allowance };
}

/** A container that Treehouse finds set apart, by the Treehouse before it, has its time to run from now on. */
function first(one: Taken, at: number): Known {
  const until = one.share === 'usual' ? at : at + FIRST_MS[one.share];
  return { ...one, at, allowance: LOG_BURST, greedy: 0, until, hogAt: at, times: one.share === 'usual' ? 0 : 1 };
}

/** Cores that it used since it was last seen; none for what is new. */
function rateOf(before: Known | undefined, one: Taken, at: number): number {
  if (!before || at <= before.at) return 0;
  return Math.max(0, one.cpu - before.cpu) / ((at - before.at) / 1000);
}

function sums(taken: readonly Taken[], rates: ReadonlyMap<string, number>): Map<string, number> {
  const all = new Map<string, number>();
  for (const one of taken) all.set(one.preview, (all.get(one.preview) ?? 0) + (rates.get(one.container) ?? 0));
  return all;
}

function hogsFillTheirCores(look: Look, rates: ReadonlyMap<string, number>): boolean {
  const hogs = look.taken.filter((one) => one.share !== 'usual');
  const used = hogs.reduce((sum, one) => sum + (rates.get(one.container) ?? 0), 0);
  return used >= coresOfHogs(look.cores).count / 2;
}

/**
 * The cores on which hogs run: all but a quarter, and but one at least, where there is more than one.
 * @returns `list` as the engine takes it, such as `1-3`.
 */
export function coresOfHogs(cores: number): { readonly list: string; readonly count: number } {
  const from = Math.min(cores - 1, Math.max(1, Math.floor(cores / 4)));
  return { list: range(from, cores - 1), count: cores - from };
}

export function allCores(cores: number): string {
  return range(0, cores - 1);
}

function range(from: number, to: number): string {
  return from === to ? String(to) : `${from}-${to}`;
}

function mib(bytes: number): number {
  return bytes / 1024 / 1024;
}
