/** What goes when a store is over its budget or a disk is short of room, and when builds wait for a disk. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  type Disk,
  type DiskThing,
  isTooFull,
  type Removal,
  type StoreState,
  shortBy,
  sizeText,
  tooFullText,
  whatGoes,
} from '../../src/domain/disk.ts';

const NOBODY = new Map<string, number>();

function thing(name: string, lastUsed: number, bytes: number, more: Partial<DiskThing> = {}): DiskThing {
  return { name, ref: name, lastUsed, pieces: new Map([[name, bytes]]), ...more };
}

function store(name: string, budget: number | undefined, things: readonly DiskThing[], disk = '/'): StoreState {
  return { name, budget, disk, things };
}

const namesOf = (all: readonly Removal[]) => all.map((one) => one.thing.name);

describe('over the budget', () => {
  it('the least recently used go, and no more than needed', () => {
    const images = store('images', 25, [thing('new', 3, 10), thing('old', 1, 10), thing('middle', 2, 10)]);
    expect(whatGoes([images], NOBODY)).toEqual([
      { store: 'images', thing: images.things[1], cause: 'images may take 25 B, and it was unused the longest' },
    ]);
  });

  it('what is kept stays, however long it was unused, and counts', () => {
    const kept = thing('live', 1, 20, { kept: 'a container is made from it' });
    expect(namesOf(whatGoes([store('images', 25, [kept, thing('a', 2, 10), thing('b', 3, 10)])], NOBODY))).toEqual([
      'a',
      'b',
    ]);
  });

  it('a layer that another still has frees nothing, and goes with the last', () => {
    const base = ['base', 100] as const;
    const of = (name: string, lastUsed: number) => thing(name, lastUsed, 0, { pieces: new Map([base, [name, 5]]) });
    const all = [of('a', 1), of('b', 2), of('c', 3)];
    expect(bytesOf(all)).toBe(115);
    expect(namesOf(whatGoes([store('images', 112, all)], NOBODY))).toEqual(['a']);
    expect(namesOf(whatGoes([store('images', 50, all)], NOBODY))).toEqual(['a', 'b', 'c']);
  });

  it('what shares all it has with what is kept is not taken, since that would free nothing', () => {
    const base = thing('base', 1, 100);
    const live = thing('live', 2, 0, { pieces: new Map([...base.pieces, ['own', 1]]), kept: 'it runs' });
    expect(whatGoes([store('images', 0, [base, live])], NOBODY)).toEqual([]);
  });

  it('what is of no use to anybody goes in any case, first of all, and counts', () => {
    const waste = thing('waste', 9, 10, { goes: 'it was not collected for a day' });
    const all = [thing('a', 1, 10), waste, thing('b', 2, 10)];
    expect(namesOf(whatGoes([store('registry', undefined, all)], NOBODY))).toEqual(['waste']);
    expect(namesOf(whatGoes([store('registry', 20, all)], NOBODY))).toEqual(['waste']);
    expect(namesOf(whatGoes([store('registry', 10, all)], NOBODY))).toEqual(['waste', 'a']);
    expect(whatGoes([store('registry', 99, [{ ...waste, kept: 'it was used lately' }])], NOBODY)).toEqual([]);
  });

  it('a store without a budget keeps all, until its disk is short', () => {
    const cache = store('cache', undefined, [thing('x', 1, 10)], '/data');
    expect(whatGoes([cache], NOBODY)).toEqual([]);
    expect(namesOf(whatGoes([cache], new Map([['/', 5]])))).toEqual([]);
    expect(namesOf(whatGoes([cache], new Map([['/data', 5]])))).toEqual(['x']);
  });

  it('where a disk is short of room, the stores on it give the least recently used of all', () => {
    const images = store('images', 100, [thing('i1', 1, 10), thing('i3', 3, 10)]);
    const mirrors = store('mirrors', 100, [thing('m2', 2, 10), thing('m4', 4, 10)]);
    expect(namesOf(whatGoes([images, mirrors], new Map([['/', 25]])))).toEqual(['i1', 'm2', 'i3']);
  });
});

describe('whatever there is', () => {
  const things = fc.array(
    fc.record({
      lastUsed: fc.nat(20),
      // Few pieces, so that many share them; a piece is of one size wherever it is.
      pieces: fc.uniqueArray(fc.nat(12), { maxLength: 4 }),
      kept: fc.boolean(),
    }),
    { maxLength: 14 },
  );
  const stores = fc
    .array(
      fc.record({ budget: fc.option(fc.nat(60), { nil: undefined }), disk: fc.constantFrom('/', '/data'), things }),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((all) =>
      all.map(({ budget, disk, things }, at) =>
        store(
          `store ${at}`,
          budget,
          things.map((one, index) =>
            thing(`${at}/${index}`, one.lastUsed, 0, {
              pieces: new Map(one.pieces.map((piece) => [`${piece}`, piece])),
              ...(one.kept ? { kept: 'it runs' } : {}),
            }),
          ),
          disk,
        ),
      ),
    );
  const short = fc
    .record({ '/': fc.nat(60), '/data': fc.nat(60) })
    .map((all) => new Map(Object.entries(all).filter(([, bytes]) => bytes > 0)));

  function without(state: readonly StoreState[], removals: readonly Removal[]): StoreState[] {
    const gone = new Set(removals.map((one) => one.thing));
    return state.map((one) => ({ ...one, things: one.things.filter((thing) => !gone.has(thing)) }));
  }
  /** What would free something, had all gone that may. */
  function helpful({ things }: StoreState): DiskThing[] {
    const needed = new Set(things.flatMap((one) => (one.kept === undefined ? [] : [...one.pieces.keys()])));
    return things.filter((one) => {
      return one.kept === undefined && [...one.pieces].some(([piece, bytes]) => bytes > 0 && !needed.has(piece));
    });
  }

  it('nothing kept goes, and nothing twice', () => {
    fc.assert(
      fc.property(stores, short, (state, room) => {
        const removals = whatGoes(state, room);
        expect(removals.filter((one) => one.thing.kept !== undefined)).toEqual([]);
        expect(new Set(removals.map((one) => one.thing)).size).toBe(removals.length);
      }),
    );
  });

  it('each store ends within its budget, or has nothing left that helps', () => {
    fc.assert(
      fc.property(stores, short, (state, room) => {
        for (const one of without(state, whatGoes(state, room))) {
          if (one.budget !== undefined && bytesOf(one.things) > one.budget) expect(helpful(one)).toEqual([]);
        }
      }),
    );
  });

  it('each disk gets the room that it is short of, or its stores have nothing left that helps', () => {
    fc.assert(
      fc.property(stores, short, (state, room) => {
        const now = without(state, whatGoes(state, room));
        for (const [disk, bytes] of room) {
          const on = (all: readonly StoreState[]) => all.filter((one) => one.disk === disk);
          const taken = (all: readonly StoreState[]) => on(all).reduce((sum, one) => sum + bytesOf(one.things), 0);
          if (taken(state) - taken(now) < bytes) expect(on(now).flatMap(helpful)).toEqual([]);
        }
      }),
    );
  });

  it('what goes for the budget of a store was unused at least as long as what stays of it', () => {
    fc.assert(
      fc.property(stores, (state) => {
        const removals = whatGoes(state, NOBODY);
        for (const one of without(state, removals)) {
          const last = Math.max(
            0,
            ...removals.filter(({ store }) => store === one.name).map((two) => two.thing.lastUsed),
          );
          // What would help no more, since others that stay have its pieces, was passed over.
          const before = state.find(({ name }) => name === one.name);
          const stays = helpful(one).filter((two) => before && helpful(before).includes(two));
          for (const two of stays) expect(two.lastUsed).toBeGreaterThanOrEqual(last);
        }
      }),
    );
  });

  it('a second time nothing goes', () => {
    fc.assert(
      fc.property(stores, (state) => {
        expect(whatGoes(without(state, whatGoes(state, NOBODY)), NOBODY)).toEqual([]);
      }),
    );
  });
});

describe('a disk', () => {
  const GB = 2 ** 30;
  const MARK = { full: 0.9, free: GB / 4 };
  const disk = (percent: number, more: Partial<Disk> = {}): Disk => {
    return {
      path: '/var/lib/docker',
      name: '/var/lib/docker',
      size: 100 * GB,
      free: (100 - percent) * GB,
      files: 0,
      ...more,
    };
  };

  it('is too full from the mark on, and not until it is well below again', () => {
    const seen = [89, 90, 89, 86, 85, 84, 86, 90];
    let before = false;
    const told = seen.map((percent) => {
      before = isTooFull(disk(percent), MARK, before);
      return before;
    });
    expect(told).toEqual([false, true, true, true, true, false, false, true]);
  });

  it('is too full with too little room, however small a part of it is used', () => {
    const small = { size: GB, free: GB / 5 };
    expect(isTooFull(disk(0, small), MARK, false)).toBe(true);
    expect(tooFullText(disk(0, small), MARK)).toBe(
      'the disk of /var/lib/docker is 80 % full and builds wait with less than 256 MB free (TREEHOUSE_DISK_FREE): free some space there, and they go on by themselves',
    );
  });

  it('is too full where it can hold no more files', () => {
    const files = disk(10, { files: 0.97 });
    expect(isTooFull(files, MARK, false)).toBe(true);
    expect(tooFullText(files, MARK)).toContain('97 % full of its files');
    expect(shortBy(files, MARK)).toBeGreaterThan(4 * GB);
  });

  it('says where, how full, from when on, and what to do', () => {
    expect(tooFullText(disk(93.4), MARK)).toBe(
      'the disk of /var/lib/docker is 93 % full and builds wait from 90 % on (TREEHOUSE_DISK_FULL): free some space there, and they go on below 85 %',
    );
    // Not another text for each megabyte: it is an event each time.
    expect(tooFullText(disk(93.1), MARK)).toBe(tooFullText(disk(93.9), MARK));
  });

  it('that got what it is short of lets builds go on', () => {
    const state = fc.record({
      size: fc.integer({ min: 2 ** 26, max: 2 ** 45 }),
      used: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(state, fc.double({ min: 0.5, max: 0.99, noNaN: true }), ({ size, used }, full) => {
        const one: Disk = { path: '/', name: '/', size, free: Math.floor(size * (1 - used)), files: 0 };
        const mark = { full, free: 2 ** 20 };
        const then = { ...one, free: one.free + shortBy(one, mark) };
        expect(isTooFull(then, mark, true)).toBe(false);
      }),
    );
  });

  it.each([
    [512, '512 B'],
    [1536, '1.5 KB'],
    [20 * GB, '20 GB'],
    [1.04 * GB, '1 GB'],
  ])('%d bytes are %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));
});
