/** The fault suite's own judgement: a model that knows nothing of Treehouse's code, and a comparison that can fail. */
import { describe, expect, it } from 'vitest';
import { differencesOf, type Place, type Seen, type Thing } from '../../chaos/compare.ts';
import { createModel, type ModelCommit } from '../../chaos/model.ts';
import { seeded } from '../../chaos/random.ts';

const commit = (id: string, quality: ModelCommit['quality'] = 'good'): ModelCommit => ({
  id,
  text: `page ${id}`,
  quality,
});
const A = 'acme/shop:a';

describe('the model', () => {
  it('wants a branch while it exists', () => {
    const model = createModel([A]);
    expect(model.expected(A)).toEqual({ kind: 'gone' });
    model.pushed(A, commit('1'));
    expect(model.expected(A)).toEqual({ kind: 'serves', commit: commit('1') });
    model.deleted(A);
    expect(model.expected(A)).toEqual({ kind: 'gone' });
  });

  it('is done with a branch whose pull request ended, until it is opened again or there is another commit', () => {
    const model = createModel([A]);
    model.pushed(A, commit('1'));
    model.opened(A, 7);
    model.closed(A, 7);
    expect(model.expected(A)).toEqual({ kind: 'gone' });
    expect(model.endedHere(A)).toEqual([7]);
    model.opened(A, 7);
    expect(model.openPullRequest(A)).toBe(7);
    expect(model.expected(A)).toMatchObject({ kind: 'serves' });
    model.closed(A, 7);
    model.pushed(A, commit('2'));
    expect(model.expected(A)).toEqual({ kind: 'serves', commit: commit('2') });
    // Forced back to where the pull request ended.
    model.pushed(A, commit('1'));
    expect(model.expected(A)).toEqual({ kind: 'gone' });
  });

  it('leaves open which of the pages before a bad commit serves, until one was seen', () => {
    const model = createModel([A]);
    model.pushed(A, commit('1'));
    model.settled(A, 'page 1');
    model.pushed(A, commit('2'));
    model.pushed(A, commit('3', 'bad'));
    expect(model.expected(A)).toEqual({ kind: 'before', texts: new Set(['page 1', 'page 2']) });
    model.settled(A, 'page 2');
    model.pushed(A, commit('4', 'bad'));
    expect(model.expected(A)).toEqual({ kind: 'before', texts: new Set(['page 2']) });
  });

  it('expects nothing of a branch that began bad', () => {
    const model = createModel([A]);
    model.pushed(A, commit('1', 'bad'));
    expect(model.expected(A)).toEqual({ kind: 'before', texts: new Set([undefined]) });
  });
});

describe('the comparison', () => {
  const serves: Place = { branch: A, id: 'a--shop', services: 1, expected: { kind: 'serves', commit: commit('1') } };
  const gone: Place = { branch: 'acme/shop:b', id: 'b--shop', services: 1, expected: { kind: 'gone' } };
  const container: Thing = { what: 'container', id: 'a--shop', name: 'th-a--shop-web' };
  const right: Seen = {
    pages: new Map([
      ['a--shop', { status: 200, text: 'page 1' }],
      ['b--shop', { status: 404, text: 'no such preview' }],
    ]),
    things: [container, { what: 'network', id: 'a--shop', name: 'th-a--shop' }],
  };
  const page = (id: string, status: number, text: string): Seen => ({
    ...right,
    pages: new Map([...right.pages, [id, { status, text }]]),
  });

  it('finds nothing in a world as it should be', () => {
    expect(differencesOf([serves, gone], right)).toEqual([]);
  });

  it.each<[string, Seen, string[]]>([
    ['another page', page('a--shop', 200, 'page 0'), ['a--shop is to serve "page 1", and serves "page 0"']],
    ['one that is not gone', page('b--shop', 502, ''), ['b--shop is to be gone, and answers 502']],
    [
      'a container too many',
      { ...right, things: [...right.things, { ...container, name: 'old' }] },
      ['a--shop has 2 containers, and is to have 1'],
    ],
    [
      'what is left of one that is gone',
      { ...right, things: [...right.things, { what: 'volume', id: 'b--shop', name: 'th-b--shop_data' }] },
      ['volume th-b--shop_data is there, and b--shop serves nothing'],
    ],
    [
      'what no branch of the model owns',
      { ...right, things: [...right.things, { what: 'tag', id: 'x--y', name: 'x/y:x--y.1' }] },
      ['tag x/y:x--y.1 is there, and x--y serves nothing'],
    ],
  ])('finds %s', (_what, seen, differences) => {
    expect(differencesOf([serves, gone], seen)).toEqual(differences);
  });

  it('finds a page that is none of those before a bad commit', () => {
    const bad: Place = { ...serves, expected: { kind: 'before', texts: new Set(['page 1', undefined]) } };
    expect(differencesOf([bad, gone], right)).toEqual([]);
    expect(differencesOf([bad, gone], page('a--shop', 200, 'page 3'))).toEqual([
      'a--shop has a bad head and is to serve "page 1" or nothing, and serves "page 3"',
    ]);
  });
});

it('the same seed makes the same choices', () => {
  const choices = (seed: number) => {
    const random = seeded(seed);
    const list = random.shuffled([1, 2, 3, 4, 5, 6, 7, 8]);
    return [...list, random.below(1_000), random.fork().below(1_000), random.chance(0.5)].join();
  };
  expect(choices(3)).toBe(choices(3));
  expect(choices(3)).not.toBe(choices(4));
});
