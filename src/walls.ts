/** Keeps the firewall between previews and the host as it should be, for as long as Treehouse runs. */
import type { Firewall, Walls } from './domain/ports.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';

export interface WallOptions {
  readonly firewall: Firewall;
  /** `on`: without it nothing starts; `auto`: it is said that it is down; `off`: it is left alone. */
  readonly mode: 'auto' | 'on' | 'off';
  readonly log: Logger;
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Whether the process goes on for its sake. */
  readonly isWatched?: boolean;
  /** Hears after each look how they are. */
  told?(state: string): Promise<void>;
}

export interface HeldWalls extends Walls {
  /** `up`, `off`, or `down: ` and why. */
  state(): string;
  stop(): Promise<void>;
}

/** What others do to the host's rules is put right this soon. */
export const WALLS_MS = 30_000;

/** @throws `bad-config` where it must be up and the host does not let us. */
export async function holdWalls({ firewall, mode, log, everyMs, isWatched, told }: WallOptions): Promise<HeldWalls> {
  let state = mode === 'off' ? 'off' : '';

  async function look(): Promise<void> {
    try {
      await lookOnce();
    } finally {
      await told?.(state);
    }
  }

  async function lookOnce(): Promise<void> {
    if (mode === 'off') return;
    const before = state;
    try {
      const repaired = await firewall.ensure();
      state = 'up';
      if (before.startsWith('down')) log.info('previews are kept from the host again');
      else if (before !== '' && repaired)
        log.warn('rules between previews and the host were gone or changed; they are back');
    } catch (error) {
      state = `down: ${messageOf(error)}`;
      if (before !== state) log.warn({ reason: messageOf(error) }, 'previews can reach the host');
      if (mode === 'on') throw error;
    }
  }

  await look();
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    // It was logged, and no preview starts.
    looking = looking.then(look).catch(() => undefined);
  }, everyMs);
  if (!isWatched) timer.unref();
  return {
    state: () => state,
    stand: look,
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
