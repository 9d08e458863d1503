/** Which preview is looked at when: never twice at once, few at a time, and again for whatever came in between. */
import type { PreviewId } from '../domain/names.ts';

export interface AgendaOptions {
  /**
   * Looks at one; `failures` counts those in a row that asked to be tried again.
   * @returns when it is to be tried again; undefined: it is done
   */
  work(id: PreviewId, failures: number): Promise<number | undefined>;
  now(): number;
  readonly sideBySide: number;
  /** Milliseconds between two looks at one, unless it is urgent. */
  readonly calmMs: number;
}

export interface Agenda {
  now(id: PreviewId): void;
  soon(id: PreviewId): void;
  /** Whether something urgent came since its look began. */
  isUrgent(id: PreviewId): boolean;
  /** Waits, but no longer than until the end. */
  pause(ms: number): Promise<void>;
  /** Resolves once nothing is due or under way, but after so many milliseconds at the latest. */
  quiet(ms: number): Promise<void>;
  /** Begins nothing more, and waits for what is under way. */
  stop(): Promise<void>;
}

interface Entry {
  /** When it is due; undefined where nothing is to be seen. */
  due: number | undefined;
  isUrgent: boolean;
  isAtWork: boolean;
  lastAt: number;
  failures: number;
  /** Not before: it was to be tried again only then. */
  notBefore: number;
}

export function openAgenda({ work, now, sideBySide, calmMs }: AgendaOptions): Agenda {
  const entries = new Map<PreviewId, Entry>();
  const running = new Set<Promise<void>>();
  const pauses = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;
  let pumping: NodeJS.Immediate | undefined;
  let isOver = false;

  function note(id: PreviewId, isUrgent: boolean): void {
    if (isOver) return;
    const entry = entries.get(id) ?? {
      ...{ due: undefined, isUrgent: false, isAtWork: false },
      ...{ lastAt: Number.NEGATIVE_INFINITY, failures: 0, notBefore: 0 },
    };
    entries.set(id, entry);
    entry.isUrgent ||= isUrgent;
    const at = Math.max(entry.notBefore, isUrgent ? now() : Math.max(now(), entry.lastAt + calmMs));
    entry.due = Math.min(entry.due ?? at, at);
    pumpSoon();
  }

  /** Once for all that is noted in one turn. */
  function pumpSoon(): void {
    pumping ??= setImmediate(pump);
  }

  function pump(): void {
    clearImmediate(pumping);
    pumping = undefined;
    clearTimeout(timer);
    if (isOver) return;
    const waiting = [...entries].filter(([, one]) => one.due !== undefined && !one.isAtWork);
    waiting.sort(([, a], [, b]) => Number(b.isUrgent) - Number(a.isUrgent) || (a.due ?? 0) - (b.due ?? 0));
    let next: number | undefined;
    for (const [id, entry] of waiting) {
      const due = entry.due ?? 0;
      if (due <= now() && running.size < sideBySide) begin(id, entry);
      else if (due > now()) next = Math.min(next ?? due, due);
    }
    // What is due and has no place begins when one that is at work ends.
    if (next !== undefined) timer = setTimeout(pump, Math.min(Math.max(1, next - now()), 2 ** 30));
  }

  function begin(id: PreviewId, entry: Entry): void {
    Object.assign(entry, { due: undefined, isUrgent: false, isAtWork: true, lastAt: now() });
    const looking = work(id, entry.failures)
      .then((again) => {
        entry.failures = again === undefined ? 0 : entry.failures + 1;
        entry.notBefore = again ?? 0;
        if (again !== undefined) entry.due = again;
      })
      .finally(() => {
        entry.isAtWork = false;
        running.delete(looking);
        // What is forgotten is looked at as if for the first time, which is right after so long.
        if (entry.due === undefined && entries.size > REMEMBERED_MAX) entries.delete(id);
        pumpSoon();
      });
    running.add(looking);
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (isOver) return resolve();
      const end = (): void => {
        clearTimeout(waiting);
        pauses.delete(end);
        resolve();
      };
      const waiting = setTimeout(end, ms);
      pauses.add(end);
    });
  }

  return {
    now: (id) => note(id, true),
    soon: (id) => note(id, false),
    isUrgent: (id) => entries.get(id)?.isUrgent === true,
    pause,
    async quiet(ms) {
      const until = now() + ms;
      const isBusy = () =>
        running.size > 0 || [...entries.values()].some((one) => one.due !== undefined && one.due <= now());
      while (isBusy() && now() < until) await pause(Math.min(QUIET_MS, until - now()));
    },
    async stop() {
      isOver = true;
      clearTimeout(timer);
      clearImmediate(pumping);
      for (const end of pauses) end();
      await Promise.all(running);
    },
  };
}

const QUIET_MS = 20;
/** Entries that are kept though nothing is to be seen, for the time of their last look. */
const REMEMBERED_MAX = 1_000;
