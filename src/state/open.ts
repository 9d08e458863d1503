/**
 * Brings the state in Redis to the version that this program knows, before anything else reads or writes it: once, however many
 * processes start together.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { abortReason, messageOf, TreehouseError } from '../errors.ts';
import { within } from '../time-limit.ts';
import { holdLease, type Lease, stateKeys } from './lease.ts';
import { keysOf, MIGRATIONS, type Migration } from './migrations.ts';
import { type Found, judge } from './version.ts';

export interface StateOptions {
  /** See queue/redis.ts; a patient one. */
  readonly redis: { patient(): Redis };
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The version of this Treehouse, for people. */
  readonly program: string;
  readonly prefix?: string;
  readonly migrations?: readonly Migration[];
  readonly times?: Partial<StateTimes>;
}

/** Milliseconds. */
export interface StateTimes {
  /** Without a sign for so long, who migrates counts as dead, and another one goes on. */
  readonly lease: number;
  /** For which Redis may not answer before that is said. */
  readonly patience: number;
  /** Between two looks whether the stamp is there: a Redis that is wiped while we run is filled again, by this version. */
  readonly stamp: number;
}

const TIMES: StateTimes = { lease: 10_000, patience: 60_000, stamp: 10_000 };
const PAUSE_MS = 100;

export interface State {
  /** Looks no more after the stamp. */
  close(): void;
}

/**
 * Resolves once the state is of this version.
 * @throws {TreehouseError} `bad-config` where it is of a newer one, `queue-away` where Redis does not answer.
 */
export async function openState(options: StateOptions): Promise<State> {
  const connection = options.redis.patient();
  const times = { ...TIMES, ...options.times };
  const prefix = options.prefix ?? 'treehouse';
  const { version: key } = stateKeys(prefix);
  const migrations = options.migrations ?? MIGRATIONS;
  const known = migrations.length;
  const { log, program, signal } = options;

  async function read(): Promise<Found> {
    const { version, by } = await connection.hgetall(key);
    return { version, by, isEmpty: version === undefined && (await isEmpty(connection, prefix)) };
  }

  async function bringUp(): Promise<void> {
    for (;;) {
      if (signal.aborted) throw abortReason(signal);
      if (judge(await read(), known, program).act === 'go') return;
      const lease = await holdLease(connection, prefix, times.lease);
      if (!lease) await delay(PAUSE_MS);
      else await migrate(lease).finally(() => lease.release());
    }
  }

  /** Ends early where the lease is lost: another one goes on. */
  async function migrate(lease: Lease): Promise<void> {
    // Whoever held the lease before may have done it.
    const verdict = judge(await read(), known, program);
    if (verdict.act === 'stamp') await lease.stamp(known, program);
    if (verdict.act !== 'migrate') return;
    for (let version = verdict.from; version < known; version += 1) {
      if (signal.aborted) throw abortReason(signal);
      const step = migrations[version];
      const changed = (await step?.run(connection, prefix)) ?? 0;
      if (!(await lease.stamp(version + 1, program))) return;
      log.info({ from: version, to: version + 1, changed, what: step?.what }, 'the state in Redis was migrated');
    }
  }

  /** Whatever takes the stamp away took all else too. */
  async function restamp(): Promise<void> {
    if ((await connection.hsetnx(key, 'version', String(known))) === 1) await connection.hset(key, 'by', program);
  }

  try {
    const first = connection.ping().catch((error: unknown) => {
      throw new TreehouseError('queue-away', `asking Redis: ${messageOf(error)}`, { cause: error });
    });
    await within(times.patience, first, () => {
      const why = `Redis did not answer within ${times.patience / 1000} s: start it, or correct REDIS_URL`;
      return new TreehouseError('queue-away', why, { kind: 'transient' });
    });
    await bringUp();
  } catch (error) {
    connection.disconnect();
    throw error;
  }
  let busy = false;
  const timer = setInterval(() => {
    // While Redis is away one question waits, not one for each look.
    if (busy) return;
    busy = true;
    restamp()
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'the state was not stamped'))
      .finally(() => {
        busy = false;
      });
  }, times.stamp);
  timer.unref();
  return {
    close() {
      clearInterval(timer);
      connection.disconnect();
    },
  };
}

async function isEmpty(redis: Redis, prefix: string): Promise<boolean> {
  const own: readonly string[] = Object.values(stateKeys(prefix));
  for await (const keys of keysOf(redis, `${prefix}:*`)) if (keys.some((one) => !own.includes(one))) return false;
  return true;
}
