/** What the world was found to be, or made to be without a build, as an event. */
import type { LiveBuild } from '../domain/live.ts';
import type { PreviewKey, PreviewRecord, PreviewState } from '../domain/preview.ts';
import type { ConvergeDeps } from './deps.ts';
import { reachedAt } from './route.ts';

export interface Said {
  readonly state: PreviewState;
  readonly cause: string;
  /** See PreviewRecord. */
  readonly unwoken?: readonly string[];
}

/** Of a preview that has a live build, whether it runs or sleeps. */
export async function sayOfLive(
  deps: Pick<ConvergeDeps, 'clock' | 'store' | 'urlOf'>,
  preview: PreviewKey,
  record: PreviewRecord | undefined,
  live: LiveBuild,
  { state, cause, unwoken }: Said,
): Promise<void> {
  const at = deps.clock.now();
  await deps.store.append({
    type: 'preview.observed',
    at,
    preview: preview.id,
    state,
    cause,
    ...(unwoken ? { unwoken } : {}),
    serving: { build: live.build, commit: live.commit, since: record?.serving?.since ?? at },
    ...reachedAt(deps, live.containers),
    ...(live.login ? { login: live.login } : {}),
  });
}
