import { describe, expect, it } from 'vitest';
import { readLogin } from '../../src/policy/login.ts';
import { Notes } from '../../src/policy/notes.ts';
import { DEFAULT_POLICY } from '../../src/policy/policy.ts';

function read(raw: unknown): { readonly login: readonly string[] | undefined; readonly refused: readonly string[] } {
  const notes = new Notes(DEFAULT_POLICY);
  const login = readLogin(raw, notes);
  return { login, refused: notes.refusals.map(({ path, message }) => `${path}: ${message}`) };
}

describe('how to sign in', () => {
  it.each([
    ['nothing', undefined, undefined],
    ['null', null, undefined],
    ['an empty list', [], undefined],
    ['a line', ' demo@example.com / demo ', ['demo@example.com / demo']],
    ['several', ['admin / admin', 'any e-mail, password “demo”'], ['admin / admin', 'any e-mail, password “demo”']],
  ])('may be %s', (_, raw, login) => {
    expect(read(raw)).toEqual({ login, refused: [] });
  });

  it.each([
    ['a mapping', { user: 'demo' }, '{"user":"demo"} is none'],
    ['a number', 1234, '1234 is none'],
    ['a list in a list', [['a']], '["a"] is none'],
    ['an empty line', '  ', 'one line of visible characters'],
    ['several lines in one', 'a\nb', 'one line of visible characters'],
    ['a text that turns around', 'a\u202eb', 'one line of visible characters'],
    ['a line that is no login any more', 'x'.repeat(201), 'longer than 200 characters'],
    ['a page', Array.from({ length: 6 }, () => 'x'), 'it has 6 lines; at most 5 are shown'],
  ])('is refused where it is %s', (_, raw, why) => {
    const { login, refused } = read(raw);
    expect(login).toBeUndefined();
    expect(refused).toEqual([expect.stringContaining(why)]);
    expect(refused[0]).toMatch(/^x-treehouse\.login: /);
  });
});
