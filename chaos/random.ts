/** Chance that a seed repeats: the same seed makes the same choices. */

export interface Random {
  /** 0 ≤ it < n, whole. */
  below(n: number): number;
  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean;
  /** @throws where there is nothing to pick. */
  pick<T>(from: readonly T[]): T;
  shuffled<T>(list: readonly T[]): T[];
  /** Another source, whose choices do not depend on how often this one was asked. */
  fork(): Random;
}

/** Mulberry32, by Tommy Ettinger: 32 bits of state, even enough for choices. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    below: (n) => Math.floor(next() * n),
    chance: (probability) => next() < probability,
    pick(from) {
      const found = from[random.below(from.length)];
      if (found === undefined) throw new Error('there is nothing to pick from');
      return found;
    },
    shuffled(list) {
      const left = [...list];
      const taken: (typeof list)[number][] = [];
      while (left.length > 0) taken.push(...left.splice(random.below(left.length), 1));
      return taken;
    },
    fork: () => seeded(Math.floor(next() * 2 ** 32)),
  };
  return random;
}
