/** Wires what the forge is asked where no webhook told it: who asks, where it is kept how far both agree, and who is told of that. */
import { redisAgreement } from './adapters/redis-agreement.ts';
import type { Connections } from './adapters/redis-keys.ts';
import { type AgreementView, agreementView, isOnForge } from './domain/agreement.ts';
import type { Clock, Repository } from './domain/ports.ts';
import type { GitHub } from './github/github.ts';
import type { ForgeSide } from './sweep/deps.ts';

/** What is open of it. */
export interface OpenForgeSide {
  /** For the sweep. */
  readonly side: ForgeSide;
  /** For people. */
  agreement(): Promise<AgreementView>;
  close(): void;
}

export function openForgeSide(input: {
  readonly forge: GitHub;
  readonly redis: Connections;
  readonly clock: Clock;
  repositories(): readonly Repository[];
}): OpenForgeSide {
  const { forge, clock } = input;
  const book = redisAgreement({ redis: input.redis });
  return {
    side: { forge, book, deliveries: forge.isApp ? forge : undefined, now: clock.now },
    async agreement() {
      const watched = input.repositories().filter((one) => isOnForge(one, forge.host));
      const names = watched.map((one) => one.name);
      return agreementView(names, await book.read(), { host: forge.host, isApp: forge.isApp });
    },
    close: () => book.close(),
  };
}
