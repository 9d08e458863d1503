/** Runs one program to its end: an argv, an explicit environment, a time limit, an AbortSignal, and never a shell. */
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { execa } from 'execa';
import { abortReason, TreehouseError } from '../errors.ts';

export interface ProcessRequest {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Undefined: until it ends or the signal is aborted. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
  /** Takes each line of stdout and stderr as it comes; a carriage return ends a line too, so bars show as lines. */
  readonly onLine?: (line: string) => void;
  /** Bytes kept of each of stdout and stderr, the end of them; 10 MB unless told. */
  readonly maxOutputBytes?: number;
  /** Exit codes that are answers, beside 0. */
  readonly allowExit?: readonly number[];
  /** What the process is run for ("building web"), the first words of the error's message. */
  readonly act?: string;
}

export interface ProcessResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** Whether output was longer than `maxOutputBytes`, so that its beginning is missing. */
  readonly truncated: boolean;
}

/** Why a process gave no result. `tail` is what it said last: unscrubbed, so to be judged before it is shown. */
export class ProcessError extends TreehouseError {
  /** The program and its verb, `docker compose`; never more of its arguments. */
  readonly command: string;
  /** Undefined where it was ended by a signal or never began. */
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  readonly aborted: boolean;
  readonly tail: string;

  constructor(message: string, facts: ProcessFacts) {
    super('process-failed', message, {
      kind: facts.exitCode === undefined ? 'transient' : 'terminal',
      cause: facts.cause,
    });
    this.name = 'ProcessError';
    this.command = facts.command;
    this.exitCode = facts.exitCode;
    this.timedOut = facts.timedOut;
    this.aborted = facts.aborted;
    this.tail = facts.tail;
  }
}

interface ProcessFacts {
  readonly command: string;
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  readonly aborted: boolean;
  readonly tail: string;
  readonly cause: unknown;
}

const LINE_MAX = 16 * 1024;
const OUTPUT_MAX = 10 * 1024 * 1024;
const TAIL_MAX = 16 * 1024;
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5_000;
/** From SIGKILL until pipes that an escaped grandchild still holds are let go. */
const LET_GO_MS = 1_000;

/** Groups that run now. They are no longer of our own group, so an exit of ours must end them by hand. */
const runningGroups = new Set<number>();
process.on('exit', () => {
  for (const group of runningGroups) signalGroup(group, 'SIGKILL');
});

/**
 * Settles only when the process has ended, and with it, where it was aborted or timed out, its whole process group.
 * @throws {ProcessError} unless it exits with 0 or one of `allowExit`.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  const name = commandName(request);
  if (request.signal.aborted) throw failure(request, { ended: 'aborted', tail: '', exitCode: undefined });

  const child = execa(request.command, request.args, {
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    ...(request.input === undefined ? { stdin: 'ignore' as const } : { input: request.input }),
    env: request.env,
    extendEnv: false,
    // A group of its own, so that a signal reaches the children too; execa's own limits would reach only the first.
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
  });
  const limit = request.maxOutputBytes ?? OUTPUT_MAX;
  const stdout = collect(child.stdout, limit, request.onLine);
  const stderr = collect(child.stderr, limit, request.onLine);

  const group = child.pid;
  let ended: 'itself' | 'aborted' | 'timed out' = 'itself';
  const timers: NodeJS.Timeout[] = [];
  const end = (cause: 'aborted' | 'timed out') => {
    if (ended !== 'itself' || group === undefined) return;
    ended = cause;
    signalGroup(group, 'SIGTERM');
    timers.push(setTimeout(() => signalGroup(group, 'SIGKILL'), GRACE_MS));
    timers.push(
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, GRACE_MS + LET_GO_MS),
    );
  };
  const onAbort = () => end('aborted');
  request.signal.addEventListener('abort', onAbort, { once: true });
  if (request.timeoutMs !== undefined) timers.push(setTimeout(() => end('timed out'), request.timeoutMs));
  if (group !== undefined) runningGroups.add(group);

  const result = await child;

  request.signal.removeEventListener('abort', onAbort);
  for (const timer of timers) clearTimeout(timer);
  if (group !== undefined) {
    runningGroups.delete(group);
    if (wasEnded(ended)) signalGroup(group, 'SIGKILL');
  }
  stdout.finish();
  stderr.finish();

  const exitCode = result.exitCode;
  const good = exitCode === 0 || (exitCode !== undefined && request.allowExit?.includes(exitCode));
  if (exitCode !== undefined && good && !wasEnded(ended)) {
    return { stdout: stdout.text(), stderr: stderr.text(), exitCode, truncated: stdout.cut() || stderr.cut() };
  }
  const said = stderr.text().trim() === '' ? stdout.text() : stderr.text();
  throw failure(request, {
    ended,
    tail: said.slice(-TAIL_MAX).trim(),
    exitCode: wasEnded(ended) ? undefined : exitCode,
    reason: result.code === undefined ? undefined : `${name} could not be started (${result.code})`,
    signalName: result.signal,
  });
}

/** Apart, because the compiler takes `ended` for what it was before the await. */
function wasEnded(ended: 'itself' | 'aborted' | 'timed out'): boolean {
  return ended !== 'itself';
}

interface Failure {
  readonly ended: 'itself' | 'aborted' | 'timed out';
  readonly tail: string;
  readonly exitCode: number | undefined;
  readonly reason?: string | undefined;
  readonly signalName?: string | undefined;
}

function failure(request: ProcessRequest, { ended, tail, exitCode, reason, signalName }: Failure): ProcessError {
  const command = commandName(request);
  const what =
    ended === 'aborted'
      ? `${command} was stopped`
      : ended === 'timed out'
        ? `${command} took longer than ${(request.timeoutMs ?? 0) / 1000} s`
        : exitCode !== undefined
          ? `${command} exited with code ${exitCode}`
          : (reason ?? `${command} was ended by ${signalName ?? 'a signal'}`);
  return new ProcessError(request.act === undefined ? what : `${request.act} failed: ${what}`, {
    command,
    exitCode,
    timedOut: ended === 'timed out',
    aborted: ended === 'aborted',
    tail,
    cause: ended === 'aborted' ? abortReason(request.signal) : undefined,
  });
}

/** An argument may be a secret: only a first one that is a plain word, a verb, is shown. */
function commandName({ command, args }: ProcessRequest): string {
  const verb = args[0] !== undefined && /^[a-z][a-z-]{0,30}$/.test(args[0]) ? ` ${args[0]}` : '';
  return `${basename(command)}${verb}`;
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Gone already, which is what was wanted.
  }
}

interface Collected {
  finish(): void;
  text(): string;
  cut(): boolean;
}

/** Keeps the last `limit` bytes of a stream, and hands its lines on as they come. */
function collect(stream: Readable, limit: number, onLine: ((line: string) => void) | undefined): Collected {
  const lines = onLine && lineSplitter(onLine);
  let chunks: Buffer[] = [];
  let size = 0;
  let cut = false;
  const trim = () => {
    const kept = Buffer.concat(chunks).subarray(-limit);
    cut ||= kept.length < size;
    chunks = [kept];
    size = kept.length;
  };
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit * 2) trim();
    lines?.take(chunk);
  });
  return {
    finish() {
      trim();
      lines?.finish();
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
    cut: () => cut,
  };
}

/** Cuts a stream of bytes into lines, and longer ones to LINE_MAX. */
export function lineSplitter(onLine: (line: string) => void): { take(chunk: Buffer): void; finish(): void } {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  let long = false;
  let afterReturn = false;
  const emit = () => {
    onLine(long ? `${pending} …` : pending);
    pending = '';
    long = false;
  };
  const add = (text: string) => {
    const room = LINE_MAX - pending.length;
    if (text.length > room) long = true;
    pending += text.slice(0, room);
  };
  const takeText = (text: string) => {
    for (const part of text.split(/([\r\n])/)) {
      if (part === '') continue;
      if (part === '\n') {
        if (!afterReturn || pending !== '') emit();
      } else if (part === '\r') {
        if (pending !== '') emit();
      } else {
        add(part);
      }
      afterReturn = part === '\r';
    }
  };
  return {
    take: (chunk) => takeText(decoder.write(chunk)),
    finish() {
      takeText(decoder.end());
      if (pending !== '') emit();
    },
  };
}
