/** The fake GitHub is only worth what it refuses. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeGitHub, startGitHub } from '../support/github/github.ts';
import { LOST } from '../support/github/troubles.ts';

let github: FakeGitHub;
let token: string;
beforeEach(async () => {
  github = await startGitHub();
  const shop = github.repository('acme/shop');
  github.pull(shop, { number: 7 });
  const { credentials } = github.asUser();
  token = 'token' in credentials ? credentials.token : '';
});
afterEach(() => github.close());

const HEADERS = {
  accept: 'application/vnd.github+json',
  'user-agent': 'test',
  'x-github-api-version': '2022-11-28',
  'content-type': 'application/json',
};

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = HEADERS) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${github.url}${path}`, {
    method,
    headers: { authorization: `token ${token}`, ...headers },
    ...sent,
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers };
}

describe('the fake GitHub', () => {
  it('answers what is as GitHub describes it', async () => {
    const made = await ask('POST', '/repos/acme/shop/issues/7/comments', { body: 'hello' });
    expect(made).toMatchObject({ status: 201, body: { body: 'hello', user: { login: 'octocat' } } });
    expect(await ask('GET', '/repos/acme/shop/issues/7/comments?per_page=1')).toMatchObject({
      status: 200,
      body: [{ body: 'hello' }],
    });
    expect(github.verify).not.toThrow();
  });

  it.each<[string, string, string, unknown, string]>([
    ['an unknown path', 'GET', '/repos/acme/shop/previews', undefined, 'GitHub has no such path'],
    ['an unknown method', 'PUT', '/repos/acme/shop/deployments', {}, 'GitHub has no such path'],
    [
      'a missing field',
      'POST',
      '/repos/acme/shop/deployments',
      { environment: 'x' },
      "it must have required property 'ref'",
    ],
    ['a missing body', 'POST', '/repos/acme/shop/deployments', undefined, 'it has no body'],
    ['a wrong type', 'POST', '/repos/acme/shop/issues/7/comments', { body: 7 }, '/body must be string'],
    [
      'a word that is none of the known',
      'POST',
      '/repos/acme/shop/statuses/abc',
      { state: 'red' },
      '/state must be equal to one of',
    ],
    [
      'a field that there is not',
      'POST',
      '/repos/acme/shop/issues/7/comments',
      { body: '', sticky: true },
      'there is no field sticky',
    ],
    [
      'a parameter that there is not',
      'GET',
      '/repos/acme/shop/deployments?branch=main',
      undefined,
      'there is no parameter branch',
    ],
    [
      'a parameter of a wrong type',
      'GET',
      '/repos/acme/shop/issues/seven/comments',
      undefined,
      'issue_number: /value must be integer',
    ],
  ])('refuses %s, and says so at the end', async (_, method, path, body, fault) => {
    expect((await ask(method, path, body)).status).toBeGreaterThanOrEqual(400);
    expect(github.violations.join()).toContain(fault);
    expect(github.verify).toThrow(fault);
  });

  it.each([
    ['user-agent', 'there is no User-Agent'],
    ['accept', 'Accept asks for no JSON'],
    ['x-github-api-version', 'it names no version of the API'],
  ])('asks for the header %s', async (name, fault) => {
    await ask('GET', '/repos/acme/shop/deployments', undefined, { ...HEADERS, [name]: '' });
    expect(github.verify).toThrow(fault);
  });

  it('holds its own answers to the description too', async () => {
    github.state.repositories
      .get('acme/shop')
      ?.comments.push({ id: 'one' as never, at: 0, pull: 7, author: 'ada', body: '', reactions: [] });
    await ask('GET', '/repos/acme/shop/issues/7/comments');
    expect(github.verify).toThrow(
      "the fake's answer to GET /repos/acme/shop/issues/7/comments (200): /0/id must be integer",
    );
  });

  it('refuses a query that the schema does not allow', async () => {
    const { body } = await ask('POST', '/graphql', {
      query: '{ repository(owner: "acme", name: "shop") { previews } }',
    });
    expect(body.errors[0].message).toContain('Cannot query field "previews"');
    expect(github.verify).toThrow('Cannot query field "previews" on type "Repository"');
  });

  it('refuses who may not, and tells what is needed', async () => {
    const { credentials } = github.asUser('ada', { metadata: 'read', contents: 'read' });
    token = 'token' in credentials ? credentials.token : '';
    const answer = await ask('GET', '/repos/acme/shop/deployments');
    expect(answer).toMatchObject({
      status: 403,
      body: { message: 'Resource not accessible by personal access token' },
    });
    expect(answer.headers.get('x-accepted-github-permissions')).toBe('deployments=read');
    token = 'nobody’s'.replace('’', '');
    expect((await ask('GET', '/user')).status).toBe(401);
    expect(github.verify).not.toThrow();
  });

  it('does what it then loses, and shows late what was made', async () => {
    github.state.lagMs = 10_000;
    const undo = github.play(() => LOST);
    expect((await ask('POST', '/repos/acme/shop/issues/7/comments', { body: 'lost' })).status).toBe(502);
    undo();
    expect((await ask('GET', '/repos/acme/shop/issues/7/comments')).body).toEqual([]);
    github.state.lagMs = 0;
    expect((await ask('GET', '/repos/acme/shop/issues/7/comments')).body).toMatchObject([{ body: 'lost' }]);
    expect(github.busiest(60_000)).toBe(3);
    expect(github.requests.map((one) => one.ended?.status)).toEqual([502, 200, 200]);
  });
});
