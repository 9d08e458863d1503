/** Takes hints and runs converge: one run of a preview at a time among all workers, several previews side by side. */
import { type Job, Worker } from 'bullmq';
import type { Logger } from 'pino';
import { type PreviewId, parsePreviewId } from '../domain/names.ts';
import type { ConvergeContext, Outcome } from '../domain/outcome.ts';
import type { Hints } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { settledWithin } from '../time-limit.ts';
import { type HintJob, onHinted, type QueueOptions } from './hints.ts';
import { type HeldPreview, openHolds } from './holds.ts';
import { promote, settle } from './later.ts';
import { DEFAULT_PREFIX, QUEUE } from './names.ts';
import { outcomeOf } from './outcome.ts';

export type Converge = (id: PreviewId, context: ConvergeContext) => Promise<Outcome>;

export interface WorkerOptions extends QueueOptions {
  readonly converge: Converge;
  readonly hints: Hints;
  readonly log: Logger;
  /** Previews that are converged side by side. */
  readonly concurrency: number;
  /** How often hints for later are looked through. */
  readonly promoteEveryMs?: number;
  /** Until a dead worker's jobs are taken over. A synchronous block longer than this makes two runs of one job. */
  readonly lockMs?: number;
  /** Milliseconds since the epoch; the system's clock unless told. */
  now?(): number;
}

export interface HintWorker {
  /** Previews that are worked on, by this worker or another. @throws transient `queue-away` */
  atWork(): Promise<readonly HeldPreview[]>;
  /**
   * Does `work` while no worker converges the preview; those that come meanwhile wait. It takes none of the places.
   * @param work its signal is aborted when Treehouse stops
   * @returns false, undone, where one does. @throws transient `queue-away`
   */
  hold(id: PreviewId, work: (signal: AbortSignal) => Promise<void>): Promise<boolean>;
  /** Takes no new jobs, lets the running ones end for `graceMs`, aborts the rest and waits for them too. */
  stop(graceMs: number): Promise<void>;
}

interface Run {
  readonly id: PreviewId;
  readonly jobId: string | undefined;
  readonly abort: AbortController;
  /** Whether the job may be another worker's by now. */
  lost: boolean;
  readonly listeners: Set<() => void>;
  /** Settles once converge has ended. */
  readonly converged: Deferred;
  /** Settles once Redis has heard of it too. */
  readonly ended: Deferred;
}

interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
}

/** After the runs have ended, how long Redis is given to hear of it; what it does not hear is run again. */
const CLOSE_MS = 3_000;

const LOST: Outcome = { kind: 'again', cause: 'the hold on it was lost', afterMs: 0 };
/** What that worker does may be what was hinted, or may have begun before it. */
const TAKEN: Outcome = { kind: 'again', cause: 'another worker is at it', afterMs: 500 };

export function startWorker(options: WorkerOptions): HintWorker {
  const { log, converge } = options;
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  const lockMs = options.lockMs ?? 3_000;
  const connection = options.redis.patient();
  const runs = new Map<PreviewId, Run>();
  const holds = openHolds({ redis: options.redis, prefix, leaseMs: lockMs, now: options.now ?? Date.now });
  let stopping: Promise<void> | undefined;

  const worker = new Worker<HintJob>(QUEUE, process, {
    connection,
    prefix,
    concurrency: options.concurrency,
    lockDuration: lockMs,
    stalledInterval: Math.round(lockMs * 0.4),
    // A job is never given up: a preview whose worker died ten times is still to be converged.
    maxStalledCount: 1_000_000,
    runRetryDelay: 1_000,
    removeOnComplete: { count: 100 },
    removeOnFail: { count: 100 },
  });
  worker.on('error', (error) => {
    if (!isConnectionError(error)) log.warn({ reason: error.message }, 'the queue reports an error');
  });
  worker.on('stalled', (job) => log.warn({ job }, 'a job is taken over from a worker that went silent'));
  worker.on('lockRenewalFailed', (jobs) => {
    for (const run of runs.values()) {
      if (run.jobId !== undefined && jobs.includes(run.jobId)) lose(run);
    }
  });

  const unsubscribe = onHinted({
    ...options,
    onHint: (id) => nudge(runs.get(id)),
    onGap: () => {
      for (const run of runs.values()) nudge(run);
    },
  });

  const ticker = tick(options.promoteEveryMs ?? 500, async () => {
    try {
      if (connection.status === 'ready') await promote(connection, prefix, options.hints);
    } catch (error) {
      log.debug({ reason: messageOf(error) }, 'hints for later wait');
    }
  });

  async function process(job: Job<HintJob>): Promise<void> {
    const id = parsePreviewId(String(job.data?.preview));
    if (!id) {
      log.error({ job: job.id }, 'a job without a preview was dropped');
      return;
    }
    const holder = runs.get(id);
    if (holder && holder.jobId === job.id) {
      // The hold was lost and the same job came back to this worker. BullMQ keeps locks by job, and would stop renewing this
      // one when the first run ends; so the job is done with here, and a new one takes its place.
      await settle(connection, prefix, { id, outcome: LOST, crashed: false });
      return;
    }
    // A run that lost its hold may still be undoing its work.
    for (let before = runs.get(id); before; before = runs.get(id)) {
      nudge(before);
      await before.ended.promise;
    }
    await alone(newRun(id, job.id), perform);
  }

  /** `work` as the one run of its preview. */
  async function alone(run: Run, work: (run: Run) => Promise<void>): Promise<void> {
    runs.set(run.id, run);
    try {
      await work(run);
    } finally {
      runs.delete(run.id);
      run.converged.resolve();
      run.ended.resolve();
    }
  }

  function lose(run: Run): void {
    run.lost = true;
    run.abort.abort(stopped(`the hold on ${run.id} was lost; it is looked at again`));
  }

  /** `work` while no other worker does any on the preview; undefined, undone, where one does. */
  async function held<T>(run: Run, work: () => Promise<T>): Promise<T | undefined> {
    const letGo = await holds.take(run.id, () => lose(run));
    if (!letGo) return undefined;
    try {
      return await work();
    } finally {
      await letGo();
    }
  }

  async function perform(run: Run): Promise<void> {
    const { id } = run;
    const began = performance.now();
    let outcome: Outcome;
    let crash: { readonly err: unknown } | undefined;
    try {
      if (stopping) throw stopped('Treehouse is stopping');
      outcome = (await held(run, () => begin(run))) ?? TAKEN;
    } catch (error) {
      // Whatever an aborted run ends with, it ends for that reason.
      const reason = run.abort.signal.aborted ? run.abort.signal.reason : error;
      if (!(reason instanceof TreehouseError)) crash = { err: reason };
      outcome = outcomeOf(reason);
    }
    run.converged.resolve();
    // What such a run ends with must not undo what the other worker asked for.
    if (run.lost) outcome = LOST;
    const settled = await settle(connection, prefix, { id, outcome, crashed: crash !== undefined });
    const fields = { preview: id, outcome: outcome.kind, ms: Math.round(performance.now() - began), ...settled };
    if (crash) log.error({ ...fields, ...crash }, 'converge crashed');
    else log.info({ ...fields, ...('cause' in outcome ? { cause: outcome.cause } : {}) }, 'converge ended');
  }

  function begin(run: Run): Promise<Outcome> {
    return converge(run.id, {
      signal: run.abort.signal,
      onNudge: (listener) => {
        run.listeners.add(listener);
        return () => run.listeners.delete(listener);
      },
    });
  }

  async function allConverged(): Promise<void> {
    for (;;) {
      const open = [...runs.values()].map((run) => run.converged.promise);
      await Promise.all(open);
      if (runs.size === open.length) return;
    }
  }

  async function shutDown(graceMs: number): Promise<void> {
    ticker.stop();
    const closed = worker.close();
    const grace = setTimeout(() => {
      for (const run of runs.values()) run.abort.abort(stopped('Treehouse is stopping'));
    }, graceMs);
    // A job that was on its way here when stopping began may still appear.
    await Promise.race([closed, allConverged()]);
    clearTimeout(grace);
    // BullMQ waits for ever for the end of a connection that was already lost.
    await settledWithin(CLOSE_MS, closed);
    unsubscribe();
    connection.disconnect();
    holds.close();
    await ticker.idle;
  }

  return {
    atWork: () => holds.all(),
    async hold(id, work) {
      if (stopping || runs.has(id)) return false;
      let isDone = false;
      await alone(newRun(id, undefined), async (run) => {
        await held(run, async () => {
          isDone = true;
          await work(run.abort.signal);
        });
      });
      return isDone;
    },
    stop: (graceMs) => {
      stopping ??= shutDown(graceMs);
      return stopping;
    },
  };
}

/** @param jobId undefined where it is no job's */
function newRun(id: PreviewId, jobId: string | undefined): Run {
  return {
    id,
    jobId,
    abort: new AbortController(),
    lost: false,
    listeners: new Set(),
    converged: deferred(),
    ended: deferred(),
  };
}

function deferred(): Deferred {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function nudge(run: Run | undefined): void {
  for (const listener of run?.listeners ?? []) listener();
}

function stopped(message: string): TreehouseError {
  return new TreehouseError('stopped', message, { kind: 'transient' });
}

/** The connections log an outage themselves, once. */
function isConnectionError(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code ?? '') || error.message === 'Connection is closed.';
}

/** Does `work` again and again, `ms` apart, never twice at once. */
function tick(ms: number, work: () => Promise<void>): { stop(): void; readonly idle: Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let on = true;
  let idle = Promise.resolve();
  const next = () => {
    timer = setTimeout(() => {
      idle = work().finally(() => {
        if (on) next();
      });
    }, ms);
  };
  next();
  return {
    stop: () => {
      on = false;
      clearTimeout(timer);
    },
    get idle() {
      return idle;
    },
  };
}
