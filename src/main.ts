/** The one place where it is said which parts make a process of Treehouse; and that takes them down again. */
import { endStrays } from './adapters/container-processes.ts';
import type { RedisStore } from './adapters/redis-store.ts';
import type { Config } from './config.ts';
import { TreehouseError } from './errors.ts';
import { openGround } from './ground.ts';
import type { HomeSecret } from './home.ts';
import type { Leading } from './leading.ts';
import type { Logger } from './log.ts';
import { startParts } from './parts.ts';
import { openServing } from './serving.ts';
import { urlsOf } from './stages.ts';
import { orUndone, undoAll } from './undo.ts';
import { openWorking } from './working.ts';

/** A Treehouse that runs, all of it. */
export interface Treehouse {
  readonly store: RedisStore;
  readonly webhookSecret: HomeSecret | undefined;
  readonly adminToken: HomeSecret | undefined;
  /** Where the API and the receiver are. */
  readonly url: string;
  readonly registry: string | undefined;
  /** Whether the firewall between previews and the host is up. */
  readonly walls: string;
  /** Whole URL of a preview's host label. */
  urlOf(label: string): string;
  /** Takes every preview down, one event each. */
  removePreviews(): Promise<void>;
  /** Begins nothing new and lets what runs end, for this long; what had to be ended is taken up at the next start. */
  drain(graceMs: number): Promise<void>;
  /** Ends builds, then everything that was started here, last things first. */
  stop(): Promise<void>;
}

/** A local repository is looked at this often: it costs one short git command. */
const LOCAL_POLL_MS = 1_500;

/** Starts receiver, worker, API and what is embedded. @throws {TreehouseError} that names what is missing and the way out. */
export function startTreehouse(
  config: Config,
  log: Logger,
  signal: AbortSignal,
  options: { readonly localPollMs?: number } = {},
): Promise<Treehouse> {
  return orUndone(log, async (undo) => {
    const ground = await openGround({
      ...{ config, log, signal, undo, isShared: false },
      beside: (input) => startParts(config, input, signal),
    });
    await endStrays(ground.instance);
    const working = await openWorking(ground);
    let leading: Leading | undefined;
    const serving = await openServing(ground, {
      ...{ wake: working.wake, remote: ground.remote },
      async sweep(how) {
        if (!leading) throw new TreehouseError('stopped', 'Treehouse is starting', { kind: 'transient' });
        return leading.sweep(how);
      },
    });
    const worker = working.begin();
    const begun = await working.lead({ localPollMs: options.localPollMs ?? LOCAL_POLL_MS, isAlone: true });
    undo.push(() => begun.end());
    leading = begun;
    const end = async (graceMs: number): Promise<void> => {
      await Promise.all([begun.rest(), worker.stop(graceMs)]);
    };
    return {
      store: ground.store,
      webhookSecret: serving.webhookSecret,
      adminToken: ground.adminToken,
      url: serving.url,
      registry: ground.registryAddress,
      walls: working.walls(),
      urlOf: urlsOf(config),
      async removePreviews() {
        await end(0);
        await working.removePreviews();
      },
      drain: end,
      stop: () => undoAll(undo, log),
    };
  });
}
