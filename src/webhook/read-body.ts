/** Reads a request's raw bytes under three limits: bytes a request, bytes of all requests together, and time. */
import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

export interface BodyLimits {
  readonly bytes: number;
  /** Of all bodies being read at once: strangers can send bodies too, and no signature is known before the last byte. */
  readonly bytesTogether: number;
  readonly ms: number;
}

/** Counts what the bodies now in memory take. */
export interface BodyBudget {
  used: number;
}

/** How long the rest of a refused body is read and thrown away, so that its sender reads the answer and no reset. */
const DISCARD_MS = 1_000;

/** The whole body, and the function that gives its bytes back to the budget. @throws {Refusal} */
export async function readBody(
  req: IncomingMessage,
  limits: BodyLimits,
  budget: BodyBudget,
): Promise<{ readonly body: Buffer; readonly release: () => void }> {
  const chunks: Buffer[] = [];
  let size = 0;
  const release = () => {
    budget.used -= size;
    size = 0;
  };
  try {
    await new Promise<void>((resolve, reject) => {
      const stop = (error?: Refusal) => {
        clearTimeout(timer);
        req.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(
        () => stop(new Refusal(408, `the body did not arrive within ${limits.ms} ms`)),
        limits.ms,
      );
      const onEnd = () => stop();
      const onBroken = () => stop(new Refusal('gone', 'the sender hung up before the body had arrived'));
      const onData = (chunk: Buffer) => {
        size += chunk.length;
        budget.used += chunk.length;
        if (size > limits.bytes) stop(tooLarge(limits.bytes));
        else if (budget.used > limits.bytesTogether) stop(new Refusal(503, 'too many deliveries arrive at once'));
        else chunks.push(chunk);
      };
      req.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
    });
  } catch (error) {
    release();
    throw error;
  }
  return { body: Buffer.concat(chunks, size), release };
}

export function tooLarge(limit: number): Refusal {
  return new Refusal(413, `the body is larger than ${limit} bytes, which is GitHub's own limit`);
}

/** Reads on for a moment without keeping anything. */
export async function discardRest(req: IncomingMessage): Promise<void> {
  if (req.readableEnded || req.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, DISCARD_MS);
    function done(): void {
      clearTimeout(timer);
      req.off('end', done).off('close', done).off('error', done);
      resolve();
    }
    req.on('end', done).on('close', done).on('error', done).resume();
  });
}
