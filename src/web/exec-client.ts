/** A command in a preview, from the command line's side of its WebSocket. */
import { on, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { decodeOutput, type Ended, readJson } from '../api/exec-protocol.ts';
import type { TerminalSize } from '../domain/exec.ts';
import { messageOf, TreehouseError } from '../errors.ts';

export interface RemoteCommand {
  readonly preview: string;
  readonly service: string;
  readonly command: readonly string[];
  /** Undefined: without a terminal. */
  readonly terminal: TerminalSize | undefined;
}

export interface Ends {
  readonly input: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** Calls back whenever the terminal has another size. */
  onResize(changed: (size: TerminalSize) => void): void;
}

/** Bytes of a message; the server takes four times as many. */
const PIECE = 64 * 1024;
/** Messages that wait for whoever reads our output. */
const WAITING = { highWaterMark: 8, lowWaterMark: 2 };

/** @returns the command's exit code. @throws `stopped` that repeats why it did not begin, or was ended. */
export async function runRemote(
  { url, token }: { readonly url: string; readonly token: string },
  { preview, service, command, terminal }: RemoteCommand,
  ends: Ends,
): Promise<number> {
  const where = new URL(`/api/v1/previews/${encodeURIComponent(preview)}/exec`, url);
  where.searchParams.set('service', service);
  where.protocol = where.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(where, {
    headers: { Authorization: `Bearer ${token}` },
    perMessageDeflate: false,
    followRedirects: false,
  });
  const messages = on(socket, 'message', { close: ['close'], ...WAITING }) as AsyncIterable<[Buffer, boolean]>;
  await opened(socket, url);
  // Nobody reads any more, as of `… | head`.
  for (const one of [ends.output, ends.errors]) one.on('error', () => socket.terminate());
  socket.send(JSON.stringify({ type: 'start', command, terminal: terminal ?? null }));
  ends.onResize((size) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'resize', ...size }));
  });
  // It ends with the connection, or with what is typed.
  void feed(socket, ends.input).catch(() => undefined);
  try {
    return await read(messages, ends);
  } finally {
    socket.close();
  }
}

async function read(messages: AsyncIterable<[Buffer, boolean]>, { output, errors }: Ends): Promise<number> {
  try {
    for await (const [data, isBinary] of messages) {
      if (isBinary) {
        const piece = decodeOutput(data);
        const to = piece.channel === 'stderr' ? errors : output;
        if (!to.write(piece.data)) await once(to, 'drain');
        continue;
      }
      const ended = readJson(String(data)) as Ended;
      if (ended.type === 'exit') return ended.code;
      throw new TreehouseError('stopped', ended.detail);
    }
  } catch (error) {
    if (error instanceof TreehouseError) throw error;
    throw lost(error);
  }
  throw lost();
}

function lost(cause?: unknown): TreehouseError {
  return new TreehouseError('stopped', 'the connection to Treehouse was lost, and the command was ended', { cause });
}

/** No faster than it is taken. */
async function feed(socket: WebSocket, input: Readable): Promise<void> {
  const send = (data: Uint8Array | string) =>
    new Promise<void>((resolve, reject) => socket.send(data, (error) => (error ? reject(error) : resolve())));
  for await (const chunk of input) {
    const data = chunk as Buffer;
    for (let at = 0; at < data.length; at += PIECE) await send(data.subarray(at, at + PIECE));
  }
  await send(JSON.stringify({ type: 'end' }));
}

/** @throws what the server answered in its place */
async function opened(socket: WebSocket, url: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, answer) => {
      said(answer).then((why) => reject(new TreehouseError('stopped', why)), reject);
    });
    socket.on('error', (cause) => {
      const why = `no Treehouse answers at ${url} (${messageOf(cause)}): start it with npm start, or set TREEHOUSE_URL`;
      reject(new TreehouseError('stopped', why, { cause }));
    });
  });
}

async function said(answer: IncomingMessage): Promise<string> {
  const { detail } = (readJson(await text(answer)) ?? {}) as { readonly detail?: string };
  return detail ?? `it answered ${answer.statusCode}`;
}
