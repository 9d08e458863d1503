/** Lines on their way to other logs: how they are written, and what becomes of them while the other side is away. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PrintedLine, Printing } from '../../src/domain/shipping.ts';
import { gelfFrame } from '../../src/shipping/gelf.ts';
import { openSender, type Sender } from '../../src/shipping/sender.ts';
import { syslogFrame } from '../../src/shipping/syslog.ts';
import { keptLog } from '../support/log.ts';
import { keyOf } from '../support/sweep-world.ts';

const of: Printing = {
  ...keyOf('main'),
  ...{ container: 'c0ffee'.repeat(10), service: 'web', commit: 'a'.repeat(40), running: true },
};
const AT = '2026-11-26T10:00:00.123456789Z';
const said = (text: string, more: Partial<PrintedLine> = {}): PrintedLine => ({
  ...{ at: AT, stream: 'stdout' as const, text },
  ...more,
});

describe('syslog', () => {
  /** The ABNF of RFC 5424, 6, with one element of structured data. */
  const MESSAGE =
    /^<(\d{1,3})>1 (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{1,6}Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) - \[treehouse@32473((?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+)\] (.*)$/s;

  function read(frame: Buffer) {
    const space = frame.indexOf(' ');
    const counted = Number(frame.toString('ascii', 0, space));
    expect(frame.length - space - 1).toBe(counted);
    const [, priority, at, host, name, id, data = '', text] = MESSAGE.exec(frame.toString('utf8', space + 1)) ?? [];
    const params = [...data.matchAll(/ ([a-z]+)="((?:[^"\\\]]|\\["\\\]])*)"/g)].map(([, key, value = '']) => [
      key,
      value.replaceAll(/\\(["\\\]])/g, '$1'),
    ]);
    return { priority: Number(priority), at, host, name, id, text, data: Object.fromEntries(params) };
  }

  it('has the line, when it was, and whose it is', () => {
    expect(read(syslogFrame(of, said('it listens')))).toEqual({
      ...{ priority: 134, at: '2026-11-26T10:00:00.123456Z', host: 'main--shop', name: 'web', id: 'c0ffeec0ffee' },
      text: 'it listens',
      data: {
        ...{ preview: 'main--shop', repository: 'acme/shop', branch: 'main', commit: 'a'.repeat(40) },
        ...{ service: 'web', stream: 'stdout' },
      },
    });
    expect(read(syslogFrame(of, said('no', { stream: 'stderr' }))).priority).toBe(131);
  });

  it('can be told apart from what a container or a branch would make of it', () => {
    const text = fc.string({ unit: 'binary', maxLength: 100 });
    fc.assert(
      fc.property(text, text, text, (line, branch, service) => {
        const hostile = { ...of, branch: branch as Printing['branch'], service };
        const found = read(syslogFrame(hostile, said(line)));
        const plain = (one: string) => Buffer.from(one.replaceAll(/[\r\n\0]/g, ' ')).toString();
        expect([found.text, found.data.branch, found.data.service]).toEqual([line, branch, service].map(plain));
      }),
    );
  });
});

describe('GELF', () => {
  it('is JSON that one zero byte ends, whatever the line holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        const frame = gelfFrame(of, said(text));
        expect(frame.indexOf(0)).toBe(frame.length - 1);
        const { short_message, ...rest } = JSON.parse(frame.subarray(0, -1).toString()) as Record<string, unknown>;
        expect(short_message).toBe(text === '' ? ' ' : Buffer.from(text).toString());
        expect(rest).toMatchObject({ version: '1.1', host: 'main--shop', timestamp: 1795687200.123, level: 6 });
        expect(rest).toMatchObject({ _branch: 'main', _service: 'web', _repository: 'acme/shop' });
      }),
    );
  });
});

describe('a sender', () => {
  const { log, logged } = keptLog();
  const counts = { shipped: 0, dropped: 0 };
  let sender: Sender | undefined;
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  let taken = '';

  async function listen(port = 0, read = true): Promise<number> {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      if (read) {
        socket.on('data', (chunk) => {
          taken += chunk.toString();
        });
      } else socket.pause();
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  function hangUp(): Promise<void> {
    for (const one of sockets) one.destroy();
    sockets.clear();
    const closing = server;
    server = undefined;
    return new Promise((resolve) => (closing ? closing.close(() => resolve()) : resolve()));
  }

  function open(port: number, bufferBytes?: number): Sender {
    [taken, counts.shipped, counts.dropped] = ['', 0, 0];
    sender = openSender({
      ...{ host: '127.0.0.1', port, tls: false, log, againMs: 20 },
      ...(bufferBytes === undefined ? {} : { bufferBytes }),
      onCount: (outcome, count) => {
        counts[outcome] += count;
      },
    });
    return sender;
  }

  afterEach(async () => {
    await sender?.close(100);
    await hangUp();
  });

  it('keeps the order, and sends what waits before it closes', async () => {
    const one = open(await listen());
    const lines = Array.from({ length: 5_000 }, (_, at) => `line ${at}\n`);
    for (const line of lines) one.send(Buffer.from(line));
    await vi.waitFor(() => expect(taken.length).toBeGreaterThan(0));
    one.send(Buffer.from('last\n'));
    await one.close(5_000);
    await vi.waitFor(() => expect(taken).toBe(`${lines.join('')}last\n`));
    expect(counts).toEqual({ shipped: 5_001, dropped: 0 });
  });

  it('waits for the other side, and says once that it does', async () => {
    const port = await listen();
    await hangUp();
    const one = open(port);
    one.send(Buffer.from('early\n'));
    await vi.waitFor(() => expect(logged.at(-1)).toMatchObject({ msg: 'logs cannot be shipped for now' }));
    const before = logged.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(logged).toHaveLength(before);
    await listen(port);
    await vi.waitFor(() => expect(taken).toBe('early\n'), { timeout: 5_000 });
    expect(logged.at(-1)).toMatchObject({ msg: 'logs are shipped again' });
  });

  it('lets the oldest go where too much waits, and counts them', async () => {
    const port = await listen();
    await hangUp();
    const one = open(port, 1_000);
    for (let at = 0; at < 300; at += 1) one.send(Buffer.from(`${String(at).padStart(9, '0')}\n`));
    await listen(port);
    await vi.waitFor(() => expect(taken).toContain('000000299'), { timeout: 5_000 });
    expect(taken.length).toBeLessThanOrEqual(1_100);
    expect(counts.shipped + counts.dropped).toBe(300);
    expect(taken.length).toBe(counts.shipped * 10);
  });

  it('takes no more memory than it may from one who does not read', async () => {
    const one = open(await listen(0, false), 100_000);
    await vi.waitFor(() => expect(sockets.size).toBe(1));
    const frame = Buffer.alloc(10_000, 'x');
    for (let at = 0; at < 3_000; at += 1) one.send(frame);
    // What the kernel takes of it is no more than some megabytes.
    expect(counts.dropped).toBeGreaterThan(1_000);
    expect(3_000 - counts.dropped - counts.shipped).toBeLessThanOrEqual(11);
  });
});
