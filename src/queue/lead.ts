/** Which of several workers does what only one does at a time: sweeps, looks at the clock, tells the forge. */
import { randomUUID } from 'node:crypto';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { DEFAULT_PREFIX, queueKeys } from './names.ts';
import type { RedisConnections } from './redis.ts';

export interface LeadOptions {
  readonly redis: RedisConnections;
  readonly prefix?: string;
  readonly log: Logger;
  /** Milliseconds after which another leads where this one went silent; 6,000 unless told. */
  readonly leaseMs?: number;
  /** @returns what ends it again */
  begin(): Promise<() => Promise<void>>;
}

export interface Lead {
  /** Ends what was begun, and lets the next one lead at once. */
  stop(): Promise<void>;
}

const LEASE_MS = 6_000;

/** KEYS: the key. ARGV: this worker, lease in ms. 1 where it leads. */
const CLAIM = `
  local leader = redis.call('GET', KEYS[1])
  if leader and leader ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1`;
/** KEYS: the key. ARGV: this worker. */
const RESIGN = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`;

/** Claims the lead again and again; while it is ours, what `begin` began goes on. */
export function claimLead(options: LeadOptions): Lead {
  const { redis, log, begin, leaseMs = LEASE_MS } = options;
  const key = queueKeys(options.prefix ?? DEFAULT_PREFIX).lead;
  const connection = redis.quick();
  const self = randomUUID();
  let end: (() => Promise<void>) | undefined;
  /** Until when nobody else can lead, by this process's own clock. */
  let ours = 0;
  let isOver = false;
  let changing: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const asked = performance.now();
    const leads = await redis
      .ready(connection)
      .then(() => connection.eval(CLAIM, 1, key, self, String(leaseMs)).then((reply) => reply === 1))
      .catch(() => undefined);
    if (leads === true) ours = asked + leaseMs;
    // While Redis is away nobody else gets it before the lease is over.
    else if (leads === false || performance.now() > ours) ours = 0;
    // What begins or ends may take longer than a lease: the next look does not wait for it.
    changing = changing.then(follow);
  }

  async function follow(): Promise<void> {
    try {
      if (ours > 0 && !end && !isOver) {
        end = await begin();
        log.info('this worker leads: it sweeps, and does what one alone does');
      } else if (ours === 0 && end) {
        const ending = end;
        end = undefined;
        await ending();
        log.warn('another worker leads');
      }
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'what the leading worker does could not begin or end');
    }
  }

  let looking = look();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, leaseMs / 3);
  return {
    async stop() {
      isOver = true;
      clearInterval(timer);
      await looking;
      await changing;
      await end?.();
      end = undefined;
      await connection.eval(RESIGN, 1, key, self).catch(() => undefined);
      connection.disconnect();
    },
  };
}
