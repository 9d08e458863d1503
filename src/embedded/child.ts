/** Runs one long-lived program beside Treehouse: starts it, waits until it is ready, hears of its end, stops it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, TreehouseError } from '../errors.ts';

export interface ChildOptions {
  /** What it is, for messages: `the embedded Redis`. */
  readonly name: string;
  /** A path, or a name that is looked up on the PATH of `env`. */
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; PATH alone, as `STANDARD_PATH`, where none is given. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Asked again and again until it says true; a rejection counts as "not yet". */
  ready(): Promise<boolean>;
  /** Milliseconds until a child that is not ready is given up; default 15,000. */
  readonly readyWithin?: number;
  /** The signals that stop it, each with the milliseconds it is given; SIGKILL follows. Default SIGTERM, 5,000. */
  readonly stopWith?: readonly StopStep[];
  /** Takes each line that the child prints. */
  onLine?(line: string): void;
  /** Stops the child while it starts. */
  readonly signal?: AbortSignal;
  /**
   * Whether a Ctrl-C in Treehouse's terminal reaches the child too; default false: the child has a session of its own, so
   * that Treehouse can still use it while it drains.
   */
  readonly sharesTerminal?: boolean;
}

export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly wait: number;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** True where `stop` was called before. */
  readonly asked: boolean;
}

export interface Child {
  readonly pid: number;
  /** Resolves at the child's end, asked for or not; never rejects. */
  readonly exited: Promise<ChildExit>;
  /** The last lines that it printed, oldest first. */
  tail(): readonly string[];
  /** Resolves when the child is gone; running it again waits for the same end. */
  stop(): Promise<ChildExit>;
}

/** Where Debian keeps programs; `/usr/sbin` is missing on many users' own PATH, and nginx is there. */
export const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const TAIL_LINES = 20;
const READY_WITHIN = 15_000;
const READY_EVERY = 20;
const LAST_WORDS_WITHIN = 500;
const STOP_WITH: readonly StopStep[] = [{ signal: 'SIGTERM', wait: 5_000 }];

/** The path of a program, or undefined where none of the folders of `path` holds it. */
export function findProgram(name: string, path: string = STANDARD_PATH): string | undefined {
  for (const folder of path.split(':')) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // It may be in the next folder.
    }
  }
  return undefined;
}

/** @throws {TreehouseError} `process-failed` where it cannot be run, ends before it is ready, or is not ready in time. */
export async function startChild(options: ChildOptions): Promise<Child> {
  options.signal?.throwIfAborted();
  const running = await launch(options);
  const closed = once(running, 'close').catch(() => undefined);
  const child = manage(running, options);
  const limit = options.readyWithin ?? READY_WITHIN;
  try {
    const state = await untilReady(child, options, performance.now() + limit);
    if (state === 'ready') return child;
    // Its last words may still be in the pipe.
    if (state === 'gone') await within(closed, LAST_WORDS_WITHIN);
    const why = state === 'gone' ? endText(await child.exited) : `was not ready within ${limit / 1000} s`;
    throw new TreehouseError('process-failed', [`${options.name} ${why}`, ...child.tail()].join('\n  '));
  } catch (error) {
    await child.stop();
    throw error;
  }
}

function launch(options: ChildOptions): Promise<ChildProcess & { readonly pid: number }> {
  return new Promise((resolve, reject) => {
    const running = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.env ?? { PATH: STANDARD_PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: !(options.sharesTerminal ?? false),
    });
    running.once('error', (cause) => {
      const text = `${options.name} could not be started: ${messageOf(cause)}`;
      reject(new TreehouseError('process-failed', text, { cause }));
    });
    running.once('spawn', () => resolve(running as ChildProcess & { readonly pid: number }));
  });
}

function manage(running: ChildProcess & { readonly pid: number }, options: ChildOptions): Child {
  const lines: string[] = [];
  for (const stream of [running.stdout, running.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > TAIL_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  let asked = false;
  // A Treehouse that ends without stopping (an uncaught error) leaves no child behind either.
  const endWithTreehouse = () => void running.kill('SIGTERM');
  process.once('exit', endWithTreehouse);
  const exited = new Promise<ChildExit>((resolve) => {
    // Not 'close': a grandchild that keeps the pipes open would hide that the child itself is gone.
    running.once('exit', (code, signal) => {
      process.off('exit', endWithTreehouse);
      if (!options.sharesTerminal) endGroup(running.pid);
      resolve({ code, signal, asked });
    });
  });
  let stopping: Promise<ChildExit> | undefined;
  return {
    pid: running.pid,
    exited,
    tail: () => [...lines],
    stop() {
      asked = true;
      stopping ??= stopBySteps(running, exited, options.stopWith ?? STOP_WITH);
      return stopping;
    },
  };
}

/** A leader that was killed can leave its own children behind (nginx's workers go on serving); they are in its group. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left, as after every orderly end.
  }
}

async function stopBySteps(running: ChildProcess, exited: Promise<ChildExit>, steps: readonly StopStep[]) {
  for (const step of steps) {
    running.kill(step.signal);
    const end = await within(exited, step.wait);
    if (end) return end;
  }
  running.kill('SIGKILL');
  return exited;
}

async function untilReady(child: Child, options: ChildOptions, deadline: number): Promise<'ready' | 'gone' | 'late'> {
  while (performance.now() < deadline) {
    options.signal?.throwIfAborted();
    const ready = options.ready().catch(() => false);
    const state = await within(
      Promise.race([ready, child.exited.then(() => 'gone' as const)]),
      deadline - performance.now(),
    );
    if (state === 'gone') return 'gone';
    if (state === true) return 'ready';
    if (await within(child.exited, READY_EVERY)) return 'gone';
  }
  return 'late';
}

function endText({ code, signal }: ChildExit): string {
  return code === null ? `was ended by ${signal} before it was ready` : `ended with code ${code} before it was ready`;
}

/** What `promise` resolves to, or undefined once `milliseconds` are over. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  const done = new AbortController();
  const late = delay(Math.max(0, milliseconds), undefined, { signal: done.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}
