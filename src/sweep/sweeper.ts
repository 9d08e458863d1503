/** The timer: what no webhook told of, and what a crash left behind, is found by looking at everything. */
import type { Sweep, SweepReport } from '../domain/sweep.ts';
import { messageOf } from '../errors.ts';
import { agreements, type ForgeSeen } from './ask-forge.ts';
import { carryOut, lineOf } from './carry-out.ts';
import { decide, type Memory } from './decide.ts';
import type { SweepDeps } from './deps.ts';
import { lostRounds } from './lost-deliveries.ts';
import { noteAnswers } from './note-answers.ts';
import { observeAll } from './observe.ts';

export interface Sweeper {
  /** Sweeps once, after those that were asked for before. @throws where the engine, the gateway or Redis does not answer. */
  readonly sweep: Sweep;
  stop(): Promise<void>;
}

export interface SweeperOptions {
  /** Milliseconds between two sweeps, give or take a tenth. */
  readonly everyMs: number;
  /** Milliseconds for which a thing must have been seen to belong to nothing. */
  readonly graceMs: number;
}

/** Sweeps at once, and then again and again. */
export function startSweeping(deps: SweepDeps, options: SweeperOptions): Sweeper {
  const over = new AbortController();
  let memory: Memory = { firstSeen: new Map(), isFirst: true };
  let last: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const lost = deps.forge && lostRounds(deps.forge, deps.log);
  /** Of which it was said that the forge told nothing. */
  let untold: ReadonlySet<string> = new Set();

  async function once(dryRun: boolean): Promise<SweepReport> {
    over.signal.throwIfAborted();
    if (!dryRun) lost?.begin();
    const { seen, should } = await observeAll(deps, over.signal);
    // Not the time of day: a clock that jumps would end every grace.
    const time = { now: performance.now(), graceMs: options.graceMs };
    const { decisions, firstSeen } = decide(seen, memory, time, should);
    if (dryRun) return { dryRun, lines: decisions.map(lineOf) };
    // Before anything is looked at for what it says.
    const unnoted = await noted(seen.forge);
    const lines = [...unnoted, ...(await carryOut(deps, decisions, over.signal))];
    const isHinted = lines.every((one) => one.action !== 'hint' || one.failed === undefined);
    memory = { firstSeen, isFirst: memory.isFirst && !isHinted };
    if (isHinted) {
      for (const { repository, heads } of seen.repositories) {
        if (!('unread' in heads)) deps.onHeads?.(repository, heads);
      }
    }
    report(lines);
    deps.onSwept?.(lines);
    return { dryRun, lines };
  }

  /** @returns what of it could not be noted */
  async function noted(seen: ForgeSeen | undefined): Promise<SweepReport['lines']> {
    if (!seen || !deps.forge) return [];
    const unnoted = await noteAnswers(deps, seen);
    await deps.forge.book.noteRepositories(agreements(seen, deps.repositories(), unnoted)).catch((error: unknown) => {
      deps.log.warn({ reason: messageOf(error) }, 'when it was agreed with the forge could not be noted');
    });
    return [...unnoted].map(([name, failed]) => {
      return { what: 'pull requests', name, action: 'note', why: 'what the forge said of them', failed };
    });
  }

  function report(lines: SweepReport['lines']): void {
    const silent = new Set<string>();
    for (const { what, name, action, why, failed } of lines) {
      const fields = { what, name, why };
      if (what === 'pull requests' && action === 'leave') {
        silent.add(name);
        // Once, until it tells again.
        if (!untold.has(name)) deps.log.warn(fields, 'the forge did not tell of pull requests');
        continue;
      }
      if (failed !== undefined) deps.log.warn({ ...fields, action, reason: failed }, 'a part of a sweep failed');
      else if (action === 'remove') deps.log.info(fields, 'removed what belonged to nothing');
      else if (what === 'pull requests') deps.log.info(fields, 'a pull request of a fork is other than was known');
      else if (what === 'repository' || what === 'place') deps.log.warn(fields, 'a part of the world was not swept');
    }
    untold = silent;
  }

  const sweep: Sweep = ({ dryRun }) => {
    const mine = last.then(() => once(dryRun));
    last = mine.catch(() => undefined);
    return mine;
  };

  function next(): void {
    if (over.signal.aborted) return;
    // Several Treehouses that were started together do not ask one remote at once for ever.
    timer = setTimeout(byItself, options.everyMs * (0.9 + Math.random() * 0.2));
  }

  function byItself(): void {
    sweep({ dryRun: false })
      .catch((error: unknown) => {
        if (!over.signal.aborted) deps.log.warn({ reason: messageOf(error) }, 'a sweep failed');
      })
      .finally(next);
  }

  byItself();
  return {
    sweep,
    async stop() {
      over.abort();
      clearTimeout(timer);
      await Promise.all([last, lost?.stop()]);
    },
  };
}
