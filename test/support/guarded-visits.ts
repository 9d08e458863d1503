/** Ways to visit a guarded preview, and what comes of them. */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type net from 'node:net';
import type { PreviewId } from '../../src/domain/names.ts';
import { DOMAIN, type Guarded } from './guarded.ts';

const HOUR = 3_600_000;

export interface Entry {
  readonly status: number;
  readonly to: string | undefined;
  /** As a browser keeps it. */
  readonly cookie: string;
  readonly attributes: string;
  readonly text: string;
}

export function entryOf(text: string): Entry {
  const header = (name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)?.[1];
  const [cookie = '', ...attributes] = (header('Set-Cookie') ?? '').split('; ');
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
  return { status, to: header('Location'), cookie, attributes: attributes.join('; '), text };
}

export async function byPassword(
  world: Guarded,
  label: string,
  password: string,
  to = '/',
  { headers = '', from = '127.0.0.1' } = {},
): Promise<Entry> {
  const body = new URLSearchParams({ password, to }).toString();
  return entryOf(
    await world.raw(
      `POST /.treehouse/password HTTP/1.1\r\nHost: ${label}.${DOMAIN}\r\nConnection: close\r\n${headers}` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      from,
    ),
  );
}

export async function linkTo(
  world: Guarded,
  preview: PreviewId,
  ms = HOUR,
): Promise<{ readonly id: string; readonly path: string }> {
  const { secret, record } = await world.sharing.share({ preview, expiresAt: Date.now() + ms, by: 'ada' });
  return { id: record.id, path: `/.treehouse/link/${secret}` };
}

export async function statusAt(world: Guarded, label: string, cookie: string, where = '/'): Promise<number> {
  return entryOf(await world.get(label, where, { Cookie: cookie })).status;
}

export async function tunnel(
  world: Guarded,
  label: string,
  headers: Record<string, string>,
  path = '/socket',
  from = '127.0.0.1',
) {
  const request = http.request({
    ...{ host: '127.0.0.1', port: world.port, agent: false, path, localAddress: from },
    headers: { host: `${label}.${DOMAIN}`, connection: 'Upgrade', upgrade: 'websocket', ...headers },
  });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, net.Socket];
  const closed = once(socket, 'close');
  socket.on('error', () => undefined).resume();
  return { socket, closed };
}
