/** What strangers, tests of a hook and broken senders deliver: each gets its own clear refusal, and no hint is given. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Hints } from '../../src/domain/ports.ts';
import { TreehouseError } from '../../src/errors.ts';
import { webhookRouter } from '../../src/webhook/receive.ts';
import { heard } from '../support/fakes.ts';
import { repository, startReceiver, type TestReceiver } from '../support/receiver.ts';
import { type Delivery, deliver, signature, signed, withHeader } from '../support/signed.ts';

const CAP = 26_214_400;
const OLD_SECRET = 'the secret before';
const push = {
  ref: 'refs/heads/main',
  after: '6113728f27ae82c7b1a177c8d03f9e96e0adf246',
  created: false,
  deleted: false,
  forced: false,
  repository: { full_name: 'acme/shop' },
};

let port = heard();
let hint: Hints['hint'] | undefined;
let receiver: TestReceiver;

beforeEach(async () => {
  port = heard();
  hint = undefined;
  receiver = await startReceiver({
    secrets: ['the secret that is to come', OLD_SECRET, 'a secret that only this test and its receiver know'],
    store: port.store,
    hints: { hint: (id) => (hint ?? port.hints.hint)(id) },
    repositories: () => [repository('acme/shop')],
    limits: { ms: 300, enqueueMs: 200 },
  });
});

afterEach(async () => {
  await receiver.close();
});

async function refused(delivery: Delivery, status: number, detail: RegExp): Promise<void> {
  const answer = await deliver(receiver.url, delivery);
  expect(answer.body).toMatchObject({ type: 'about:blank', status, detail: expect.stringMatching(detail) });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(port.hinted).toEqual([]);
  expect(port.known).toEqual([]);
}

describe('signature', () => {
  test('missing: 401', () =>
    refused(withHeader(signed('push', push), 'x-hub-signature-256', undefined), 401, /missing/));

  test('by another secret: 401', () => refused(signed('push', push, 'a guess'), 401, /not that of any webhook secret/));

  test('not a signature at all: 401', () =>
    refused(withHeader(signed('push', push), 'x-hub-signature-256', 'sha256=äöü'), 401, /not a SHA-256 signature/));

  test('of SHA-1 only, which GitHub still sends beside the other: 401', async () => {
    const delivery = withHeader(signed('push', push), 'x-hub-signature-256', undefined);
    await refused(withHeader(delivery, 'x-hub-signature', `sha1=${'0'.repeat(40)}`), 401, /missing/);
  });

  test('right, but the body was altered: 401', async () => {
    const delivery = signed('push', push);
    await refused({ ...delivery, body: `${delivery.body} ` }, 401, /not that of any webhook secret/);
  });

  test('by the secret that is being replaced: taken', async () => {
    const { status } = await deliver(receiver.url, signed('push', push, OLD_SECRET));
    expect(status).toBe(202);
  });

  test('is over the raw bytes: white space and non-ASCII text do not matter', async () => {
    const body = Buffer.from(JSON.stringify({ ...push, 'ü\u2028': '🏠' }, null, 7));
    const { headers } = signed('push', push);
    const delivery = withHeader({ headers, body }, 'x-hub-signature-256', signature(body));
    expect((await deliver(receiver.url, delivery)).status).toBe(202);
  });

  test('no receiver is made without a secret, which would take everything', () => {
    const { store, hints, forks } = port;
    const deps = { store, hints, forks, repositories: () => [], log: pino({ level: 'silent' }) };
    expect(() => webhookRouter({ ...deps, secrets: [] })).toThrow(/needs a secret/);
    expect(() => webhookRouter({ ...deps, secrets: ['good', ''] })).toThrow(/needs a secret/);
  });
});

describe('size and time', () => {
  test('26 MB by Content-Length: 413, before any of it is kept', async () => {
    const body = Buffer.alloc(CAP + 1, ' ');
    const { headers } = signed('push', push);
    await refused(
      { headers: { ...headers, 'x-hub-signature-256': signature(body) }, body },
      413,
      /larger than 26214400/,
    );
  });

  test('26 MB without Content-Length: 413', async () => {
    const { headers } = signed('push', push);
    // On a busy machine they take longer than a body may here.
    receiver = await again({ ms: 10_000 });
    const req = request(`${receiver.url}/webhooks/github`, { method: 'POST', headers: { ...headers } });
    req.on('error', () => {});
    const chunk = Buffer.alloc(1024 * 1024, ' ');
    const answered = once(req, 'response');
    for (let sent = 0; sent < 26; sent += 1) req.write(chunk);
    req.end();
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    expect(response.headers.connection).toBe('close');
  });

  test('25 MB to the byte: taken', async () => {
    const text = JSON.stringify({ ...push, padding: '' });
    const body = text.replace('"padding":""', `"padding":"${'x'.repeat(CAP - text.length)}"`);
    expect(body.length).toBe(CAP);
    const { headers } = signed('push', push);
    receiver = await again({ ms: 10_000 });
    const answer = await deliver(receiver.url, {
      headers: { ...headers, 'x-hub-signature-256': signature(body) },
      body,
    });
    expect(answer.status).toBe(202);
  });

  test('a body that does not come: 408, and the connection is closed', async () => {
    const { hostname, port: number } = new URL(receiver.url);
    const socket = connect(Number(number), hostname);
    const { headers, body } = signed('push', push);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${lines.join('')}\r\n{`,
    );
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(text).toMatch(/did not arrive within 300 ms/);
    expect(port.hinted).toEqual([]);
  });

  test('too many bodies at once: 503', async () => {
    receiver = await again({ bytesTogether: 100 });
    await refused(signed('push', push), 503, /too many deliveries/);
  });

  test('the sender hangs up: nothing is hinted, and the log says so', async () => {
    const { headers } = signed('push', push);
    const options = { method: 'POST', headers: { ...headers, 'content-length': '100' } };
    const req = request(`${receiver.url}/webhooks/github`, options);
    req.on('error', () => {});
    req.write('{');
    await expect.poll(() => req.socket?.bytesWritten ?? 0).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(resolve));
    req.destroy();
    await expect.poll(() => receiver.logged.at(-1)?.reason).toMatch(/hung up/);
    expect(port.hinted).toEqual([]);
  });
});

describe('form', () => {
  test('no event: 400', () =>
    refused(withHeader(signed('push', push), 'x-github-event', undefined), 400, /X-GitHub-Event/));

  test('no delivery id: 400', () =>
    refused(withHeader(signed('push', push), 'x-github-delivery', undefined), 400, /X-GitHub-Delivery/));

  test('invalid JSON: 400', () => refused(raw('{"ref": '), 400, /not JSON/));

  test('an empty body: 400', () => refused(raw(''), 400, /empty/));

  test.each(['null', '[]', '"push"', '7'])('JSON that is no object, %s: 400', (body) =>
    refused(raw(body), 400, /not one of GitHub's/),
  );

  test.each([
    [{ repository: undefined }, /repository: /],
    [{ repository: { full_name: 7 } }, /repository\.full_name: .*string/],
    [{ ref: null }, /ref: /],
    [{ after: 'main' }, /after: a commit id was expected/],
  ])('a payload with %o: 400 names the field', (change, detail) =>
    refused(signed('push', { ...push, ...change }), 400, detail),
  );

  test('a pull request without its head: 400 names the field', () =>
    refused(
      signed('pull_request', { ...push, action: 'opened', pull_request: { number: 1, state: 'open' } }),
      400,
      /pull_request\.head: /,
    ));

  test('another content type: 415', () =>
    refused(withHeader(signed('push', push), 'content-type', 'text/plain'), 415, /neither/));

  test('a form, GitHub’s other content type: taken', async () => {
    expect((await deliver(receiver.url, form(`payload=${encodeURIComponent(JSON.stringify(push))}`))).status).toBe(202);
  });

  test('a form without a payload: 400', () => refused(form('load=x'), 400, /no field named payload/));

  test('any other method: 405 with Allow', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']) {
      const answer = await fetch(`${receiver.url}/webhooks/github`, { method });
      expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 405, 'POST']);
    }
  });
});

describe('what is in it', () => {
  test('a clone URL of a stranger changes nothing: only the configured repository is known', async () => {
    const evil = {
      full_name: 'ACME/Shop',
      clone_url: 'https://evil.example/x.git',
      ssh_url: 'ext::sh -c id',
      url: 'file:///',
    };
    const { status, body } = await deliver(receiver.url, signed('push', { ...push, repository: evil }));
    expect(status).toBe(202);
    expect(body).toEqual({
      hinted: ['main--shop'],
      cause: 'main was pushed, to 6113728f27ae',
      delivery: expect.any(String),
    });
    expect(port.known).toEqual([{ id: 'main--shop', repository: 'acme/shop', branch: 'main' }]);
    expect(JSON.stringify([port.known, receiver.logged])).not.toContain('evil');
  });

  test('names that a shell or git would misread are names, or refused', async () => {
    for (const name of [
      '$(touch x)',
      '`id`',
      '--upload-pack=x',
      "a'b",
      'a"b',
      'ünïcödé',
      'a%20b',
      'x'.repeat(200),
      'a;b',
      '-',
    ]) {
      const { status, body } = await deliver(receiver.url, signed('push', { ...push, ref: `refs/heads/${name}` }));
      if (name.includes(' '))
        expect([status, body.ignored]).toEqual([200, expect.stringMatching(/git allows no spaces/)]);
      else expect([status, body.hinted]).toEqual([202, [expect.stringMatching(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/)]]);
    }
    expect(new Set(port.hinted).size).toBe(9);
  });

  test('a property called __proto__ is only a property', async () => {
    const text = JSON.stringify(push).replace('{', '{"__proto__":{"deleted":true},');
    expect((await deliver(receiver.url, raw(text))).body.cause).toBe('main was pushed, to 6113728f27ae');
  });
});

describe('the queue', () => {
  test('is away: 503 with the reason in the log', async () => {
    hint = () =>
      Promise.reject(new TreehouseError('queue-away', 'hinting main--shop: ECONNREFUSED', { kind: 'transient' }));
    const answer = await deliver(receiver.url, signed('push', push));
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(receiver.logged.at(-1)).toMatchObject({ status: 503, outcome: 'failed', err: { message: /ECONNREFUSED/ } });
  });

  test('does not answer: 503 when the deadline is over', async () => {
    hint = () => new Promise(() => {});
    expect((await deliver(receiver.url, signed('push', push))).status).toBe(503);
  });

  test('fails in a way that nobody foresaw: 500, and the answer does not tell strangers how', async () => {
    hint = () => Promise.reject(new Error('secret detail'));
    const answer = await deliver(receiver.url, signed('push', push));
    expect([answer.status, JSON.stringify(answer.body).includes('secret detail')]).toEqual([500, false]);
    expect(receiver.logged.at(-1)).toMatchObject({ err: { message: 'secret detail' } });
  });
});

test('the log holds one line a delivery: a constant message and fields', async () => {
  const delivery = signed('pull_request', { ...push, action: 'assigned' });
  await deliver(receiver.url, delivery);
  expect(receiver.logged).toHaveLength(1);
  expect(receiver.logged[0]).toMatchObject({
    msg: 'delivery answered',
    delivery: delivery.headers['x-github-delivery'],
    event: 'pull_request',
    action: 'assigned',
    status: 200,
    outcome: 'ignored',
    reason: 'the action "assigned" on a pull request changes nothing of a preview',
    ms: expect.any(Number),
  });
});

function raw(body: string): Delivery {
  const { headers } = signed('push', push);
  return { headers: { ...headers, 'x-hub-signature-256': signature(body) }, body };
}

function form(body: string): Delivery {
  return withHeader(raw(body), 'content-type', 'application/x-www-form-urlencoded');
}

async function again(limits: object): Promise<TestReceiver> {
  await receiver.close();
  return startReceiver({ store: port.store, hints: port.hints, repositories: () => [repository('acme/shop')], limits });
}
