/** A request that is sent twice, as after a connection that broke, is done once. */
import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { Principal } from '../domain/access.ts';
import { type Answer, type Route, refusal } from './route.ts';

/** Answers by Idempotency-Key, kept for a day. */
export interface Replays {
  /** Claims a key for a request; else what became of the one that has it: its answer, or that it is under way or was another one. */
  claim(key: string, fingerprint: string): Promise<'mine' | 'busy' | 'other' | Answer>;
  keep(key: string, answer: Answer): Promise<void>;
  /** The request came to nothing: it may be tried again. */
  release(key: string): Promise<void>;
}

const SHOWN_ONCE = refusal(409, 'This was done before, and its answer is shown once.');

/** Runs the act at most once for each Idempotency-Key of a client. */
export async function once(
  replays: Replays,
  one: Route,
  { req, principal }: { readonly req: Request; readonly principal: Principal },
  act: () => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  const given = req.get('Idempotency-Key');
  // Of a password nothing is kept, not even what it hashes to; a PUT that is done twice is as one.
  if (given === undefined || (one.isSecret === true && one.method === 'put')) return act();
  if (!/^[\x21-\x7e]{1,128}$/.test(given)) return refusal(400, 'Idempotency-Key is 1 to 128 visible characters.');
  const key = sha256(`${principal.id}\n${given}`);
  const fingerprint = sha256(`${req.method} ${req.originalUrl}\n${JSON.stringify(req.body ?? null)}`);
  const claimed = await replays.claim(key, fingerprint);
  if (claimed === 'busy') return refusal(409, 'A request with this Idempotency-Key is under way.');
  if (claimed === 'other') return refusal(409, 'This Idempotency-Key was used for another request.');
  if (claimed !== 'mine') return claimed;
  try {
    const answer = await act();
    if (answer) await replays.keep(key, one.isSecret ? SHOWN_ONCE : answer);
    return answer;
  } catch (error) {
    await replays.release(key);
    throw error;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
