/** Server-sent events (html.spec.whatwg.org, 9.2): each with its cursor, so that a reader that comes back misses none. */
import { once } from 'node:events';
import type { Request, Response } from 'express';

export interface StreamEvent {
  /** Given back as Last-Event-ID, reading goes on behind it. */
  readonly id?: string;
  /** `message` unless told. */
  readonly type?: string;
  /** Sent as JSON. */
  readonly data?: unknown;
  /** Sent as it is, in place of `data`. */
  readonly text?: string;
}

/** So that proxies and readers see that a quiet stream lives. */
const HEARTBEAT_MS = 15_000;
/** Milliseconds after which a reader whose connection broke comes back. */
const RETRY_MS = 1_000;

export function wantsStream(req: Request): boolean {
  return req.accepts(['application/json', 'text/event-stream']) === 'text/event-stream';
}

/** Where the reader says that it was; a cursor of Redis's streams. */
export function cursorOf(req: Request, after: string | undefined): string | undefined {
  const last = req.get('Last-Event-ID');
  return last !== undefined && CURSOR.test(last) ? last : after;
}

export const CURSOR = /^\d{1,20}-\d{1,20}$/;

/** Sends them as they come, no faster than they are read; ends with the last, or when the reader has gone. */
export async function sendStream(
  res: Response,
  events: AsyncIterable<StreamEvent>,
  signal: AbortSignal,
): Promise<void> {
  res.set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    // nginx would hold it back.
    'X-Accel-Buffering': 'no',
  });
  res.flushHeaders();
  res.write(`retry: ${RETRY_MS}\n\n`);
  const heart = setInterval(() => res.write(': still here\n\n'), HEARTBEAT_MS);
  try {
    for await (const one of events) {
      if (signal.aborted) return;
      if (!res.write(frameOf(one))) await once(res, 'drain', { signal });
    }
    // Without it the reader would come back for more.
    res.write('event: end\ndata: {}\n\n');
  } catch (error) {
    // The answer has begun: its reader comes back, and is told then.
    if (!signal.aborted) res.destroy(error instanceof Error ? error : undefined);
  } finally {
    clearInterval(heart);
    res.end();
  }
}

function frameOf({ id, type, data, text }: StreamEvent): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${type === undefined ? '' : `event: ${type}\n`}`;
  // JSON has no raw line ends.
  return `${head}${text === undefined ? `data: ${JSON.stringify(data)}` : `data: ${text.replaceAll(/\r\n|\n|\r/g, '\ndata: ')}`}\n\n`;
}
