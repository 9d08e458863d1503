/** Who is set apart, who is slowed, and when it ends: looks at a host, one after another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BuildId, PreviewId } from '../../src/domain/names.ts';
import {
  allCores,
  BUSY,
  type Change,
  coresOfHogs,
  FIRST_MS,
  GREEDY_LOOKS,
  judge,
  LOG_BURST,
  type Memory,
  type Share,
  type Taken,
} from '../../src/domain/neighbours.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 250;

interface Habit {
  /** Cores. */
  readonly cpu?: number;
  /** Bytes a second. */
  readonly log?: number;
}

/** A host whose containers have habits, `preview/service` → habit, and get the shares that are decided. */
function host(cores: number, busy: number | (() => number)) {
  let memory: Memory = new Map();
  let at = 1_000;
  const states = new Map<string, { cpu: number; log: number; share: Share }>();
  function look(habits: Record<string, Habit>): readonly Change[] {
    at += LOOK_MS;
    const taken = Object.entries(habits).map(([container, habit]): Taken => {
      const state = states.get(container) ?? { cpu: 0, log: 0, share: 'usual' as Share };
      states.set(container, state);
      state.cpu += ((habit.cpu ?? 0) * LOOK_MS) / 1000;
      state.log += ((habit.log ?? 0) * LOOK_MS) / 1000;
      const [preview = '', service = ''] = container.split('/');
      return { container, preview: preview as PreviewId, service, build: 'b' as BuildId, ...state };
    });
    const judged = judge(memory, { at, cores, busy: typeof busy === 'number' ? busy : busy(), taken });
    memory = judged.memory;
    for (const change of judged.changes) {
      const state = states.get(change.of.container);
      if (state) state.share = change.share;
    }
    return judged.changes;
  }
  /** All that changes within so many milliseconds. */
  function during(ms: number, habits: Record<string, Habit>): readonly Change[] {
    return Array.from({ length: Math.ceil(ms / LOOK_MS) }, () => look(habits)).flat();
  }
  return { look, during, shareOf: (container: string) => states.get(container)?.share };
}

const words = (changes: readonly Change[]) => changes.map((one) => `${one.of.container} ${one.share}`);

describe('a preview that takes the CPU', () => {
  const greedy = {
    'noise/a': { cpu: 0.6 },
    'noise/b': { cpu: 0.4 },
    'noise/idle': { cpu: 0.01 },
    'calm/web': { cpu: 0.2 },
  };

  it('is set apart within a second where the host is busy, its idle services and its neighbours are not', () => {
    const { during } = host(2, 0.95);
    const changes = during(1_000, greedy);
    expect(words(changes)).toEqual(['noise/a apart', 'noise/b apart']);
    expect(changes[0]?.why).toContain('uses 0.6 cores of a busy host, its preview 1.0');
  });

  it('is left alone where the host has room', () => {
    expect(host(8, BUSY - 0.01).during(60_000, greedy)).toEqual([]);
  });

  it('is left alone while it only starts', () => {
    const { look, during } = host(2, 1);
    for (let count = 0; count < GREEDY_LOOKS; count++) expect(look(greedy)).toEqual([]);
    expect(during(10_000, { 'noise/a': { cpu: 0.1 }, 'noise/b': {} })).toEqual([]);
  });

  it('gets its share back once it is calm, the second time after twice as long', () => {
    const { during, shareOf } = host(2, 0.95);
    during(1_000, greedy);
    const calm = { 'noise/a': { cpu: 0.02 }, 'noise/b': { cpu: 0.02 } };
    expect(during(FIRST_MS.apart - 1_000, calm)).toEqual([]);
    expect(words(during(2_000, calm))).toEqual(['noise/a usual', 'noise/b usual']);
    during(1_000, greedy);
    expect(shareOf('noise/a')).toBe('apart');
    expect(during(2 * FIRST_MS.apart - 1_000, calm)).toEqual([]);
    expect(words(during(2_000, calm))).toEqual(['noise/a usual', 'noise/b usual']);
  });

  it('stays apart while hogs fill their cores, however little each of them gets', () => {
    let busy = 1;
    const { during } = host(2, () => busy);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`noise/${index}`, { cpu: 0.1 }]));
    expect(during(1_000, many)).toHaveLength(20);
    busy = 0.5;
    const less = Object.fromEntries(Object.keys(many).map((name) => [name, { cpu: 0.05 }]));
    expect(during(5 * 60_000, less)).toEqual([]);
  });
});

describe('a service that writes its log', () => {
  it('is slowed when it goes on and on, and told why', () => {
    const { during, shareOf } = host(2, 0.6);
    const changes = during(1_000, { 'noise/logs': { log: 60 * MIB }, 'noise/web': { log: 1000 } });
    expect(words(changes)).toEqual(['noise/logs slow']);
    expect(changes[0]?.why).toBe(
      'writes its log faster than 1 MiB a second, after 8 MiB at once: it is slowed down, so that its neighbours are not',
    );
    expect(words(during(FIRST_MS.slow - 500, { 'noise/logs': { log: 20 * MIB } }))).toEqual(['noise/logs usual']);
    expect(words(during(1_000, { 'noise/logs': { log: 60 * MIB } }))).toEqual(['noise/logs slow']);
    expect(shareOf('noise/logs')).toBe('slow');
    expect(during(2 * FIRST_MS.slow - 2_000, { 'noise/logs': {} })).toEqual([]);
  });

  it('may say much at once, and something all the time', () => {
    const { look, during } = host(2, 1);
    look({ 'app/web': {} });
    expect(look({ 'app/web': { log: (LOG_BURST - MIB) * (1000 / LOOK_MS) } })).toEqual([]);
    expect(during(120_000, { 'app/web': { log: MIB } })).toEqual([]);
  });

  it('is set apart first where it is both', () => {
    const { during, shareOf } = host(2, 1);
    during(3_000, { 'noise/a': { cpu: 1, log: 5 * MIB } });
    expect(shareOf('noise/a')).toBe('slow');
  });
});

describe('what a Treehouse before this one set apart', () => {
  it.each(['apart', 'slow'] as const)('%s: gets its share back', (share) => {
    let memory: Memory = new Map();
    const changes: Change[] = [];
    for (let at = 1; at < FIRST_MS[share] + 1_000; at += LOOK_MS) {
      const one = {
        container: 'c',
        preview: 'p' as PreviewId,
        service: 's',
        build: 'b' as BuildId,
        cpu: 1,
        log: 0,
        share,
      };
      const judged = judge(memory, { at, cores: 2, busy: 1, taken: [one] });
      memory = judged.memory;
      changes.push(...judged.changes);
    }
    expect(changes[0]?.share).toBe('usual');
  });
});

it.each([
  [1, '0', '0'],
  [2, '1', '0-1'],
  [3, '1-2', '0-2'],
  [8, '2-7', '0-7'],
  [64, '16-63', '0-63'],
])('of %i cores hogs have %s of %s', (cores, hogs, all) => {
  expect([coresOfHogs(cores).list, allCores(cores)]).toEqual([hogs, all]);
});

it('whatever is looked at: nobody who keeps below a twentieth of a core and a quiet log has another share', () => {
  const habit = fc.record({ cpu: fc.double({ min: 0, max: 2, noNaN: true }), log: fc.nat(100 * MIB) });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.array(habit, { maxLength: 5 })), {
        maxLength: 60,
      }),
      (cores, looks) => {
        let busy = 0;
        const { look, shareOf } = host(cores, () => busy);
        for (const [one, habits] of looks) {
          busy = one;
          const others = Object.fromEntries(habits.map((each, index) => [`p${index % 2}/${index}`, each]));
          look({ ...others, 'p0/quiet': { cpu: 0.04, log: MIB / 2 }, 'calm/web': { cpu: 0.04 } });
        }
        expect([shareOf('p0/quiet') ?? 'usual', shareOf('calm/web') ?? 'usual']).toEqual(['usual', 'usual']);
      },
    ),
  );
});
