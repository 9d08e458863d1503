/** The caretaker of the disks, and how full they are said to be: with stores and disks that are only said. */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { namingDisk } from '../../src/converge/disk-full.ts';
import { startCaretaking } from '../../src/disk/caretaker.ts';
import { openLevel } from '../../src/disk/level.ts';
import type { Disk, DiskStore, DiskThing } from '../../src/domain/disk.ts';
import type { PreviewId } from '../../src/domain/names.ts';
import { trimLog } from '../../src/embedded/bounded-log.ts';
import { TreehouseError } from '../../src/errors.ts';
import { createLogger } from '../../src/log.ts';

const NOW = 1_000_000;
const GRACE_MS = 1_000;
const EVERY_MS = 300_000;
const HURRY_MS = 5_000;
const MARK = { full: 0.9, free: 1 };
const log = createLogger({ level: 'silent' });
const [BUSY, QUIET, ELSEWHERE] = ['busy--shop', 'quiet--shop', 'elsewhere--shop'] as [PreviewId, PreviewId, PreviewId];

let now: number;
let free: number;
let running: PreviewId[];
let oldest: number | undefined;
/** What was held, and what was asked to go, in order. */
let acts: string[];
beforeEach(() => {
  [now, free, running, oldest, acts] = [NOW, 50, [], undefined, []];
});

function thing(name: string, ago: number, more: Partial<DiskThing> = {}): DiskThing {
  return { name, ref: name, lastUsed: NOW - ago, pieces: new Map([[name, 10]]), ...more };
}

function store(
  name: string,
  budget: number | undefined,
  things: DiskThing[],
  more: Partial<DiskStore> = {},
): DiskStore {
  return {
    name,
    budget,
    folder: '/home',
    look: async () => [...things],
    async remove(going) {
      acts.push(`remove ${going.map((one) => one.name).join(' ')}`);
      for (const one of going) things.splice(things.indexOf(one), 1);
      return going;
    },
    ...more,
  };
}

const disks = async (): Promise<readonly Disk[]> => [{ path: '/home', name: '/home', size: 100, free, files: 0 }];

function caretaker(...stores: DiskStore[]) {
  const level = openLevel({ disks, mark: MARK, log }, () => care.hurry());
  const care = startCaretaking(
    {
      ...{ stores, level, log, clock: { now: () => now }, diskOf: async (folder) => folder },
      worker: {
        atWork: async () => [
          ...running.map((id) => ({ id, since: now })),
          ...(oldest === undefined ? [] : [{ id: ELSEWHERE, since: oldest }]),
        ],
        async hold(id, work) {
          if (running.includes(id)) return false;
          acts.push(`hold ${id}`);
          await work();
          acts.push(`let go ${id}`);
          return true;
        },
      },
    },
    { everyMs: EVERY_MS, hurryMs: HURRY_MS, graceMs: GRACE_MS },
  );
  return { ...care, pausedBecause: level.pausedBecause };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a round', () => {
  it('takes what was unused the longest from what is over its budget, and leaves the rest alone', async () => {
    const images = store('images', 15, [thing('young', 2_000), thing('old', 9_000)]);
    const mirrors = store('mirrors', 100, [thing('mirror', 99_000)]);
    const care = caretaker(images, mirrors);
    expect(await care.round()).toMatchObject([{ store: 'images', thing: { name: 'old' } }]);
    expect(acts).toEqual(['remove old']);
    expect(await care.round()).toEqual([]);
  });

  it('leaves what was used in the grace, or since the oldest converge that runs began', async () => {
    const all = () => [thing('a', 2_000), thing('b', 5_000), thing('c', 500)];
    oldest = NOW - 6_000;
    await caretaker(store('images', 0, all())).round();
    expect(acts).toEqual([]);
    oldest = NOW - 3_000;
    await caretaker(store('images', 0, all())).round();
    expect(acts).toEqual(['remove b']);
    oldest = undefined;
    await caretaker(store('images', 0, all())).round();
    expect(acts).toEqual(['remove b', 'remove b a']);
  });

  it('holds the preview of what goes, and leaves that of one at work', async () => {
    running = [BUSY];
    const things = [thing('of busy', 9_000, { preview: BUSY }), thing('of quiet', 8_000, { preview: QUIET })];
    await caretaker(store('images', 0, [...things, thing('of nobody', 7_000)])).round();
    expect(acts).toEqual([`hold ${QUIET}`, 'remove of quiet', `let go ${QUIET}`, 'remove of nobody']);
  });

  it('goes without a preview whose converge began meanwhile', async () => {
    const images = store('images', 0, [thing('of quiet', 8_000, { preview: QUIET })]);
    const look = async () => {
      const found = await images.look();
      // After it was looked at, and before it is held.
      queueMicrotask(() => running.push(QUIET));
      return found;
    };
    expect(await caretaker({ ...images, look }).round()).toEqual([]);
    expect(acts).toEqual([]);
  });

  it('tells the store since when a thing must be unused', async () => {
    oldest = NOW - 3_000;
    const remove = vi.fn<DiskStore['remove']>(async () => []);
    expect(await caretaker(store('images', 0, [thing('a', 9_000)], { remove })).round()).toEqual([]);
    expect(remove).toHaveBeenCalledWith([expect.objectContaining({ name: 'a' })], {
      unusedSince: NOW - 3_000,
      signal: expect.anything(),
    });
  });

  it('goes on with the others where one cannot be looked at or cleared', async () => {
    const away = async () => {
      throw new Error('it is away');
    };
    const care = caretaker(
      store('cache', 0, [], { look: away }),
      store('registry', 0, [thing('tag', 9_000)], { remove: away }),
      store('images', 0, [thing('image', 9_000)]),
    );
    expect(await care.round()).toMatchObject([{ thing: { name: 'image' } }]);
  });

  it('makes room on a disk that is too full, though every store is within its budget', async () => {
    free = 8;
    const images = store('images', undefined, [thing('a', 9_000), thing('live', 9_500, { kept: 'it runs' })]);
    await caretaker(
      images,
      store('mirrors', 100, [thing('b', 8_000), thing('elsewhere', 9_900)], { folder: '/data' }),
    ).round();
    expect(acts).toEqual(['remove a']);
  });
});

describe('by itself', () => {
  it('comes soon after the start, then at its pace, and sooner while builds wait', async () => {
    const look = vi.fn(async () => []);
    const care = caretaker(store('images', 0, [], { look }));
    await vi.advanceTimersByTimeAsync(HURRY_MS * 1.2);
    expect(look).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(HURRY_MS * 10);
    expect(look).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(EVERY_MS * 1.1);
    expect(look).toHaveBeenCalledTimes(2);

    free = 5;
    for (const _ of [1, 2, 3]) await care.pausedBecause();
    await vi.advanceTimersByTimeAsync(HURRY_MS * 1.2);
    expect(look).toHaveBeenCalledTimes(3);
    await care.stop();
    await vi.advanceTimersByTimeAsync(EVERY_MS * 9);
    expect(look).toHaveBeenCalledTimes(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never runs two rounds at once', async () => {
    let [inside, most] = [0, 0];
    const look = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await vi.advanceTimersByTimeAsync(1);
      inside -= 1;
      return [];
    };
    const care = caretaker(store('images', 0, [], { look }));
    await Promise.all([care.round(), care.round(), care.round()]);
    expect(most).toBe(1);
    await care.stop();
  });
});

describe('how full the disks are', () => {
  it('is the reason of the fullest, until it has room well below the mark', async () => {
    const full: Disk[] = [
      { path: '/home', name: '/home', size: 100, free: 9, files: 0 },
      { path: '/var/lib/docker', name: '/var/lib/docker', size: 100, free: 4, files: 0 },
    ];
    const level = openLevel({ disks: async () => full, mark: MARK, log });
    expect(await level.pausedBecause()).toMatch(/^the disk of \/var\/lib\/docker is 96 % full/);
    full[1] = { path: '/var/lib/docker', name: '/var/lib/docker', size: 100, free: 50, files: 0 };
    expect(await level.pausedBecause()).toMatch(/^the disk of \/home is 91 % full/);
    full[0] = { path: '/home', name: '/home', size: 100, free: 13, files: 0 };
    expect(await level.pausedBecause()).toMatch(/^the disk of \/home is 87 % full/);
    full[0] = { path: '/home', name: '/home', size: 100, free: 16, files: 0 };
    expect(await level.pausedBecause()).toBeUndefined();
    full[0] = { path: '/home', name: '/home', size: 100, free: 13, files: 0 };
    expect(await level.pausedBecause()).toBeUndefined();
  });

  it('keeps nobody waiting where it is not known', async () => {
    const away = () => Promise.reject(new Error('no such folder'));
    expect(await openLevel({ disks: away, mark: MARK, log }).pausedBecause()).toBeUndefined();
  });
});

describe('what fails', () => {
  const [text, more] = ['the disk of /data has 0 B free of 50 GB', ' (the disk of /data has 0 B free of 50 GB'];
  const again = `${more}: once there is room it is tried again)`;
  it.each([
    ['for want of room names the disk', 'disk-full', 'transient', 'near', `${more})`, 'disk-full'],
    ['for want of room elsewhere names none', 'disk-full', 'transient', 'far', '', 'disk-full'],
    ['on a disk that is full may have failed for that', 'test-failed', 'terminal', 'out', again, 'disk-full'],
    ['while there is room failed by itself', 'test-failed', 'terminal', 'near', '', 'test-failed'],
    ['as no disk makes it fail stays as it is', 'refused-by-policy', 'terminal', 'out', '', 'refused-by-policy'],
  ] as const)('%s', async (_what, code, kind, room, said, then) => {
    const error = new TreehouseError(code, 'it failed', { kind });
    const disk = { text, isOut: room === 'out', isNear: room !== 'far' };
    const named = await namingDisk({ fullest: async () => disk }, error);
    expect(named).toMatchObject({
      code: then,
      message: `it failed${said}`,
      kind: then === 'disk-full' ? 'transient' : kind,
    });
  });

  it('is told by the fullest disk', async () => {
    free = 0;
    const level = openLevel({ disks, mark: MARK, log });
    expect(await level.fullest()).toEqual({
      text: 'the disk of /home has 0 B free of 100 B',
      isOut: true,
      isNear: true,
    });
    expect(await openLevel({ disks: async () => [], mark: MARK, log }).fullest()).toBeUndefined();
  });
});

it('a log that is held open begins anew where it is too long, and loses nothing that came after', async () => {
  vi.useRealTimers();
  const folder = await mkdtemp(path.join(tmpdir(), 'treehouse-log-'));
  const file = path.join(folder, 'error.log');
  const log = await open(file, 'a');
  try {
    await trimLog(file, 8);
    await log.write('0123456789');
    await trimLog(file, 10);
    expect(await readFile(file, 'utf8')).toBe('0123456789');
    await trimLog(file, 9);
    await log.write('new');
    expect(await readFile(file, 'utf8')).toBe('new');
    expect(await readFile(`${file}.1`, 'utf8')).toBe('0123456789');
  } finally {
    await log.close();
    await rm(folder, { recursive: true });
  }
});
