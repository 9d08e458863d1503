/** When previews were last visited, by what the gateway remembers of their hosts. Pure. */
import type { PreviewId } from './names.ts';
import type { Route, Visit } from './ports.ts';

/**
 * Milliseconds since the epoch; who was never visited is left out.
 * @param before what is known beside it; the later of both counts
 */
export function lastVisits(
  routes: readonly Route[],
  visits: readonly Visit[],
  before: ReadonlyMap<PreviewId, number> = new Map(),
): ReadonlyMap<PreviewId, number> {
  const lastOf = new Map(visits.map((one) => [one.host, one.last]));
  const found = new Map(before);
  for (const { preview, host } of routes) {
    const last = lastOf.get(host);
    if (last !== undefined) found.set(preview, Math.max(found.get(preview) ?? 0, last));
  }
  return found;
}
