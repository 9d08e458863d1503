/** Repositories on this machine tell by a look at their files that a branch moved, so they are looked at often; the sweep sees the rest. */
import { selects } from '../domain/globs.ts';
import type { Branch, Commit } from '../domain/names.ts';
import type { Engine, Git, Hints, Repository, Store } from '../domain/ports.ts';
import { type PreviewKey, previewKey } from '../domain/preview.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

export interface PollOptions {
  /** As they are now. */
  repositories(): readonly Repository[];
  readonly git: Git;
  readonly store: Pick<Store, 'know'>;
  readonly hints: Hints;
  readonly log: Logger;
  /** Milliseconds between two looks. */
  readonly everyMs: number;
}

export interface Poller {
  /** Another saw these branches, and hinted what was to be: the first look need not. */
  begin(repository: Repository, heads: ReadonlyMap<Branch, Commit>): void;
  stop(): Promise<void>;
}

export function startPolling(options: PollOptions): Poller {
  const over = new AbortController();
  const seen = new Map<string, ReadonlyMap<Branch, Commit>>();
  let running: Promise<void> = Promise.resolve();

  /** Repository → its stamp when its branches were last looked at. */
  const stamps = new Map<string, string>();

  /** Hints the branches that moved, came or went. */
  async function lookAt(repository: Repository): Promise<void> {
    const before = seen.get(repository.name);
    const stamp = await options.git.stamp(repository);
    if (stamp !== undefined && stamps.get(repository.name) === stamp) return;
    const now = await options.git.branches(repository, over.signal);
    seen.set(repository.name, now);
    const branches = new Set([...now.keys(), ...(before?.keys() ?? [])]);
    for (const branch of branches) {
      if (!selects(repository.branches, branch)) continue;
      if (before?.get(branch) === now.get(branch)) continue;
      const key = previewKey(repository, branch);
      if (key.id === repository.reserved) continue;
      await hint(key);
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

  async function nearby(): Promise<void> {
    const local = options.repositories().filter((one) => isLocal(one.url));
    for (const repository of local) await attempt(`branches of ${repository.name}`, () => lookAt(repository));
  }

  const timer = setInterval(() => {
    running = running.then(nearby);
  }, options.everyMs);
  return {
    begin(repository, heads) {
      // What this has seen itself may be newer.
      if (!seen.has(repository.name)) seen.set(repository.name, heads);
    },
    async stop() {
      over.abort();
      clearInterval(timer);
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
