/** In which order those who wait are served, so that a noisy repository does not keep others waiting. Pure. */
import type { Place, Queueing, Waiter } from './admission.ts';
import type { RepositoryName } from './names.ts';

/**
 * Who was called comes first, then who is to wake, since a visitor waits; then builds, round robin: the next place goes to the
 * repository with the fewest builds, then the one that was served longest ago, then the one that waited longest. Inside a
 * repository it is first come, first served.
 */
export function fairOrder(house: Queueing): readonly Waiter[] {
  const called = house.waiting.filter((one) => one.called !== undefined);
  const rest = house.waiting.filter((one) => one.called === undefined);
  const wakes = rest.filter((one) => one.purpose === 'wake');
  return [
    ...called.sort((a, b) => (a.called ?? 0) - (b.called ?? 0) || earlier(a, b)),
    ...wakes.sort(earlier),
    ...roundRobin(
      rest.filter((one) => one.purpose === 'build'),
      [...house.places, ...called].filter((one) => one.purpose === 'build'),
      house.served,
    ),
  ];
}

function earlier(a: Waiter, b: Waiter): number {
  return a.since - b.since || (a.id < b.id ? -1 : 1);
}

function roundRobin(
  waiting: readonly Waiter[],
  building: readonly Place[],
  served: ReadonlyMap<RepositoryName, number>,
): readonly Waiter[] {
  const lines = new Map<RepositoryName, Waiter[]>();
  for (const one of [...waiting].sort(earlier)) {
    lines.set(one.repository, [...(lines.get(one.repository) ?? []), one]);
  }
  const builds = new Map<RepositoryName, number>();
  const last = new Map(served);
  for (const { repository } of building) builds.set(repository, (builds.get(repository) ?? 0) + 1);

  const order: Waiter[] = [];
  const before = (a: Waiter, b: Waiter): number =>
    (builds.get(a.repository) ?? 0) - (builds.get(b.repository) ?? 0) ||
    (last.get(a.repository) ?? 0) - (last.get(b.repository) ?? 0) ||
    earlier(a, b);
  while (order.length < waiting.length) {
    const heads = [...lines.values()].flatMap((line) => line.slice(0, 1));
    const next = heads.sort(before)[0];
    if (!next) break;
    order.push(next);
    lines.get(next.repository)?.shift();
    builds.set(next.repository, (builds.get(next.repository) ?? 0) + 1);
    // Later than any that is known, and each later than the one before.
    last.set(next.repository, Number.MAX_SAFE_INTEGER - waiting.length + order.length);
  }
  return order;
}
