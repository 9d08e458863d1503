/** One round: people push and merge while things break; then everything heals, and the world is compared with the model. */
import { setTimeout as delay } from 'node:timers/promises';
import { differencesOf, type Place, servedBy } from './compare.ts';
import { type Afflicted, FAULTS } from './faults.ts';
import type { Model, Quality } from './model.ts';
import type { Random } from './random.ts';
import { STACKS } from './stacks.ts';
import { lookAt } from './world.ts';

export interface RoundOptions {
  readonly on: Afflicted;
  readonly model: Model;
  readonly random: Random;
  /** The name of another fault; undefined where there are none. */
  nextFault(): string | undefined;
  /** Takes what happens, one line each. */
  say(line: string): void;
}

export interface RoundResult {
  readonly differences: readonly string[];
  /** From the last healing to a world without difference, in milliseconds. */
  readonly settledAfter: number;
}

/** Generous: nothing here is about speed, and a build that was pushed back waits up to half a minute for its next try. */
const SETTLES_WITHIN_MS = 180_000;
const LOOK_EVERY_MS = 400;
let commits = 0;
let pulls = 0;

export async function playRound(options: RoundOptions): Promise<RoundResult> {
  const { on, model, random, say } = options;
  const acts = 2 + random.below(5);
  const at = Array.from({ length: random.below(3) }, () => ({
    name: options.nextFault(),
    when: random.below(acts + 1),
  }));
  const breaking: Promise<void>[] = [];
  for (let act = 0; act <= acts; act++) {
    for (const { name } of at.filter((one) => one.when === act)) {
      if (name === undefined) continue;
      say(`  fault ${name}`);
      // One after the other: two at once would only be one that takes longer.
      await Promise.all(breaking.splice(0));
      breaking.push(FAULTS[name]?.(on, random.fork()) ?? Promise.resolve());
    }
    if (act < acts) await change(options);
    await delay(random.below(700));
  }
  await Promise.all(breaking);
  await heal(on);
  await on.github.settle();
  return compare(on, model);
}

async function heal({ house, engine, remote }: Afflicted): Promise<void> {
  remote.weather = 'fair';
  await engine.start();
  await house.start();
}

/** One thing that somebody does to one branch. */
async function change({ on, model, random, say }: RoundOptions): Promise<void> {
  const name = random.pick(model.names);
  const [repository, branch] = split(name);
  const head = model.head(name);
  const open = model.openPullRequest(name);
  const ended = model.endedHere(name);
  const news = (action: 'opened' | 'closed' | 'reopened' | 'synchronize', number: number, merged = false): void =>
    on.github.pullRequest({ repository, branch, action, number, head: model.head(name)?.id ?? '', merged });

  async function push(how: string, quality: Quality): Promise<void> {
    commits += 1;
    const text = `${name} ${commits}`;
    const files = STACKS[repository]?.files(text, quality) ?? {};
    const id = await on.remote.commit(repository, files, how === 'force-pushes' ? undefined : head?.id);
    await on.remote.move(repository, branch, id);
    say(`  ${how} ${name} ${quality} ${id.slice(0, 12)}`);
    model.pushed(name, { id, text, quality });
    on.github.pushed({ repository, branch, before: head?.id, after: id });
    if (open !== undefined) news('synchronize', open);
  }

  async function remove(): Promise<void> {
    say(`  deletes ${name}`);
    const before = model.head(name)?.id;
    const still = model.openPullRequest(name);
    if (still !== undefined) {
      news('closed', still);
      model.closed(name, still);
    }
    await on.remote.move(repository, branch, undefined);
    model.deleted(name);
    on.github.pushed({ repository, branch, before, after: undefined });
  }

  function close(number: number, merged: boolean): void {
    say(`  ${merged ? 'merges' : 'closes'} #${number} of ${name}`);
    news('closed', number, merged);
    model.closed(name, number);
  }

  const quality = random.chance(0.85) ? 'good' : 'bad';
  const choice = random.below(100);
  if (!head) return push('creates', quality);
  if (open === undefined && ended.length > 0 && choice < 50) {
    const number = random.pick(ended);
    say(`  reopens #${number} of ${name}`);
    news('reopened', number);
    return model.opened(name, number);
  }
  if (open === undefined && choice < 20) {
    pulls += 1;
    say(`  opens #${pulls} of ${name}`);
    news('opened', pulls);
    return model.opened(name, pulls);
  }
  if (open !== undefined && choice < 45) {
    close(open, choice < 30);
    return choice < 22 ? remove() : undefined;
  }
  if (choice < 65) return remove();
  return push(choice < 75 ? 'force-pushes' : 'pushes', quality);
}

/** Looks until the world is as the model says, twice in a row. */
async function compare(on: Afflicted, model: Model): Promise<RoundResult> {
  const began = performance.now();
  const places = model.names.map((name): Place => {
    const [repository, branch] = split(name);
    const services = STACKS[repository]?.services ?? 0;
    return { branch: name, id: `${branch}--${repository.split('/')[1]}`, services, expected: model.expected(name) };
  });
  let rightSince: number | undefined;
  for (;;) {
    const seen = await lookAt(on.house, on.engine, places);
    const differences = differencesOf(places, seen);
    const now = performance.now();
    if (differences.length > 0) rightSince = undefined;
    else if (rightSince === undefined) rightSince = now;
    else {
      for (const place of places) model.settled(place.branch, servedBy(place, seen));
      return { differences: [], settledAfter: rightSince - began };
    }
    if (now - began > SETTLES_WITHIN_MS) return { differences, settledAfter: now - began };
    await delay(rightSince === undefined ? LOOK_EVERY_MS : 1_200);
  }
}

function split(name: string): readonly [repository: string, branch: string] {
  const at = name.indexOf(':');
  return [name.slice(0, at), name.slice(at + 1)];
}
