/** Who may build or wake: cases as people would tell them, and what holds of every house. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Admitted,
  admit,
  type House,
  type Place,
  type RepositoryLimits,
  type Resident,
  type Waiter,
} from '../../src/domain/admission.ts';
import { type PreviewId, type RepositoryName, repositoryName } from '../../src/domain/names.ts';

const MINUTE = 60_000;
const GIB = 2 ** 30;
const [SHOP, BLOG] = [repositoryName('acme/shop'), repositoryName('acme/blog')];
const id = (name: string) => name as PreviewId;

function resident(name: string, more: Partial<Resident> = {}): Resident {
  return {
    ...{ id: id(name), repository: name.endsWith('blog') ? BLOG : SHOP, running: true, memory: GIB },
    ...{ lastUsed: 0, pinned: false, busy: false },
    ...more,
  };
}

function place(name: string, purpose: Place['purpose'] = 'build'): Place {
  return { id: id(name), repository: name.endsWith('blog') ? BLOG : SHOP, purpose };
}

function waiter(name: string, since = 0, purpose: Place['purpose'] = 'build'): Waiter {
  return { ...place(name, purpose), since };
}

function house(more: Partial<House>): House {
  return {
    ...{ residents: [], places: [], waiting: [], served: new Map(), host: { builds: 2 } },
    limitsOf: () => ({ atLimit: 'wait' }),
    memoryOf: () => GIB,
    ...more,
  };
}

/** One line for everyone who waits, in the order of their positions, and one for everyone who makes room. */
function told({ turns, makeRoom }: Admitted): string[] {
  const lines = [...turns].map(([who, turn]) => {
    if (turn.kind === 'go') return `0 ${who} goes`;
    const about = turn.aboutMs === undefined ? '' : ` (${turn.aboutMs / MINUTE} min)`;
    return `${turn.position} ${who}${about}: ${turn.because}`;
  });
  return [...lines.sort(), ...makeRoom.map((one) => `${one.act} ${one.id}`)];
}

describe('builds', () => {
  it('go as far as there are places, and who waits is told for how long', () => {
    const waiting = ['a--shop', 'b--shop', 'c--shop', 'd--shop'].map((name, at) => waiter(name, at));
    expect(told(admit(house({ places: [place('x--shop')], waiting, buildMs: 2 * MINUTE })))).toEqual([
      '0 a--shop goes',
      '1 b--shop (2 min): 2 builds run, and 2 may at once (TREEHOUSE_CONCURRENCY)',
      '2 c--shop (2 min): 2 builds run, and 2 may at once (TREEHOUSE_CONCURRENCY)',
      '3 d--shop (4 min): 2 builds run, and 2 may at once (TREEHOUSE_CONCURRENCY)',
    ]);
  });

  it('go round robin: a quiet repository does not wait for a noisy one', () => {
    const waiting = [...['b', 'c', 'd'].map((name, at) => waiter(`${name}--shop`, at)), waiter('main--blog', 9)];
    const decided = admit(house({ places: [place('a--shop')], waiting, host: { builds: 1 } }));
    expect(told(decided).map((line) => line.split(':')[0])).toEqual([
      '1 main--blog',
      '2 b--shop',
      '3 c--shop',
      '4 d--shop',
    ]);
  });

  it('go to who was served longest ago where both build as much', () => {
    const waiting = [waiter('a--shop', 1), waiter('a--blog', 2)];
    const served = new Map([
      [SHOP, 9],
      [BLOG, 3],
    ]);
    expect(admit(house({ waiting, served, host: { builds: 1 } })).turns.get(id('a--blog'))).toEqual({ kind: 'go' });
  });

  it('keep the place of who was called until he comes', () => {
    const waiting = [waiter('a--blog', 1), { ...waiter('b--shop', 2), called: 3 }];
    const { turns } = admit(house({ waiting, host: { builds: 1 } }));
    expect(turns.get(id('b--shop'))).toEqual({ kind: 'go' });
    expect(turns.get(id('a--blog'))).toMatchObject({ kind: 'wait', position: 1 });
  });

  it('do not hold up others by the limit of their own repository', () => {
    const limitsOf = (one: RepositoryName): RepositoryLimits => ({
      atLimit: 'wait',
      ...(one === SHOP ? { builds: 1 } : {}),
    });
    const waiting = [waiter('b--shop', 1), waiter('c--shop', 2), waiter('a--blog', 3), waiter('b--blog', 4)];
    expect(told(admit(house({ places: [place('a--shop')], waiting, limitsOf, host: { builds: 2 } })))).toEqual([
      '0 a--blog goes',
      '1 b--blog: 2 builds run, and 2 may at once (TREEHOUSE_CONCURRENCY)',
      '2 b--shop: 1 build of acme/shop runs, and 1 may at once (previews.builds)',
      '3 c--shop: 1 build of acme/shop runs, and 1 may at once (previews.builds)',
    ]);
  });

  it('wait for the reason for which all are paused', () => {
    const waiting = [waiter('a--shop')];
    expect(told(admit(house({ waiting, paused: 'the disk is nearly full', buildMs: MINUTE })))).toEqual([
      '1 a--shop: the disk is nearly full',
    ]);
  });
});

describe('room', () => {
  const waiting = [waiter('new--shop')];
  const full = [resident('old--shop', { lastUsed: 1 }), resident('young--shop', { lastUsed: 2 })];

  it.each<[string, Partial<House>, string[]]>([
    [
      'the longest unused sleeps',
      { residents: full, host: { running: 2 } },
      [
        '1 new--shop: 2 previews run, and 2 may at once (TREEHOUSE_MAX_RUNNING); old--shop goes to sleep to make room',
        'sleep old--shop',
      ],
    ],
    [
      'neither the pinned nor the visited one does',
      {
        residents: [resident('a--shop', { pinned: true }), resident('b--shop', { busy: true })],
        host: { running: 2 },
      },
      [
        '1 new--shop: 2 previews run, and 2 may at once (TREEHOUSE_MAX_RUNNING); its turn comes when one of them sleeps; all are pinned, visited or at work',
      ],
    ],
    [
      'who is awake already needs none',
      { residents: full, waiting: [waiter('old--shop')], host: { running: 2 } },
      ['0 old--shop goes'],
    ],
    [
      'as many sleep as memory takes',
      { residents: full, host: { memory: 2.5 * GIB }, memoryOf: () => 1.6 * GIB },
      [
        '1 new--shop: 2048 MiB of memory are promised to running previews, and 2560 MiB may be (TREEHOUSE_MAX_MEMORY); old--shop goes to sleep and young--shop goes to sleep to make room',
        'sleep old--shop',
        'sleep young--shop',
      ],
    ],
    [
      'what is paused runs no more, and keeps its memory',
      { residents: [resident('nap--shop', { running: false, held: GIB })], host: { running: 1, memory: 3 * GIB } },
      ['0 new--shop goes'],
    ],
    [
      'what is paused gives its memory back first',
      {
        residents: [resident('nap--shop', { running: false, held: GIB }), resident('young--shop', { lastUsed: 9 })],
        host: { running: 2, memory: 2 * GIB },
      },
      [
        '1 new--shop: 2048 MiB of memory are promised to running previews, and 2048 MiB may be (TREEHOUSE_MAX_MEMORY); nap--shop goes to sleep to make room',
        'sleep nap--shop',
      ],
    ],
    [
      'what is paused wakes in the memory that it has',
      {
        residents: [resident('nap--shop', { running: false, held: GIB }), resident('young--shop', { lastUsed: 9 })],
        waiting: [waiter('nap--shop', 0, 'wake')],
        host: { memory: 2 * GIB },
      },
      ['0 nap--shop goes'],
    ],
    [
      'nobody sleeps for one that can never fit',
      { residents: full, host: { memory: 2 * GIB }, memoryOf: () => 3 * GIB },
      ['1 new--shop: it needs 3072 MiB of memory, and all together may have 2048 MiB (TREEHOUSE_MAX_MEMORY): raise it'],
    ],
    [
      'nobody goes where policy lets the new one wait',
      { residents: full, limitsOf: () => ({ previews: 2, atLimit: 'wait' }) },
      [
        '1 new--shop: there are 2 previews of acme/shop, and 2 may be (previews.max); its turn comes when one of them goes',
      ],
    ],
    [
      'the longest unused goes where policy says so',
      { residents: full, limitsOf: () => ({ previews: 2, atLimit: 'remove' }) },
      [
        '1 new--shop: there are 2 previews of acme/shop, and 2 may be (previews.max); old--shop is removed to make room',
        'remove old--shop',
      ],
    ],
    [
      'a wake comes before builds',
      {
        residents: [resident('old--shop'), resident('nap--blog', { running: false })],
        waiting: [waiter('new--shop', 0), waiter('nap--blog', 5, 'wake')],
        host: { running: 2 },
      },
      [
        '0 nap--blog goes',
        '1 new--shop: 2 previews run, and 2 may at once (TREEHOUSE_MAX_RUNNING); old--shop goes to sleep to make room',
        'sleep old--shop',
      ],
    ],
  ])('%s', (_what, more, lines) => {
    expect(told(admit(house({ waiting, ...more })))).toEqual(lines);
  });

  it('is not asked of the same preview for two who wait', () => {
    const two = [waiter('a--blog'), waiter('b--blog')];
    const { makeRoom } = admit(house({ residents: full, waiting: two, host: { running: 2 } }));
    expect(makeRoom.map((one) => one.id)).toEqual(['old--shop', 'young--shop']);
  });
});

describe('whatever the house', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
  const REPOSITORIES = ['acme/one', 'acme/two', 'acme/three'].map(repositoryName);
  const limit = fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined });
  const limits = fc.record({
    builds: limit,
    previews: limit,
    running: limit,
    memory: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    atLimit: fc.constantFrom('wait' as const, 'remove' as const),
  });
  const previews = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom(...NAMES),
      repository: fc.constantFrom(...REPOSITORIES),
      role: fc.constantFrom('asleep', 'awake', 'building', 'rebuilding', 'waiting', 'called', 'wakes', 'moved'),
      memory: fc.integer({ min: 1, max: 4 }),
      at: fc.integer({ min: 1, max: 50 }),
      pinned: fc.boolean(),
      busy: fc.boolean(),
    }),
    { selector: (one) => `${one.name} ${one.repository}`, maxLength: 18 },
  );
  const houses = fc
    .record({ all: previews, host: limits, each: fc.tuple(limits, limits, limits), served: fc.integer({ max: 40 }) })
    .map(({ all, host, each, served }): House => {
      const keyed = all.map((one) => ({ ...one, id: id(`${one.name}--${one.repository.slice(5)}`) }));
      const memory = new Map(keyed.map((one) => [one.id, one.memory]));
      const having = (...roles: string[]) => keyed.filter((one) => roles.includes(one.role));
      return {
        residents: having('asleep', 'awake', 'rebuilding', 'wakes', 'moved').map((one) => ({
          ...one,
          running: one.role !== 'asleep' && one.role !== 'wakes',
          lastUsed: one.at,
        })),
        places: having('building', 'rebuilding').map((one) => ({ ...one, purpose: 'build' as const })),
        waiting: having('waiting', 'called', 'wakes', 'moved').map((one) => ({
          ...one,
          purpose: one.role === 'wakes' ? ('wake' as const) : ('build' as const),
          since: one.at,
          ...(one.role === 'called' ? { called: one.at } : {}),
        })),
        served: new Map(REPOSITORIES.map((name, at) => [name, served * at])),
        host,
        limitsOf: (name) => each[REPOSITORIES.indexOf(name)] ?? host,
        memoryOf: (one) => memory.get(one.id) ?? 1,
        buildMs: MINUTE,
      };
    });

  /** How much there is of everything, of one repository or of all. */
  function counts(seen: House, gone: readonly Waiter[], of?: RepositoryName) {
    const mine = <T extends { readonly repository: RepositoryName }>(all: readonly T[]) =>
      all.filter((one) => of === undefined || one.repository === of);
    const placed = mine([...seen.places, ...gone]);
    const awake = mine(seen.residents.filter((one) => one.running));
    const rising = placed.filter((one) => !awake.some((other) => other.id === one.id));
    return {
      builds: placed.filter((one) => one.purpose === 'build').length,
      previews: new Set([...mine(seen.residents), ...placed].map((one) => one.id)).size,
      running: awake.length + rising.length,
      memory: [...awake.map((one) => one.memory), ...rising.map(seen.memoryOf)].reduce((sum, one) => sum + one, 0),
    };
  }

  it('nobody is dropped, positions count from one without a gap, and every wait says why', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { turns } = admit(seen);
        expect([...turns.keys()].sort()).toEqual(seen.waiting.map((one) => one.id).sort());
        const waits = [...turns.values()].filter((one) => one.kind === 'wait');
        expect(waits.map((one) => one.position).sort((a, b) => a - b)).toEqual(waits.map((_, at) => at + 1));
        for (const one of waits) expect(one.because.length).toBeGreaterThan(10);
      }),
    );
  });

  it('who goes oversteps no limit that was kept before', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { turns } = admit(seen);
        const gone = seen.waiting.filter((one) => turns.get(one.id)?.kind === 'go');
        for (const of of [undefined, ...REPOSITORIES]) {
          const most = of === undefined ? seen.host : seen.limitsOf(of);
          const [before, after] = [counts(seen, [], of), counts(seen, gone, of)];
          for (const need of ['builds', 'previews', 'running', 'memory'] as const) {
            if (after[need] > before[need]) expect(after[need]).toBeLessThanOrEqual(most[need] ?? Infinity);
          }
        }
      }),
    );
  });

  it('only what is idle makes room, each but once, and goes only where its repository says so', () => {
    fc.assert(
      fc.property(houses, (seen) => {
        const { makeRoom } = admit(seen);
        expect(new Set(makeRoom.map((one) => one.id)).size).toBe(makeRoom.length);
        const atWork = new Set([...seen.places, ...seen.waiting].map((one) => one.id));
        for (const one of makeRoom) {
          const who = seen.residents.find((other) => other.id === one.id);
          expect(who).toMatchObject({ pinned: false, busy: false });
          expect(atWork.has(one.id)).toBe(false);
          if (one.act === 'sleep') expect(who?.running).toBe(true);
          else expect(seen.limitsOf(who?.repository ?? SHOP).atLimit).toBe('remove');
        }
      }),
    );
  });

  it('no repository starves: while builds begin and end one by one, everyone gets a turn', () => {
    fc.assert(
      fc.property(houses, fc.constantFrom(...REPOSITORIES), (seen, noisy) => {
        const limitsOf = (): RepositoryLimits => ({ atLimit: 'wait' });
        let waiting = seen.waiting.filter((one) => one.purpose === 'build');
        const open = new Set(waiting.map((one) => one.id));
        let places: readonly Place[] = [];
        const served = new Map(seen.served);
        for (let round = 0; open.size > 0; round += 1) {
          // However much the noisy one pushes, the others are through after a turn for each of their own.
          expect(round).toBeLessThan(3 * seen.waiting.length + 3);
          const more = { ...waiter(`noise${round}`, 100 + round), repository: noisy };
          waiting = [...waiting, more];
          const { turns } = admit({ ...seen, host: { builds: 1 }, limitsOf, places, waiting, served, residents: [] });
          const next = waiting.filter((one) => turns.get(one.id)?.kind === 'go');
          expect(next).toHaveLength(1 - places.length);
          for (const one of next) {
            open.delete(one.id);
            served.set(one.repository, 1_000 + round);
          }
          waiting = waiting.filter((one) => !next.includes(one));
          places = places.length > 0 ? [] : next;
        }
      }),
    );
  });
});
