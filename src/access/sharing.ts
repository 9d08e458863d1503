/** Share links: made, known again, ended; and the gateway, which is told of each change before it is said to be done. */
import type { Doorkeeper } from '../domain/guards.ts';
import type { LinkRecord, Links, SharedLinks } from '../domain/links.ts';
import type { PreviewId } from '../domain/names.ts';
import type { Clock } from '../domain/ports.ts';
import { isExpired } from '../domain/tokens.ts';
import { hasHash, hashOf, newSecret } from './secret-text.ts';

export interface SharingDeps {
  readonly links: Links;
  readonly clock: Clock;
  doorkeeper(): Pick<Doorkeeper, 'setLinks'>;
}

export interface Sharing extends SharedLinks {
  /** Tells the gateway all that it may have forgotten. */
  tell(): Promise<void>;
  /** The link that a secret stands for, where it opens one of these previews now. */
  redeem(secret: string, previews: readonly PreviewId[]): Promise<LinkRecord | undefined>;
}

const FORM = /^([a-z0-9]{8})_[A-Za-z0-9_-]{43}$/;

export function openSharing({ links, clock, doorkeeper }: SharingDeps): Sharing {
  /** One after the other, so that the gateway ends with the newest. */
  let telling: Promise<unknown> = Promise.resolve();
  let isTold = false;

  async function alive(): Promise<readonly LinkRecord[]> {
    const all = await links.all();
    for (const one of all) if (isExpired(one, clock.now())) await links.remove(one.id);
    return all.filter((one) => !isExpired(one, clock.now()));
  }

  function tell(): Promise<void> {
    isTold = false;
    const mine = telling.then(async () => {
      await doorkeeper().setLinks(await alive());
      isTold = true;
    });
    telling = mine.catch(() => undefined);
    return mine;
  }

  return {
    tell,
    all: alive,
    async share(wanted) {
      const { id, chance } = newSecret();
      const secret = `${id}_${chance}`;
      const record = { ...wanted, id, hash: hashOf(secret), createdAt: clock.now() };
      await links.add(record);
      try {
        await tell();
      } catch (error) {
        await links.remove(id);
        throw error;
      }
      return { secret, record };
    },
    async revoke(preview, id) {
      if ((await links.find(id))?.preview === preview) await links.remove(id);
      // Also where it is gone: the gateway may not have heard of it.
      await tell();
    },
    async revokeAll(preview) {
      const mine = (await links.all()).filter((one) => one.preview === preview);
      for (const one of mine) await links.remove(one.id);
      if (mine.length > 0 || !isTold) await tell();
    },
    async redeem(secret, previews) {
      const id = FORM.exec(secret)?.[1];
      const record = id === undefined ? undefined : await links.find(id);
      if (!record || !hasHash(secret, record.hash)) return undefined;
      return isExpired(record, clock.now()) || !previews.includes(record.preview) ? undefined : record;
    },
  };
}
