import { beforeEach, describe, expect, it } from 'vitest';
import { issueToken } from '../../src/access/issue.ts';
import { formToken, isFormToken, signIns } from '../../src/access/sessions.ts';
import { repositoryName } from '../../src/domain/names.ts';
import { memorySessions, memoryTokens } from '../support/api-memory.ts';

const ADMIN = 'the admin token of the home';
let now = 1_000;
let sessions = memorySessions();
let tokens = memoryTokens();
beforeEach(() => {
  now = 1_000;
  sessions = memorySessions();
  tokens = memoryTokens();
});
const desk = (adminToken = ADMIN) => signIns({ sessions, tokens, clock: { now: () => now }, adminToken });
const made = (expiresAt?: number) =>
  issueToken(
    { tokens, clock: { now: () => now } },
    { name: 'ada', role: 'reader', repositories: [repositoryName('acme/shop')], expiresAt },
  );

describe('a session', () => {
  it('is opened by a token alone', async () => {
    for (const wrong of ['', 'x', `${ADMIN}x`]) expect(await desk().open(wrong)).toBeUndefined();
    expect((await desk().open(ADMIN))?.principal).toMatchObject({ id: 'admin', role: 'admin' });
    const { token } = await made();
    expect((await desk().open(token))?.principal).toMatchObject({ name: 'ada', role: 'reader' });
  });

  it('is kept by a hash, with nothing by which it or its token could be guessed', async () => {
    const open = await desk().open(ADMIN);
    const [[key, row] = ['', undefined]] = [...sessions.kept];
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify([key, row])).not.toContain(open?.id);
    expect(Object.keys(row ?? {})).toEqual(['token', 'proof', 'createdAt']);
  });

  it('ends with its token, and reaches what that reaches now', async () => {
    const { token, record } = await made(5_000);
    const open = await desk().open(token);
    const know = () => desk().know(open?.id ?? '');
    expect((await know())?.repositories).toEqual(new Set(['acme/shop']));
    await tokens.add({ ...record, role: 'operator' });
    expect((await know())?.role).toBe('operator');
    now = 5_000;
    expect(await know()).toBeUndefined();
    now = 4_999;
    await tokens.remove(record.id);
    expect(await know()).toBeUndefined();
    // Another token that took its id is another one.
    await tokens.add({ ...record, hash: '0'.repeat(64) });
    expect(await know()).toBeUndefined();
  });

  it('of the token of the home ends where that is another', async () => {
    const open = await desk().open(ADMIN);
    expect(await desk().know(open?.id ?? '')).toBeDefined();
    expect(await desk('another').know(open?.id ?? '')).toBeUndefined();
  });

  it('ends after a week, and by word', async () => {
    const open = await desk().open(ADMIN);
    now += 7 * 86_400_000 - 1;
    expect(await desk().know(open?.id ?? '')).toBeDefined();
    now += 1;
    expect(await desk().know(open?.id ?? '')).toBeUndefined();
    const other = await desk().open(ADMIN);
    await desk().close(other?.id ?? '');
    expect(await desk().know(other?.id ?? '')).toBeUndefined();
  });

  it('is not found by what is no id', async () => {
    for (const id of ['', 'x', '../../x', 'a'.repeat(44)]) expect(await desk().know(id)).toBeUndefined();
  });
});

describe('what a form carries', () => {
  it('is good for its session alone, and another each time', () => {
    const [one, two] = [formToken('a'), formToken('a')];
    expect(one).not.toBe(two);
    expect([isFormToken('a', one), isFormToken('a', two), isFormToken('b', one)]).toEqual([true, true, false]);
    const wrong = ['', '.', 'x.y', one.replace('.', ''), `${one}x`, `.${one.split('.')[1]}`];
    for (const text of wrong) expect(isFormToken('a', text)).toBe(false);
  });
});
