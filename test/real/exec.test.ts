/** Commands over WebSockets: who may begin them, how many there are, and what ends them. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { EXEC_LIMITS } from '../../src/api/exec-sessions.ts';
import { runRemote } from '../../src/web/exec-client.ts';
import { type ApiWorld, startApiWorld } from '../support/api-world.ts';
import { until } from '../support/treehouse.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld({ requests: 1e6, guesses: 3 }, { ...EXEC_LIMITS, each: 2, all: 3, checkMs: 50 });
});
afterAll(() => world.close());

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  command: readonly string[],
  { token = world.token('operator'), preview = 'main--shop', service = 'web', typed = '' } = {},
): Promise<Ran> {
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  input.end(typed);
  const ends = { input, output, errors, onResize: () => undefined };
  const printed = Promise.all([text(output), text(errors)]);
  try {
    const code = await runRemote({ url: world.url, token }, { preview, service, command, terminal: undefined }, ends);
    output.end();
    errors.end();
    const [out, err] = await printed;
    return { code, out, err };
  } finally {
    output.end();
    errors.end();
  }
}

/** A socket with its first message sent, and all that comes back. */
async function raw(first: unknown, { token = world.token('operator'), headers = {}, query = 'service=web' } = {}) {
  const url = `${world.url.replace('http', 'ws')}/api/v1/previews/main--shop/exec?${query}`;
  const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}`, ...headers } });
  const said: unknown[] = [];
  const end = new Promise<{ status?: number; said: readonly unknown[] }>((resolve) => {
    socket.on('message', (data, isBinary) => {
      if (!isBinary) said.push(JSON.parse(String(data)));
    });
    socket.on('unexpected-response', (_req, answer) => resolve({ status: answer.statusCode ?? 0, said }));
    socket.on('close', () => resolve({ said }));
    socket.on('error', () => undefined);
  });
  socket.once('open', () => socket.send(typeof first === 'string' ? first : JSON.stringify(first)));
  return { socket, end };
}

const YES = { type: 'start', command: ['yes'] };

describe('a command', () => {
  it('has its exit code, and what it is given', async () => {
    expect(await run(['exit', '7'])).toEqual({ code: 7, out: '', err: '' });
    const typed = 'x'.repeat(300_000);
    expect(await run(['cat'], { typed })).toEqual({ code: 0, out: typed, err: '' });
  });

  it('is in the audit trail, with who and its words and not what was typed', async () => {
    await run(['cat', 'a b'], { token: world.token('operator', 'acme/shop'), typed: 'typed' });
    const entry = world.trail.entries.at(-1);
    expect(entry).toMatchObject({
      who: 'operator acme/shop',
      act: 'exec',
      to: 'main--shop',
      service: 'web',
      status: 101,
    });
    expect(entry?.command).toEqual(['cat', 'a b']);
    expect(JSON.stringify(world.trail.entries)).not.toContain('typed');
    expect(JSON.stringify(world.logged)).not.toContain('a b');
    const answer = await fetch(`${world.url}/api/v1/trail?limit=1`, {
      headers: { authorization: `Bearer ${world.token('admin')}` },
    });
    expect(await answer.json()).toMatchObject({ entries: [{ service: 'web', command: ['cat', 'a b'] }] });
  });

  it.each([
    ['a reader', { token: () => world.token('reader') }, 'This takes a token that may operate'],
    [
      'who does not reach it',
      { token: () => world.token('operator', 'acme/blog') },
      'There is no preview with this id',
    ],
    ['nobody', { token: () => 'wrong' }, 'The API needs a token'],
    ['for a preview that is not there', { preview: 'none--shop' }, 'There is no preview with this id'],
    ['for a service of another', { service: 'db' }, 'It has no service db; it has web.'],
  ])(
    'is refused to %s',
    async (_who, { token, ...how }: { token?: () => string; preview?: string; service?: string }, why) => {
      const before = world.trail.entries.length;
      await expect(run(['exit', '0'], { ...how, ...(token ? { token: token() } : {}) })).rejects.toThrow(why);
      expect(world.trail.entries.length).toBe(before);
    },
  );

  it('is refused to pages of other sites, and to what speaks no WebSocket', async () => {
    const from = async (Origin: string) => (await (await raw(YES, { headers: { Origin } })).end).status;
    expect(await from('https://evil.example')).toBe(403);
    expect(await from('null')).toBe(403);
    const own = await raw({ type: 'start', command: ['exit', '3'] }, { headers: { Origin: world.url } });
    expect((await own.end).said).toEqual([{ type: 'exit', code: 3 }]);
    const plain = await fetch(`${world.url}/api/v1/previews/main--shop/exec?service=web`, {
      headers: { authorization: `Bearer ${world.token('operator')}` },
    });
    expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket']);
    expect((await (await raw(YES, { query: 'service=web&nonsense=1' })).end).status).toBe(400);
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['no command', { type: 'start' }],
    ['an empty command', { type: 'start', command: [] }],
    ['a NUL', { type: 'start', command: ['a\0b'] }],
    ['too much', { type: 'start', command: ['x'.repeat(70_000)] }],
    ['something else', { type: 'end' }],
  ])('does not begin with %s', async (_what, first) => {
    const { said } = await (await raw(first)).end;
    expect(said).toEqual([{ type: 'failed', detail: expect.stringContaining('the first message is not a start') }]);
  });

  it('ends with a message that is none', async () => {
    const { socket, end } = await raw({ type: 'start', command: ['cat'] });
    socket.once('open', () => socket.send('{"type":"nonsense"}'));
    expect((await end).said).toEqual([{ type: 'failed', detail: 'a message came that is none of ours' }]);
  });
});

describe('what ends it', () => {
  it('is the closing of the connection', async () => {
    const { socket } = await raw(YES);
    await new Promise((resolve) => socket.once('message', resolve));
    const before = world.exec.ended.length;
    socket.terminate();
    await until('it is ended', async () => world.exec.ended.length > before);
  });

  it('is the end of its token', async () => {
    const made = await fetch(`${world.url}/api/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.token('admin')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'short', role: 'operator' }),
    });
    const { token, id } = (await made.json()) as { token: string; id: string };
    const { end } = await raw({ type: 'start', command: ['cat'] }, { token });
    await delay(120);
    await world.deps.tokens.remove(id);
    expect((await end).said).toEqual([{ type: 'failed', detail: 'the token may no more' }]);
  });

  it('is silence', async () => {
    const quick = await startApiWorld(undefined, { ...EXEC_LIMITS, idleMs: 50 });
    const socket = new WebSocket(`${quick.url.replace('http', 'ws')}/api/v1/previews/main--shop/exec?service=web`, {
      headers: { Authorization: `Bearer ${quick.token('operator')}` },
    });
    socket.once('open', () => socket.send(JSON.stringify({ type: 'start', command: ['cat'] })));
    const said = await new Promise((resolve) => socket.once('message', (data) => resolve(JSON.parse(String(data)))));
    expect(said).toEqual({ type: 'failed', detail: expect.stringContaining('nothing happened for') });
    await quick.close();
  });

  it('is the end of Treehouse', async () => {
    const stopping = await startApiWorld();
    const socket = new WebSocket(`${stopping.url.replace('http', 'ws')}/api/v1/previews/main--shop/exec?service=web`, {
      headers: { Authorization: `Bearer ${stopping.token('operator')}` },
    });
    socket.once('open', () => socket.send(JSON.stringify({ type: 'start', command: ['cat'] })));
    await until('it runs', async () => stopping.trail.entries.length === 1);
    const said = new Promise((resolve) => socket.once('message', (data) => resolve(JSON.parse(String(data)))));
    await stopping.close();
    expect(await said).toEqual({ type: 'failed', detail: 'Treehouse is stopping' });
    expect(stopping.exec.ended).toEqual([['cat']]);
  });
});

it('there are only so many at once', async () => {
  const others = [await raw({ type: 'start', command: ['cat'] }), await raw({ type: 'start', command: ['cat'] })];
  await Promise.all(others.map(({ socket }) => new Promise((resolve) => socket.once('open', resolve))));
  await expect(run(['exit', '0'])).rejects.toThrow('Your token runs 2 commands already: end one.');
  const third = await raw({ type: 'start', command: ['cat'] }, { token: world.token('admin') });
  await new Promise((resolve) => third.socket.once('open', resolve));
  await expect(run(['exit', '0'], { token: world.token('operator', 'acme/shop') })).rejects.toThrow(
    'There are 3 commands already',
  );
  for (const { socket } of [...others, third]) socket.terminate();
  await until('there is room again', async () => (await run(['exit', '0']).catch(() => undefined))?.code === 0);
});

it('a client that does not read fills nothing', async () => {
  const { socket } = await raw(YES);
  await new Promise((resolve) => socket.once('message', resolve));
  socket.pause();
  let last = -1;
  await until('it stands still', async () => {
    const before = last;
    last = world.exec.printed;
    await delay(150);
    return before === world.exec.printed;
  });
  const printed = world.exec.printed;
  await delay(300);
  expect(world.exec.printed).toBe(printed);
  socket.terminate();
});
