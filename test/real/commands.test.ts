/** Commands of comments on a real Redis: kept before they are answered, carried out once, tried again; and what is remembered of forks. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pinFiles } from '../../src/adapters/pin-files.ts';
import { redisForks } from '../../src/adapters/redis-forks.ts';
import { redisNotes } from '../../src/adapters/redis-notes.ts';
import { redisThings } from '../../src/adapters/redis-things.ts';
import type { CommandDeps } from '../../src/commands/deps.ts';
import { openCommands } from '../../src/commands/queue.ts';
import { startCommands } from '../../src/commands/worker.ts';
import type { CommandOrder } from '../../src/domain/comment-commands.ts';
import type { ForkFact } from '../../src/domain/forks.ts';
import { commitId, type PreviewId, repositoryName } from '../../src/domain/names.ts';
import { TreehouseError } from '../../src/errors.ts';
import { type RedisConnections, redisConnections } from '../../src/queue/redis.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { SHOP } from '../support/sweep-world.ts';
import { until } from '../support/treehouse.ts';

const { log } = keptLog();
let redis: TestRedis;
let connections: RedisConnections;
let prefixes = 0;
const ends: (() => unknown)[] = [];
beforeAll(async () => {
  redis = await startRedis();
  connections = redisConnections(redis.url, log);
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => redis.close());

function prefix(): string {
  prefixes += 1;
  return `t${prefixes}`;
}

const HEAD = commitId('a'.repeat(40));
const order = (comment: number): CommandOrder => ({
  ...{ repository: SHOP.name, pullRequest: 5, comment, at: 1, command: { name: 'help' } },
  author: { login: 'ada', isBot: false },
});

/** Only what the help takes; all else is never asked. */
function helpful(react: CommandDeps['forge']['react']): CommandDeps {
  const never = (): never => {
    throw new Error('this is not asked for by a help');
  };
  const forge = { permission: async () => 'write' as const, pullRequests: never, react };
  const rest = { store: {}, hints: {}, pins: {}, forks: {}, engine: {} } as unknown as CommandDeps;
  return {
    ...{ ...rest, forge, wake: never, redactor: never, clock: { now: () => 0 }, repositories: () => [SHOP] },
    notes: { put: async () => undefined },
    trail: { note: async () => undefined },
  };
}

describe('a command', () => {
  it('is carried out once, however often its comment is delivered', async () => {
    const options = { redis: connections, prefix: prefix() };
    const commands = openCommands(options);
    ends.push(() => commands.close());
    const signs: string[] = [];
    await commands.take(order(1));
    await commands.take(order(1));
    const worker = startCommands(
      { ...helpful(async (_r, comment, sign) => void signs.push(`${comment} ${sign}`)), log },
      options,
    );
    ends.push(() => worker.stop());
    await until('the first is answered', async () => signs.includes('1 +1'));
    await commands.take(order(1));
    await commands.take(order(2));
    await until('the second is answered', async () => signs.includes('2 +1'));
    expect(signs).toEqual(['1 eyes', '1 +1', '2 eyes', '2 +1']);
  });

  it('is tried again while the forge is away, and what was done is not done again', async () => {
    const options = { redis: connections, prefix: prefix() };
    const commands = openCommands(options);
    ends.push(() => commands.close());
    const signs: string[] = [];
    let failures = 1;
    const deps = helpful(async (_repository, _comment, sign) => {
      if (sign === '+1' && failures-- > 0) {
        throw new TreehouseError('forge-failed', 'GitHub is away', { kind: 'transient' });
      }
      signs.push(sign);
    });
    const worker = startCommands({ ...deps, log }, options);
    ends.push(() => worker.stop());
    await commands.take(order(1));
    await until('it is answered', async () => signs.includes('+1'));
    expect(signs).toEqual(['eyes', '+1']);
  });

  it('is refused where Redis is away, soon', async () => {
    const gone = await startRedis();
    const commands = openCommands({ redis: redisConnections(gone.url, log), prefix: prefix() });
    ends.push(() => commands.close());
    await gone.close();
    await expect(commands.take(order(1))).rejects.toMatchObject({ code: 'queue-away', kind: 'transient' });
  });
});

describe('what is remembered', () => {
  const fact = (number: number, more: Partial<ForkFact> = {}): ForkFact => ({
    ...{ number, open: true, merged: false, head: HEAD, updatedAt: 1_000, headSince: 1_000 },
    fork: { repository: 'eve/shop', branch: 'main' },
    ...more,
  });

  it('of forks: their facts, their approvals, and not for ever', async () => {
    const own = prefix();
    let now = 0;
    const forks = redisForks({ redis: connections, clock: { now: () => now }, prefix: own });
    const things = redisThings({ redis: connections, prefix: own });
    ends.push(
      () => forks.close(),
      () => things.close(),
    );
    const approval = { pullRequest: 7, commit: HEAD, by: 'ada', at: 5 };
    await forks.note(SHOP.name, fact(9));
    await forks.note(SHOP.name, fact(7));
    await forks.note(SHOP.name, fact(7, { updatedAt: 3_000, headSince: 3_000 }));
    await forks.note(SHOP.name, fact(7, { open: false, updatedAt: 2_000 }));
    expect(await forks.all(SHOP.name)).toEqual([fact(7, { updatedAt: 3_000 }), fact(9)]);
    await forks.approve(SHOP.name, approval);
    await forks.approve(SHOP.name, { ...approval, by: 'eve' });
    await forks.approve(SHOP.name, { ...approval, pullRequest: 9 });
    const kept = (await forks.approvals(SHOP.name)).toSorted((a, b) => a.pullRequest - b.pullRequest);
    expect(kept).toEqual([approval, { ...approval, pullRequest: 9 }]);
    expect((await things.find(async () => false)).map((one) => one.owner)).toEqual([
      { kind: 'repository', repository: SHOP.name },
      { kind: 'repository', repository: SHOP.name },
    ]);
    now = 40 * 86_400_000;
    await forks.note(SHOP.name, fact(7, { open: false, updatedAt: 4_000 }));
    expect((await forks.all(SHOP.name)).map((one) => one.number)).toEqual([9]);
    expect((await forks.approvals(SHOP.name)).map((one) => one.pullRequest)).toEqual([9]);
  });

  it('of answers: the last of each pull request', async () => {
    const notes = redisNotes({ redis: connections, prefix: prefix() });
    ends.push(() => notes.close());
    await notes.put(SHOP.name, 5, { text: 'first', by: 'ada', at: 1 });
    await notes.put(SHOP.name, 5, { text: 'second', lines: ['a'], by: 'ada', at: 2 });
    expect(await notes.of(SHOP.name, 5)).toEqual({ text: 'second', lines: ['a'], by: 'ada', at: 2 });
    expect(await notes.of(repositoryName('acme/other'), 5)).toBeUndefined();
  });

  it('of pins: when they end', async () => {
    const home = await mkdtemp(path.join(tmpdir(), 'treehouse-pins-'));
    ends.push(() => rm(home, { recursive: true, force: true }));
    let now = 1_000;
    const pins = pinFiles(home, { now: () => now });
    const [a, b] = ['a--shop', 'b--shop'] as PreviewId[];
    expect(await pins.all()).toEqual(new Set());
    await pins.pin(a as PreviewId, 2_000);
    await pins.pin(b as PreviewId, 2_000);
    await pins.pin(b as PreviewId);
    expect(await pins.all()).toEqual(new Set([a, b]));
    now = 2_000;
    expect(await pins.all()).toEqual(new Set([b]));
    await pins.unpin(b as PreviewId);
    expect(await pins.all()).toEqual(new Set());
  });
});
