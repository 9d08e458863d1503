/** Commands that people run over WebSockets: how many there may be, and what ends them. */
import { on, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { ExecRequest, RunningExec } from '../domain/exec.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { type Ended, encodeOutput, laterSchema, readJson, startSchema } from './exec-protocol.ts';

export interface ExecLimits {
  /** At once, of all and of one token. */
  readonly all: number;
  readonly each: number;
  /** Milliseconds in which nothing is typed and nothing is printed. */
  readonly idleMs: number;
  /** Milliseconds between two looks at whether who asked still may. */
  readonly checkMs: number;
}

export const EXEC_LIMITS: ExecLimits = { all: 32, each: 8, idleMs: 30 * 60_000, checkMs: 5_000 };

export interface Session {
  /** Of the token. */
  readonly who: string;
  /** Begins the command, once it is known. */
  begin(request: ExecRequest): Promise<RunningExec>;
  isStillAllowed(): Promise<boolean>;
  /** Told where something of a command could not be ended. */
  leftBehind(): void;
}

export interface ExecSessions {
  /** Undefined where there is room for another, else why there is none. */
  full(who: string): string | undefined;
  /** Resolves once the command has ended, whoever ended it. */
  run(accept: () => Promise<WebSocket>, session: Session): Promise<void>;
  /** Ends them all. */
  stop(): Promise<void>;
}

/** So that what stands before us does not take silence for an end, and that one who went is missed though nothing of it is read. */
const PING_MS = 10_000;
const START_MS = 10_000;
/** For a client that does not read. */
const LAST_WORD_MS = 2_000;
/** Messages that wait for a slow command; of a client no more are read. */
const WAITING = { highWaterMark: 8, lowWaterMark: 2 };

export function execSessions(limits: ExecLimits = EXEC_LIMITS): ExecSessions {
  const open = new Map<Promise<void>, { readonly who: string; readonly over: AbortController }>();
  return {
    full(who) {
      if (open.size >= limits.all) return `There are ${open.size} commands already: wait until one ends.`;
      const own = [...open.values()].filter((one) => one.who === who).length;
      return own >= limits.each ? `Your token runs ${own} commands already: end one.` : undefined;
    },
    run(accept, session) {
      const over = new AbortController();
      const running = accept()
        .then(
          (socket) => serve(socket, session, over, limits),
          () => undefined, // Who asked has gone, or speaks no WebSocket.
        )
        .finally(() => open.delete(running));
      open.set(running, { who: session.who, over });
      return running;
    },
    async stop() {
      for (const { over } of open.values()) over.abort(stopped('Treehouse is stopping'));
      await Promise.all(open.keys());
    },
  };
}

async function serve(socket: WebSocket, session: Session, over: AbortController, limits: ExecLimits): Promise<void> {
  socket.once('close', () => over.abort(stopped('the connection closed')));
  socket.on('error', () => over.abort(stopped('the connection broke')));
  const messages = on(socket, 'message', { signal: over.signal, close: ['close'], ...WAITING }) as Messages;
  const ended = await converse(socket, messages, session, over, limits).catch(
    (error: unknown): Ended => ({
      type: 'failed',
      detail: messageOf(over.signal.aborted ? over.signal.reason : error),
    }),
  );
  over.abort(stopped('it ended'));
  if (socket.readyState !== socket.OPEN) return socket.terminate();
  await Promise.race([say(socket, ended), delay(LAST_WORD_MS, undefined, { ref: false })]).catch(() => undefined);
  socket.close(1000);
  setTimeout(() => socket.terminate(), LAST_WORD_MS).unref();
}

type Messages = AsyncIterableIterator<readonly [Buffer, boolean]>;

async function converse(
  socket: WebSocket,
  messages: Messages,
  session: Session,
  over: AbortController,
  limits: ExecLimits,
): Promise<Ended> {
  const { signal } = over;
  const request = await started(messages, over);
  signal.throwIfAborted();
  const exec = await session.begin(request);
  const watch = keepWatch(socket, session, over, limits);
  try {
    signal.throwIfAborted();
    // A broken pipe is the command's end, which its output tells.
    const done = new AbortController();
    const feeding = feed(messages, exec, AbortSignal.any([signal, done.signal]), watch.stir).catch((error: unknown) => {
      if (error instanceof TreehouseError) over.abort(error);
    });
    signal.addEventListener('abort', () => void exec.input.destroy(), { once: true });
    for await (const piece of exec.output) {
      watch.stir();
      await send(socket, encodeOutput(piece), signal);
    }
    signal.throwIfAborted();
    const code = await exec.exitCode();
    done.abort();
    await messages.return?.();
    await feeding;
    if (code === undefined) throw stopped('the engine lost sight of it');
    return { type: 'exit', code };
  } finally {
    watch.end();
    if (!(await exec.end().catch(() => false))) session.leftBehind();
  }
}

async function started(messages: Messages, over: AbortController): Promise<ExecRequest> {
  const timer = setTimeout(() => over.abort(stopped('no command came')), START_MS);
  const first = await messages.next().finally(() => clearTimeout(timer));
  if (first.done === true) throw stopped('the connection closed');
  const [data, isBinary] = first.value;
  const parsed = startSchema.safeParse(isBinary ? undefined : readJson(String(data)));
  if (!parsed.success) throw stopped(`the first message is not a start: ${parsed.error.issues[0]?.message}`);
  return { command: parsed.data.command, terminal: parsed.data.terminal ?? undefined };
}

/** What is typed goes to the command no faster than it reads. */
async function feed(messages: Messages, exec: RunningExec, signal: AbortSignal, stir: () => void): Promise<void> {
  for await (const [data, isBinary] of messages) {
    stir();
    if (isBinary) {
      if (!exec.input.write(data)) await once(exec.input, 'drain', { signal });
      continue;
    }
    const later = laterSchema.safeParse(readJson(String(data)));
    if (!later.success) throw stopped('a message came that is none of ours');
    if (later.data.type === 'end') exec.input.end();
    else await exec.resize(later.data);
  }
}

function keepWatch(socket: WebSocket, session: Session, over: AbortController, limits: ExecLimits) {
  const minutes = Math.round(limits.idleMs / 60_000);
  const idle = setTimeout(() => over.abort(stopped(`nothing happened for ${minutes} minutes`)), limits.idleMs);
  const ping = setInterval(() => socket.ping(), PING_MS);
  const check = setInterval(() => {
    session.isStillAllowed().then(
      (isAllowed) => isAllowed || over.abort(stopped('the token may no more')),
      () => undefined,
    );
  }, limits.checkMs);
  return {
    stir: () => void idle.refresh(),
    end() {
      clearTimeout(idle);
      clearInterval(ping);
      clearInterval(check);
    },
  };
}

/** Resolves once the system has taken it, so that nothing piles up here for a client that does not read. */
function send(socket: WebSocket, data: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = () => reject(signal.reason);
    signal.addEventListener('abort', give, { once: true });
    socket.send(data, (error) => {
      signal.removeEventListener('abort', give);
      if (error) reject(error);
      else resolve();
    });
  });
}

function say(socket: WebSocket, ended: Ended): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(JSON.stringify(ended), (error) => (error ? reject(error) : resolve()));
  });
}

function stopped(why: string): TreehouseError {
  return new TreehouseError('stopped', why);
}
