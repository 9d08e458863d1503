/** Secrets that Treehouse itself makes, and how they are told again. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** An id of eight letters that lists may show, and 256 bits of chance. */
export function newSecret(): { readonly id: string; readonly chance: string } {
  return { id: randomBytes(5).toString('hex').slice(0, 8), chance: randomBytes(32).toString('base64url') };
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** As it is kept. */
export function hashOf(text: string): string {
  return sha256(text).toString('hex');
}

/** Compares hashes, so that neither length nor content shows in the time it takes. */
export function hasHash(text: string, hash: string): boolean {
  return timingSafeEqual(sha256(text), Buffer.from(hash, 'hex'));
}
