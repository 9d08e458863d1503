/** A connection that takes what it is given at once, keeps a bounded part of it while the other side is away, and says what it lost. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Logger } from '../log.ts';

export interface SenderOptions {
  readonly host: string;
  readonly port: number;
  /** Certificates are checked. */
  readonly tls: boolean;
  /** Bytes that wait at most; the oldest go first. */
  readonly bufferBytes?: number;
  /** Milliseconds after which a broken connection is tried again. */
  readonly againMs?: number;
  readonly log: Logger;
  /** Frames that were given to the connection, and frames that were let go. */
  onCount(outcome: 'shipped' | 'dropped', count: number): void;
}

export interface Sender {
  send(frame: Buffer): void;
  /** Sends what waits, for at most `ms`, and hangs up. */
  close(ms: number): Promise<void>;
}

const BUFFER_BYTES = 8 * 1024 * 1024;
const AGAIN_MS = 2_000;
const CONNECT_MS = 10_000;

export function openSender(options: SenderOptions): Sender {
  const { host, port, tls, log, onCount, bufferBytes = BUFFER_BYTES, againMs = AGAIN_MS } = options;
  let waiting: Buffer[] = [];
  let bytes = 0;
  let socket: Socket | undefined;
  let ready = false;
  let away = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let emptied: () => void = () => undefined;

  function open(): void {
    const made = tls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
    socket = made;
    let reason = 'the connection was closed';
    made.setKeepAlive(true, 30_000);
    made.setTimeout(CONNECT_MS, () => made.destroy(new Error('it does not answer')));
    made.once(tls ? 'secureConnect' : 'connect', () => {
      made.setTimeout(0);
      if (away) log.info({ host, port }, 'logs are shipped again');
      [away, ready] = [false, true];
      flush();
    });
    made.on('drain', flush);
    made.on('error', (error) => {
      reason = error.message;
    });
    // What it answers is nothing to us; unread it would hold the connection up.
    made.resume();
    made.once('close', () => {
      [ready, socket] = [false, undefined];
      if (!closed) {
        if (!away) log.warn({ host, port, reason }, 'logs cannot be shipped for now');
        away = true;
        timer = setTimeout(open, againMs);
        timer.unref();
      }
      emptied();
    });
  }

  function flush(): void {
    let count = 0;
    let room = true;
    while (room && socket && ready && count < waiting.length) {
      const frame = waiting[count] as Buffer;
      room = socket.write(frame);
      bytes -= frame.length;
      count += 1;
    }
    if (count === 0) return;
    waiting = waiting.slice(count);
    onCount('shipped', count);
    if (waiting.length === 0) emptied();
  }

  function shed(): void {
    let gone = 0;
    while (bytes > bufferBytes && gone < waiting.length) {
      bytes -= waiting[gone]?.length ?? 0;
      gone += 1;
    }
    waiting = waiting.slice(gone);
    onCount('dropped', gone);
  }

  open();
  return {
    send(frame) {
      if (closed) return;
      waiting.push(frame);
      bytes += frame.length;
      if (bytes > bufferBytes * 1.1) shed();
      // Frames that come in one turn wait for a connection that is slow, not for each other.
      if (ready && socket?.writableNeedDrain === false) flush();
    },
    async close(ms) {
      if (waiting.length > 0 && ready) {
        await new Promise<void>((resolve) => {
          emptied = resolve;
          setTimeout(resolve, ms).unref();
        });
      }
      closed = true;
      clearTimeout(timer);
      const last = socket;
      if (!last) return;
      await new Promise<void>((resolve) => {
        last.once('close', () => resolve());
        last.end();
        setTimeout(() => last.destroy(), ms).unref();
      });
    },
  };
}
