/** The timer: what no webhook told of is seen by looking. Every branch of every repository, and every preview that is known. */
import { branchSelected } from '../domain/desired.ts';
import { type Branch, type Commit, previewId } from '../domain/names.ts';
import type { Engine, Git, Hints, Repository, Store } from '../domain/ports.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface PollOptions {
  readonly repositories: readonly Repository[];
  readonly git: Git;
  readonly engine: Engine;
  readonly store: Store;
  readonly hints: Hints;
  readonly log: Logger;
  /** Milliseconds between two looks at everything. */
  readonly everyMs: number;
  /** Milliseconds between two looks at the branches of a repository on this machine, which cost next to nothing. */
  readonly localEveryMs: number;
}

export interface Poller {
  /** Looks at everything now. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export function startPolling(options: PollOptions): Poller {
  const over = new AbortController();
  const heads = new Map<string, ReadonlyMap<Branch, Commit>>();
  const local = options.repositories.filter((one) => isLocal(one.url));
  let running: Promise<void> = Promise.resolve();

  /** Repository → its stamp when its branches were last looked at. */
  const stamps = new Map<string, string>();

  /** Hints the branches that moved, came or went; all of them where `all` is set. */
  async function lookAt(repository: Repository, all: boolean): Promise<void> {
    const before = heads.get(repository.name);
    const stamp = await options.git.stamp(repository);
    if (!all && stamp !== undefined && stamps.get(repository.name) === stamp) return;
    const now = await options.git.branches(repository, over.signal);
    heads.set(repository.name, now);
    const branches = new Set([...now.keys(), ...(before?.keys() ?? [])]);
    for (const branch of branches) {
      if (!branchSelected(repository.branches, branch)) continue;
      if (!all && before?.get(branch) === now.get(branch)) continue;
      await hint({ id: previewId(repository.slug, branch), repository: repository.name, branch });
    }
    // Taken before the look: what moves meanwhile is seen by the next.
    if (stamp !== undefined) stamps.set(repository.name, stamp);
  }

  async function hint(key: PreviewKey): Promise<void> {
    await options.store.know(key);
    await options.hints.hint(key.id);
  }

  async function attempt(act: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!over.signal.aborted) options.log.warn({ act, reason: messageOf(error) }, 'a look at the world failed');
    }
  }

  async function everything(): Promise<void> {
    for (const repository of options.repositories) {
      await attempt(`branches of ${repository.name}`, () => lookAt(repository, true));
    }
    await attempt('known previews', async () => {
      for (const one of await knownPreviews(options.engine, options.store)) await hint(one);
    });
  }

  async function nearby(): Promise<void> {
    for (const repository of local) await attempt(`branches of ${repository.name}`, () => lookAt(repository, false));
  }

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    running = running.then(work);
    return running;
  };
  const timers = [
    setInterval(() => void inTurn(everything), options.everyMs),
    setInterval(() => void inTurn(nearby), options.localEveryMs),
  ];
  return {
    look: () => inTurn(everything),
    async stop() {
      over.abort();
      for (const timer of timers) clearInterval(timer);
      await running;
    },
  };
}

/** Every preview that owns anything on the engine, or that the history has as not removed. */
export async function knownPreviews(
  engine: Pick<Engine, 'previews'>,
  store: Pick<Store, 'records'>,
): Promise<readonly PreviewKey[]> {
  const all = new Map<string, PreviewKey>();
  for (const one of await engine.previews()) all.set(one.id, one);
  for (const one of await store.records()) if (one.state !== 'removed') all.set(one.id, one);
  return [...all.values()];
}

function isLocal(url: string): boolean {
  return url.startsWith('/') || url.startsWith('file://');
}
