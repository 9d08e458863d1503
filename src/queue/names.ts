/** What the queue's things are called in Redis, below the prefix. */

export const DEFAULT_PREFIX = 'treehouse';
/** BullMQ's own keys begin with `{prefix}:hints:`. */
export const QUEUE = 'hints';

export function queueKeys(prefix: string): {
  readonly hinted: string;
  readonly later: string;
  readonly tries: string;
  readonly crashes: string;
  readonly held: string;
  readonly holders: string;
  readonly lead: string;
} {
  return {
    /** Channel: ids of previews that were just hinted. */
    hinted: `${prefix}:hinted`,
    /** Sorted set: preview id → when to hint it again. */
    later: `${prefix}:later`,
    /** Hash: preview id → how many runs in a row asked to be repeated. */
    tries: `${prefix}:tries`,
    /** Hash: preview id → how many runs in a row ended in an error that nobody foresaw. */
    crashes: `${prefix}:crashes`,
    /** Sorted set: preview id → until when a worker has it to itself. */
    held: `${prefix}:held`,
    /** Hash: preview id → which run has it, and since when. */
    holders: `${prefix}:holders`,
    /** Which worker does what only one does; see lead.ts. */
    lead: `${prefix}:lead`,
  };
}
