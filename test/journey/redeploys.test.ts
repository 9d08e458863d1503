/**
 * Redeploys under steady load: kept connections, a WebSocket that never falls silent, a download that outlasts the switch.
 * `TREEHOUSE_REDEPLOYS=200` for the long run.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/steady${process.pid}`;
const REDEPLOYS = Number(process.env.TREEHOUSE_REDEPLOYS ?? 6);
/** Bytes of the download, and what is taken of it in a second: it lasts longer than a redeploy. */
const DOWNLOAD = 64 * 2 ** 20;
const RATE = 16 * 2 ** 20;

/** Says `text` at `/`, echoes a WebSocket's frames, and gives DOWNLOAD bytes at `/large`; on SIGTERM it closes what is open. */
const SERVER = `const http = require('http'), crypto = require('crypto'), { Readable } = require('stream');
const text = require('fs').readFileSync('/app/text.txt', 'utf8');
const block = Buffer.alloc(65536, 7), open = new Set();
const server = http.createServer((q, r) => {
  if (q.url !== '/large') return r.end(text);
  let left = ${DOWNLOAD};
  r.setHeader('Content-Length', left);
  new Readable({ read() { if (left === 0) return this.push(null); left -= block.length; this.push(block); } }).pipe(r);
});
server.on('upgrade', (q, s) => {
  const accept = crypto.createHash('sha1').update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  s.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  open.add(s);
  s.on('close', () => open.delete(s)).on('error', () => s.destroy());
  // Short masked frames, one at a time: what the client of the test sends.
  s.on('data', (d) => { const n = d[1] & 127, mask = d.subarray(2, 6), out = Buffer.from(d.subarray(6, 6 + n)).map((b, i) => b ^ mask[i % 4]);
    s.write(Buffer.concat([Buffer.from([129, n]), out])); });
});
process.on('SIGTERM', () => { for (const s of open) s.end(Buffer.from([136, 2, 3, 233])); server.close(() => process.exit(0)); });
server.listen(8000);
`;

let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, {
    Dockerfile: 'FROM node:20-slim\nCOPY . /app/\nEXPOSE 8000\nCMD ["node", "/app/server.js"]\n',
    'server.js': SERVER,
    'text.txt': 'number 0.',
  });
  world = await startWorld({ repositories: { [repository]: repo.remote } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What went wrong, and how much went well. */
interface Load {
  readonly failures: string[];
  done: number;
}

interface Visitor {
  readonly load: Load;
  stop(): Promise<void>;
}

/** Does `once` again and again; what it throws is a failure. */
function visitor(once: (load: Load, over: () => boolean) => Promise<void>): Visitor {
  const load: Load = { failures: [], done: 0 };
  let over = false;
  const running = (async () => {
    while (!over) {
      try {
        await once(load, () => over);
      } catch (error) {
        load.failures.push(`${new Date().toISOString()} ${String(error)}`);
        await delay(100);
      }
    }
  })();
  return {
    load,
    async stop() {
      over = true;
      await running;
    },
  };
}

function ask(where: string, agent: Agent | undefined, headers: Record<string, string> = {}) {
  return request({
    host: '127.0.0.1',
    port: world.gatewayPort,
    path: where,
    ...(agent ? { agent } : {}),
    headers: { host: `${id()}.${world.domain}`, ...headers },
  });
}

const id = () => world.idOf(repository, 'main');

/** Over one connection that is kept; the next after a short pause, as a person's browser does it. */
function browser(): Visitor {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return visitor(async (load) => {
    await new Promise<void>((resolve, reject) => {
      const asked = ask('/', agent);
      asked.on('error', reject);
      asked.on('response', (answer: IncomingMessage) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === 200 && /^number \d+\.$/.test(body)) resolve();
          else reject(new Error(`answered ${answer.statusCode}: ${body.slice(0, 200)}`));
        });
      });
      asked.end();
    });
    load.done += 1;
    await delay(5);
  });
}

function downloader(): Visitor {
  return visitor(async (load, over) => {
    const asked = ask('/large', new Agent());
    asked.end();
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      asked.on('response', resolve).on('error', reject);
    });
    let got = 0;
    const began = performance.now();
    for await (const chunk of answer) {
      got += (chunk as Buffer).length;
      const ahead = (got / RATE) * 1000 - (performance.now() - began);
      if (ahead > 20 && !over()) await delay(ahead);
    }
    if (got !== DOWNLOAD) throw new Error(`a download ended after ${got} bytes`);
    load.done += 1;
  });
}

/** A WebSocket that is told to go (a close frame) and comes back at the first try is well served; any other end is a failure. */
function chatter(closes: { count: number }): Visitor {
  return visitor(async (load, over) => {
    const socket = await upgraded();
    const heard = frames(socket);
    for (let count = 0; ; count += 1) {
      if (over()) {
        socket.destroy();
        return;
      }
      const said = `say ${count}`;
      socket.write(masked(said));
      const answer = await heard();
      if (answer === 'close') {
        closes.count += 1;
        socket.end();
        return;
      }
      if (answer !== said) throw new Error(`'${said}' came back as '${answer}'`);
      load.done += 1;
      await delay(20);
    }
  });
}

function upgraded(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const asked = ask('/echo', undefined, {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
    });
    asked.on('upgrade', (_answer, socket) => resolve(socket as Socket));
    asked.on('response', (answer) => reject(new Error(`a WebSocket was answered with ${answer.statusCode}`)));
    asked.on('error', reject);
    asked.end();
  });
}

/** A text of less than 126 bytes, as a client sends it (RFC 6455, 5.2). */
function masked(text: string): Buffer {
  const mask = randomBytes(4);
  const bytes = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x81, 0x80 | bytes.length]), mask, bytes]);
}

/** Gives the next frame's text, or `close`. @throws where the connection ends without one. */
function frames(socket: Socket): () => Promise<string> {
  let pending = Buffer.alloc(0);
  let ended: Error | undefined;
  let wake = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    wake();
  });
  const end = (error: Error): void => {
    ended ??= error;
    wake();
  };
  socket.on('error', end).on('close', () => end(new Error('a WebSocket ended without a word')));
  return async () => {
    for (;;) {
      const length = (pending[1] ?? 0) & 127;
      if (pending.length >= 2 && pending.length >= 2 + length) {
        const [first = 0, body] = [pending[0], pending.subarray(2, 2 + length)];
        pending = pending.subarray(2 + length);
        return (first & 15) === 8 ? 'close' : body.toString();
      }
      if (ended) throw ended;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

/** What the engine has of the preview. */
async function counts(): Promise<Record<string, number>> {
  const label = `label=treehouse.preview=${id()}`;
  const [containers, networks, volumes] = await Promise.all([
    docker('ps', '-aq', '--filter', label),
    docker('network', 'ls', '-q', '--filter', label),
    docker('volume', 'ls', '-q', '--filter', label),
  ]);
  return { containers: containers.length, networks: networks.length, volumes: volumes.length };
}

it(
  `${REDEPLOYS} redeploys fail no request`,
  async () => {
    await world.pushed(repository, 'main');
    await serves(world, id(), 'number 0.');
    const before = await counts();
    const memory = [process.memoryUsage().rss];
    const closes = { count: 0 };
    const visitors = {
      browsers: [browser(), browser(), browser()],
      chats: [chatter(closes)],
      downloads: [downloader()],
    };
    const all = Object.values(visitors).flat();
    const began = performance.now();
    for (let count = 1; count <= REDEPLOYS; count += 1) {
      const commit = await repo.commit({ 'text.txt': `number ${count}.` });
      await repo.push();
      await world.pushed(repository, 'main');
      expect(await world.ended(id(), commit)).toMatchObject({ state: 'live' });
      if (count % 20 === 0) memory.push(process.memoryUsage().rss);
      const failed = all.flatMap((one) => one.load.failures);
      if (failed.length > 20) break;
    }
    // Each kind did something since the last switch.
    const so = all.map((one) => one.load.done);
    await until('all went on', async () => all.every((one, index) => one.load.done > (so[index] ?? 0)));
    await Promise.all(all.map((one) => one.stop()));
    const seconds = Math.round((performance.now() - began) / 1000);
    const sum = (of: readonly Visitor[]) => of.reduce((total, one) => total + one.load.done, 0);
    console.log(
      `${REDEPLOYS} redeploys in ${seconds} s: ${sum(visitors.browsers)} requests, ${sum(visitors.chats)} frames over ` +
        `${closes.count + 1} WebSockets, ${sum(visitors.downloads)} downloads; RSS ${memory.map((one) => Math.round(one / 2 ** 20)).join(' ')} MiB`,
    );
    expect(all.flatMap((one) => one.load.failures)).toEqual([]);
    await expect.poll(counts, { timeout: 60_000, interval: 500 }).toEqual(before);
  },
  120_000 + REDEPLOYS * 30_000,
);
