/** Has the forge send again what did not come through, beside the sweeps: a round for each, and one at a time. */
import type { DeliveriesState } from '../domain/agreement.ts';
import { ForgeFault } from '../domain/forge.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { timeLimit } from '../time-limit.ts';
import type { ForgeSide } from './deps.ts';

/** In one round; the forge takes one in a second. */
const MOST = 25;
const ROUND_MS = 60_000;
/** Before the first round that ever was. */
const FIRST_MS = 3_600_000;

export interface LostRounds {
  /** Begins a round, unless one is under way. */
  begin(): void;
  stop(): Promise<void>;
}

export function lostRounds(side: ForgeSide, log: Logger): LostRounds {
  const over = new AbortController();
  let under: Promise<void> | undefined;
  let isSaid = false;

  async function round(): Promise<void> {
    const { deliveries, book, now } = side;
    if (!deliveries) return;
    const { deliveries: before } = await book.read();
    const seen: DeliveriesState = before ?? { since: now() - FIRST_MS, again: [] };
    const late = new ForgeFault(`it took longer than ${ROUND_MS / 1000} s`, { kind: 'transient' });
    const limit = timeLimit(over.signal, ROUND_MS, late);
    try {
      const { count, fault, ...next } = await deliveries.askAgain(seen, MOST, limit.signal);
      const { doneAt } = seen;
      if (count > 0) log.info({ count }, 'deliveries that were lost were asked for again');
      await book.noteDeliveries({
        ...next,
        ...(fault === undefined ? { doneAt: now() } : { ...(doneAt === undefined ? {} : { doneAt }), fault }),
      });
      say(fault);
    } catch (error) {
      if (over.signal.aborted) return;
      const fault = messageOf(error);
      say(fault);
      await book.noteDeliveries({ ...seen, fault });
    } finally {
      limit.clear();
    }
  }

  /** Once, until it goes well again. */
  function say(fault: string | undefined): void {
    if (fault !== undefined && !isSaid) log.warn({ reason: fault }, 'lost deliveries could not be asked for again');
    isSaid = fault !== undefined;
  }

  return {
    begin() {
      if (under || !side.deliveries || over.signal.aborted) return;
      under = round()
        .catch((error: unknown) => say(messageOf(error)))
        .finally(() => {
          under = undefined;
        });
    },
    async stop() {
      over.abort();
      await under;
    },
  };
}
