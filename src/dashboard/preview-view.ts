/** Gathers what one preview's page shows. */
import { wholeBuild } from '../api/builds.ts';
import { isAllowed, type Principal } from '../domain/access.ts';
import type { StoredEvent } from '../domain/events.ts';
import { type BuildId, type PreviewId, parseBuildId } from '../domain/names.ts';
import type { Clock, Pins, Store } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { DigestStore, Digests } from './digests.ts';
import type { Facts } from './facts.ts';
import { FOUND_MAX, isShown, LOG_TAIL, type LogView } from './log.tsx';
import type { PreviewView } from './preview-page.tsx';

export interface PreviewDeps {
  readonly store: Pick<Store, 'record'> & DigestStore & { builds(preview: PreviewId): Promise<readonly BuildId[]> };
  readonly pins: Pick<Pins, 'all'>;
  readonly facts: Facts;
  readonly digests: Digests;
  readonly clock: Clock;
}

/** @param chosen the build that the address names; else the newest is shown */
export async function viewOf(
  deps: PreviewDeps,
  record: PreviewRecord,
  {
    chosen,
    form,
    principal,
  }: {
    readonly chosen: BuildId | undefined;
    readonly form: string;
    readonly principal: Principal;
  },
): Promise<PreviewView> {
  const { facts } = deps;
  const [pins, builds] = await Promise.all([deps.pins.all(), deps.store.builds(record.id)]);
  const build = chosen ?? record.attempt?.build ?? builds[0];
  const commit = record.serving?.commit ?? record.attempt?.commit;
  return {
    ...{ record, builds, build, now: deps.clock.now() },
    digest: build === undefined ? undefined : await deps.digests.of(record, build),
    info: commit && facts.commit(record, commit),
    ...{ visitedAt: facts.visitedAt(record.id), size: facts.size(record.id), isPinned: pins.has(record.id) },
    form: isAllowed(principal, 'operate') ? form : undefined,
  };
}

/** What an address names a build by; undefined where it is none. */
export function buildIn(text: unknown): BuildId | undefined {
  return typeof text === 'string' && parseBuildId(text) ? (text as BuildId) : undefined;
}

export function findIn(text: unknown): string {
  return typeof text === 'string' ? text.trim().slice(0, 200) : '';
}

/** The end of a build's log, or what is found in all of it. */
export async function logOf(
  store: DigestStore,
  preview: PreviewId,
  { build, find }: { readonly build: BuildId; readonly find: string },
): Promise<LogView> {
  if (find === '') {
    const events = await store.last(preview, build, LOG_TAIL);
    return { preview, build, find, events: events.filter((one) => isShown(one, '')), isCut: events.length >= LOG_TAIL };
  }
  const found: StoredEvent[] = [];
  for await (const one of wholeBuild(store, preview, build)) {
    if (isShown(one, find)) found.push(one);
    if (found.length >= FOUND_MAX) break;
  }
  return { preview, build, find, events: found, isCut: found.length >= FOUND_MAX };
}
