/** Connections to one Redis: quick ones for answers that cannot wait, patient ones for work that can. */
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { TreehouseError } from '../errors.ts';

export interface RedisConnections {
  /** Fails at once while Redis is away, and soon where it does not answer. */
  quick(): Redis;
  /** Waits for Redis as long as it takes: for workers, subscriptions and blocking reads. */
  patient(): Redis;
  /** Resolves once a quick connection can be used. @throws transient `queue-away` where that takes over a second. */
  ready(connection: Redis): Promise<void>;
}

/** Quick commands and `ready` together stay below the 2 s in which a delivery must be answered. */
const READY_MS = 1_000;
const COMMAND_MS = 1_500;

/** An outage is logged once, however many connections notice it. */
export function redisConnections(url: string, log: Logger): RedisConnections {
  let away = false;

  function connect(options: RedisOptions): Redis {
    const connection = new Redis(url, {
      retryStrategy: pauseMs,
      connectTimeout: 5_000,
      ...options,
      replyMapping: 'legacy',
    });
    // As many wait for it to come back as asked meanwhile: no leak, which Node would take more than ten for. BullMQ adds to the number.
    connection.setMaxListeners(Number.POSITIVE_INFINITY);
    connection.on('error', (error: NodeJS.ErrnoException) => {
      if (away) return;
      away = true;
      log.warn({ reason: error.code ?? error.message }, 'redis is away');
    });
    connection.on('ready', () => {
      if (away) log.info('redis is back');
      away = false;
    });
    return connection;
  }

  return {
    quick: () => connect({ enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: COMMAND_MS }),
    patient: () => {
      let isOver = false;
      const connection = connect({
        maxRetriesPerRequest: null,
        retryStrategy: (times) => (isOver ? null : pauseMs(times)),
      });
      const hangUp = connection.disconnect.bind(connection);
      connection.disconnect = (reconnect) => {
        isOver = !reconnect;
        // Between two tries ioredis would forget what still waits for an answer: so the next one is the last, and refuses it.
        if (isOver && connection.status === 'reconnecting') connection.once('connect', () => hangUp());
        else hangUp(reconnect);
      };
      return connection;
    },
    ready: whenReady,
  };
}

/** @param times how often it was tried */
function pauseMs(times: number): number {
  return Math.min(50 * times, 1_000);
}

async function whenReady(connection: Redis): Promise<void> {
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      connection.off('ready', onReady);
      reject(new TreehouseError('queue-away', `Redis did not answer within ${READY_MS} ms`, { kind: 'transient' }));
    }, READY_MS);
    function onReady(): void {
      clearTimeout(timer);
      resolve();
    }
    connection.once('ready', onReady);
  });
}
