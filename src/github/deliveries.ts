/** Deliveries of the App's webhook that did not come through: GitHub does not send them again by itself. */
import type { GitHubClient } from './client.ts';

/** One try to deliver something. */
export interface Delivery {
  /** Some are larger than a number holds. */
  readonly id: number | bigint;
  /** Of what is delivered: the same in each try. */
  readonly guid: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly isDelivered: boolean;
}

/** GitHub keeps them for three days; a page holds a hundred. */
const PAGES_MAX = 20;

/** Those since a time, newest first. @throws {ForgeFault} where there is a token instead of an App. */
export async function deliveriesSince(
  client: GitHubClient,
  since: number,
  signal: AbortSignal,
): Promise<readonly Delivery[]> {
  const found: Delivery[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const parameters = { per_page: 100, ...(cursor === undefined ? {} : { cursor }) };
    const asked = { act: "listing the deliveries of the App's webhook", signal };
    const answer = await client.askAsApp('GET /app/hook/deliveries', parameters, asked);
    for (const { id, guid, delivered_at, status_code } of answer.data) {
      const at = Date.parse(delivered_at);
      if (at >= since) found.push({ id, guid, at, isDelivered: status_code >= 200 && status_code < 300 });
    }
    cursor = /[?&]cursor=([^&>]+)[^>]*>;\s*rel="next"/.exec(String(answer.headers.link ?? ''))?.[1];
    const oldest = answer.data.at(-1);
    if (cursor === undefined || oldest === undefined || Date.parse(oldest.delivered_at) < since) break;
    cursor = decodeURIComponent(cursor);
  }
  return found;
}

/** What no try since then brought through, each once: the ids to be asked for again. */
export function undelivered(deliveries: readonly Delivery[]): readonly (number | bigint)[] {
  const through = new Set(deliveries.filter((one) => one.isDelivered).map((one) => one.guid));
  const newest = new Map<string, Delivery>();
  for (const one of deliveries) {
    const known = newest.get(one.guid);
    if (!through.has(one.guid) && (known === undefined || one.at > known.at)) newest.set(one.guid, one);
  }
  return [...newest.values()].map((one) => one.id);
}

/** Asks for one again. */
export async function redeliver(client: GitHubClient, id: number | bigint, signal: AbortSignal): Promise<void> {
  const asked = { act: `asking for delivery ${id} again`, signal };
  const parameters = { delivery_id: String(id) as never };
  await client.askAsApp('POST /app/hook/deliveries/{delivery_id}/attempts', parameters, asked);
}
