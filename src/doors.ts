/** Who may see which preview: links, passwords and the key of their passes, and the gateway that is told of them. */
import { isPassword, newPassword } from './access/passwords.ts';
import { openSharing, type Sharing } from './access/sharing.ts';
import { linkFiles } from './adapters/link-files.ts';
import { passwordFiles } from './adapters/password-files.ts';
import { type Doorkeeper, type Guard, PUBLIC } from './domain/guards.ts';
import type { RepositoryName } from './domain/names.ts';
import type { PreviewPasswords } from './domain/passwords.ts';
import type { Clock, Repository } from './domain/ports.ts';
import { messageOf, TreehouseError } from './errors.ts';
import { homeSecret } from './home.ts';
import type { Logger } from './log.ts';

export interface Doors {
  /** What the gateway starts with. */
  readonly gateway: { readonly key: string; readonly guards: readonly Guard[] };
  readonly sharing: Sharing;
  readonly passwords: PreviewPasswords;
  /** The mark of the repository's password, where this is it. */
  knock(repository: RepositoryName, password: string): Promise<string | undefined>;
  /** From now on this gateway is told. */
  lead(doorkeeper: Doorkeeper): Promise<void>;
  /** The repositories are others now. */
  follow(): Promise<void>;
  /** A gateway that came back has forgotten the links. */
  tellAgain(): void;
}

export interface DoorsInput {
  readonly home: string;
  repositories(): readonly Repository[];
  readonly clock: Clock;
  readonly log: Logger;
}

export async function openDoors({ home, repositories, clock, log }: DoorsInput): Promise<Doors> {
  const { value: key } = await homeSecret(home, 'gateway-key');
  const files = passwordFiles(home);
  let led: Doorkeeper | undefined;
  const doorkeeper = (): Doorkeeper => led ?? nobody();
  const sharing = openSharing({ links: linkFiles(home), clock, doorkeeper });

  async function guardOf({ name, slug, access = PUBLIC }: Repository): Promise<Guard> {
    if (access.mode !== 'password') return { slug, access };
    const mark = (await files.find(name))?.mark;
    if (mark === undefined) {
      log.warn({ repository: name }, 'previews ask for a password and there is none: treehouse password set sets it');
    }
    return { slug, access, mark };
  }
  const guards = (): Promise<readonly Guard[]> => Promise.all(repositories().map(guardOf));

  let telling: Promise<unknown> = Promise.resolve();
  /** One after the other: it takes long on purpose, and strangers decide how often. */
  let knocking: Promise<unknown> = Promise.resolve();
  function tellGuards(): Promise<void> {
    const mine = telling.then(async () => doorkeeper().setGuards(await guards()));
    telling = mine.catch(() => undefined);
    return mine;
  }

  return {
    gateway: { key, guards: await guards() },
    sharing,
    passwords: {
      async set(repository, password) {
        await files.put(await newPassword({ clock }, repository, password));
        await tellGuards();
      },
      async clear(repository) {
        await files.remove(repository);
        await tellGuards();
      },
    },
    knock(repository, password) {
      const mine = knocking.then(async () => {
        const record = await files.find(repository);
        return record && (await isPassword(record, password)) ? record.mark : undefined;
      });
      knocking = mine.catch(() => undefined);
      return mine;
    },
    follow: tellGuards,
    lead(gateway) {
      led = gateway;
      return sharing.tell();
    },
    tellAgain() {
      sharing.tell().catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'the gateway was not told of the links: they open nothing until it is');
      });
    },
  };
}

function nobody(): never {
  throw new TreehouseError('route-failed', 'the gateway is not there yet', { kind: 'transient' });
}
