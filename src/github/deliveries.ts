/** Deliveries of the App's webhook that did not come through: GitHub does not send them again by itself. */
import type { DeliveriesSeen } from '../domain/forge.ts';
import { messageOf } from '../errors.ts';
import type { GitHubClient } from './client.ts';
import { GitHubFault } from './faults.ts';

/** One try to deliver something. */
export interface Delivery {
  /** Some are larger than a number holds. */
  readonly id: number | bigint;
  /** Of what is delivered: the same in each try. */
  readonly guid: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly isDelivered: boolean;
  /** Whether it was asked for, by whomever. */
  readonly isAgain: boolean;
}

/** GitHub keeps them for three days; a page holds a hundred. */
const PAGES_MAX = 20;

/** Those since a time, newest first. @throws {ForgeFault} where there is a token instead of an App. */
async function deliveriesSince(client: GitHubClient, since: number, signal: AbortSignal): Promise<readonly Delivery[]> {
  const found: Delivery[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const parameters = { per_page: 100, ...(cursor === undefined ? {} : { cursor }) };
    const asked = { act: "listing the deliveries of the App's webhook", signal };
    const answer = await client.askAsApp('GET /app/hook/deliveries', parameters, asked);
    for (const { id, guid, delivered_at, status_code, redelivery } of answer.data) {
      const at = Date.parse(delivered_at);
      if (at < since) continue;
      found.push({ id, guid, at, isDelivered: status_code >= 200 && status_code < 300, isAgain: redelivery });
    }
    cursor = /[?&]cursor=([^&>]+)[^>]*>;\s*rel="next"/.exec(String(answer.headers.link ?? ''))?.[1];
    const oldest = answer.data.at(-1);
    if (cursor === undefined || oldest === undefined || Date.parse(oldest.delivered_at) < since) break;
    cursor = decodeURIComponent(cursor);
  }
  return found;
}

/** A delivery is listed once it failed, which takes GitHub ten seconds, under the time at which it began. */
const OVERLAP_MS = 5 * 60_000;

/**
 * What no try brought through and nobody asked for again, the oldest first. One that fails once more is left: whatever is wrong
 * there would go on for ever, and what it told of is found by asking.
 */
export function undelivered(deliveries: readonly Delivery[], seen: DeliveriesSeen): readonly Delivery[] {
  const done = new Set(seen.again);
  for (const one of deliveries) if (one.isDelivered || one.isAgain) done.add(one.guid);
  const newest = new Map<string, Delivery>();
  for (const one of deliveries) {
    const known = newest.get(one.guid);
    if (!done.has(one.guid) && (known === undefined || one.at > known.at)) newest.set(one.guid, one);
  }
  return [...newest.values()].sort((a, b) => a.at - b.at);
}

/** @param left what is still to be asked for again, the oldest first */
export function seenNow(
  deliveries: readonly Delivery[],
  seen: DeliveriesSeen,
  { asked, left }: { readonly asked: readonly Delivery[]; readonly left: readonly Delivery[] },
): DeliveriesSeen {
  const newest = Math.max(seen.since, ...deliveries.map((one) => one.at - OVERLAP_MS));
  const since = left.reduce((least, one) => Math.min(least, one.at), newest);
  const all = new Set([...seen.again, ...asked.map((one) => one.guid)]);
  const stay = deliveries.filter((one) => one.at >= since && all.has(one.guid)).map((one) => one.guid);
  return { since, again: [...new Set(stay)].sort() };
}

/** @throws {ForgeFault} where they cannot be listed */
export async function askAgain(
  client: GitHubClient,
  seen: DeliveriesSeen,
  most: number,
  signal: AbortSignal,
): Promise<DeliveriesSeen & { readonly count: number; readonly fault?: string }> {
  const deliveries = await deliveriesSince(client, seen.since, signal);
  const lost = undelivered(deliveries, seen);
  const asked: Delivery[] = [];
  let fault: string | undefined;
  for (const one of lost.slice(0, most)) {
    try {
      await redeliver(client, one.id, signal);
    } catch (error) {
      fault = messageOf(error);
      // One that GitHub will not send again at all keeps no other from it.
      if (!(error instanceof GitHubFault && error.kind === 'terminal')) break;
    }
    asked.push(one);
  }
  const now = seenNow(deliveries, seen, { asked, left: lost.slice(asked.length) });
  return { ...now, count: asked.length, ...(fault === undefined ? {} : { fault }) };
}

/** Asks for one again. */
async function redeliver(client: GitHubClient, id: number | bigint, signal: AbortSignal): Promise<void> {
  const asked = { act: `asking for delivery ${id} again`, signal };
  const parameters = { delivery_id: String(id) as never };
  await client.askAsApp('POST /app/hook/deliveries/{delivery_id}/attempts', parameters, asked);
}
