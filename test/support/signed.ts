/** Deliveries as GitHub makes them: a payload, its signature and its headers. */
import { createHmac, randomUUID } from 'node:crypto';

export const SECRET = 'a secret that only this test and its receiver know';

export interface Delivery {
  readonly body: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export function signature(body: string | Buffer, secret: string = SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** A delivery of `payload`, signed with `secret`. */
export function signed(event: string, payload: unknown, secret: string = SECRET): Delivery {
  const body = JSON.stringify(payload);
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'GitHub-Hookshot/044aadd',
      'x-github-event': event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': signature(body, secret),
    },
  };
}

/** Posts a delivery to `base`, and reads the answer's JSON. */
export async function deliver(
  base: string,
  delivery: Delivery,
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Record<string, unknown> }> {
  const answer = await fetch(`${base}/webhooks/github`, {
    method: 'POST',
    headers: { ...delivery.headers },
    body: delivery.body,
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
}

/** Overrides a header of a delivery; `undefined` leaves it out. */
export function withHeader(delivery: Delivery, name: string, value: string | undefined): Delivery {
  const headers: Record<string, string> = { ...delivery.headers };
  delete headers[name];
  if (value !== undefined) headers[name] = value;
  return { ...delivery, headers };
}
