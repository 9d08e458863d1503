/** A sweep that asks GitHub what no webhook told: with real Redis, and a GitHub that is held to its own description. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { redisAgreement } from '../../src/adapters/redis-agreement.ts';
import { redisForks } from '../../src/adapters/redis-forks.ts';
import { openStore } from '../../src/adapters/redis-store.ts';
import { redisThings } from '../../src/adapters/redis-things.ts';
import { agreementView } from '../../src/domain/agreement.ts';
import { approvedCommit, forkState } from '../../src/domain/forks.ts';
import { branchName, commitId, forkBranch, type PreviewId, previewId } from '../../src/domain/names.ts';
import type { Repository } from '../../src/domain/ports.ts';
import type { PullRequestFact } from '../../src/domain/pull-requests.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import type { SweepLine } from '../../src/domain/sweep.ts';
import type { GitHub } from '../../src/github/github.ts';
import { redisConnections } from '../../src/queue/redis.ts';
import { type Sweeper, startSweeping } from '../../src/sweep/sweeper.ts';
import { endStages, SHOP, type Stage, setStage } from '../support/github/adapter.ts';
import { away, slow, WITHDRAWN } from '../support/github/troubles.ts';
import { keptLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { keyOf, repository } from '../support/sweep-world.ts';

endStages();
const [A, B] = ['a', 'b'].map((digit) => commitId(digit.repeat(40))) as [never, never];
const TOPIC = branchName('topic');
const ID = keyOf('topic').id;
const FORKED = previewId(repository(SHOP).slug, forkBranch(7));
const MINUTE = 60_000;

let redis: TestRedis;
let prefixes = 0;
const ends: (() => Promise<unknown> | unknown)[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => redis.close());

interface WorldOptions {
  readonly repositories?: readonly Repository[];
  /** Another process before the same Redis. */
  readonly prefix?: string;
}

/** A Treehouse as far as a sweep sees it, in which nothing runs yet and the first sweep was. */
async function world({ forge }: { readonly forge: GitHub }, options: WorldOptions = {}) {
  const prefix = options.prefix ?? `test${++prefixes}`;
  const repositories = options.repositories ?? [repository(SHOP)];
  const { log, logged } = keptLog();
  const connections = redisConnections(redis.url, log);
  const clock = { now: Date.now };
  const store = openStore({ redis: connections, clock, log, prefix });
  const forks = redisForks({ redis: connections, clock, prefix });
  const things = redisThings({ redis: connections, prefix });
  const book = redisAgreement({ redis: connections, prefix });
  const hinted: PreviewId[] = [];
  const heads = new Map([[TOPIC, A]]);
  const nothing = async () => undefined;
  const sweeper: Sweeper = startSweeping(
    {
      ...{ repositories: () => repositories, store, forks, log, places: [] },
      git: { branches: async () => heads },
      engine: {
        ...{ stop: nothing, removeContainer: nothing, removeNetwork: nothing, removeVolume: nothing },
        ...{ removeImage: nothing, image: nothing },
      },
      inventory: async () => ({ stacks: new Map(), things: [] }),
      gateway: { routes: async () => [], setRoutes: async () => true },
      allPullRequests: () => things.pullRequests(),
      forge: { forge, book, deliveries: forge.isApp ? forge : undefined, now: clock.now },
      hints: { hint: async (id) => void hinted.push(id), later: async () => new Set() },
      worker: { atWork: async () => [], hold: async () => false },
    },
    { everyMs: 86_400_000, graceMs: MINUTE },
  );
  ends.push(async () => {
    await sweeper.stop();
    await store.close();
    for (const one of [forks, things, book]) one.close();
  });
  const sweep = async (dryRun = false): Promise<readonly SweepLine[]> => {
    hinted.splice(0);
    return (await sweeper.sweep({ dryRun })).lines;
  };
  const told = (lines: readonly SweepLine[]) => lines.filter((one) => one.why.includes('which no webhook told'));
  const facts = () => store.pullRequests(SHOP, TOPIC);
  const agreement = async () =>
    agreementView(
      repositories.map((one) => one.name),
      await book.read(),
      { host: forge.host, isApp: forge.isApp },
    );
  await sweep();
  return { ...{ prefix, store, forks, book, heads, hinted, logged, sweep, told, facts, agreement, sweeper } };
}

/** As a webhook told it. */
function heard(more: Partial<PullRequestFact> = {}): PullRequestFact {
  const rest = { base: branchName('main'), draft: false, labels: [], bot: false };
  return { number: 7, open: true, merged: false, head: A, updatedAt: Date.now() - 10 * MINUTE, ...rest, ...more };
}

function pull({ github, shop }: Stage, more: Parameters<Stage['github']['pull']>[1] = {}) {
  const head = { repository: SHOP, branch: TOPIC, commit: A };
  return github.pull(shop, { number: 7, at: Date.now() - 10 * MINUTE, head, ...more });
}

const queries = ({ github }: Stage) => github.requests.filter((one) => one.operation === 'graphql').length;

describe('a sweep learns of a pull request, of which no webhook told,', () => {
  it('that it was opened, and its preview is looked at', async () => {
    const stage = await setStage();
    const { sweep, told, facts, hinted, store } = await world(stage, {
      repositories: [repository(SHOP, { selection: { ...EVERY_BRANCH, pullRequests: 'all' } })],
    });
    expect(await store.record(ID)).toBeUndefined();
    pull(stage);
    const line = {
      ...{ what: 'preview', name: ID, action: 'hint' },
      why: 'pull request #7 is open, which no webhook told',
    };
    expect(await sweep(true)).toEqual([line]);
    // A dry run did nothing.
    expect([await facts(), hinted, await store.record(ID)]).toEqual([[], [], undefined]);
    expect(await sweep()).toEqual([line]);
    expect(hinted).toEqual([ID]);
    expect(await facts()).toMatchObject([{ number: 7, open: true, head: A, base: 'main' }]);
    expect(await store.record(ID)).toMatchObject({ branch: TOPIC });
    expect(told(await sweep())).toEqual([]);
  });

  it('that it was merged, with commits that were not heard of either', async () => {
    const stage = await setStage();
    const { sweep, told, facts, hinted, heads, store } = await world(stage);
    await store.know(keyOf('topic'));
    await store.notePullRequest(SHOP, TOPIC, heard());
    heads.set(TOPIC, B);
    const updatedAt = Date.now() - 5 * MINUTE;
    const head = { repository: SHOP, branch: TOPIC, commit: B };
    pull(stage, { isOpen: false, isMerged: true, updatedAt, head });
    const before = queries(stage);
    const why = 'pull request #7 was merged, which no webhook told';
    expect(told(await sweep(true)).map((one) => one.why)).toEqual([why]);
    expect((await facts()).map((one) => one.open)).toEqual([true]);
    expect(told(await sweep()).map((one) => [one.name, one.why])).toEqual([[ID, why]]);
    expect(hinted).toEqual([ID]);
    expect(await facts()).toMatchObject([{ open: false, merged: true, head: B, updatedAt }]);
    // The list each time, and what became of the one that was not in it.
    expect(queries(stage) - before).toBe(4);
    await sweep();
    expect(queries(stage) - before).toBe(5);
  });

  it('that it got the label that is asked for', async () => {
    const stage = await setStage();
    const { sweep, told, facts, hinted, store } = await world(stage, {
      repositories: [repository(SHOP, { selection: { ...EVERY_BRANCH, pullRequests: 'labelled' } })],
    });
    const one = pull(stage);
    await store.notePullRequest(SHOP, TOPIC, heard({ updatedAt: one.at }));
    expect(await sweep()).toEqual([]);
    one.labels.push('preview');
    one.updatedAt = Date.now() - 5 * MINUTE;
    expect(told(await sweep()).map((line) => line.why)).toEqual([
      "pull request #7 has the labels 'preview', which no webhook told",
    ]);
    expect(hinted).toEqual([ID]);
    expect(await facts()).toMatchObject([{ labels: ['preview'] }]);
  });

  it('that a fork’s head moved: what was approved counts no more, nor does a word from before it was seen', async () => {
    const stage = await setStage();
    const { sweep, told, forks, hinted } = await world(stage);
    const fork = { repository: 'eve/shop', branch: 'topic' };
    const first = Date.now() - 10 * MINUTE;
    await forks.note(SHOP, { ...heard({ updatedAt: first }), fork, headSince: first });
    await forks.approve(SHOP, { pullRequest: 7, commit: A, by: 'ada', at: first + 1_000 });
    const state = async () => {
      const [fact] = await forks.all(SHOP);
      if (!fact) throw new Error('it is known');
      return { fact, is: forkState(fact, await forks.approvals(SHOP), undefined) };
    };
    expect((await state()).is.kind).toBe('approved');
    const updatedAt = first + MINUTE;
    pull(stage, { at: first, updatedAt, head: { ...fork, commit: B } });
    const before = Date.now();
    const line = {
      ...{ what: 'preview', name: FORKED, action: 'hint' },
      why: 'pull request #7 has new commits, which no webhook told',
    };
    expect(told(await sweep(true))).toEqual([line]);
    expect(hinted).toEqual([]);
    expect((await state()).is.kind).toBe('approved');
    expect(told(await sweep())).toEqual([line]);
    expect(hinted).toContain(FORKED);
    const { fact, is } = await state();
    expect(is).toMatchObject({ kind: 'waiting', commit: B });
    expect(fact.headSince).toBeGreaterThanOrEqual(before);
    // Somebody looked at A, and said so after GitHub's own time of the change.
    expect(approvedCommit({ at: updatedAt + 1_000, named: undefined }, B, fact)).toHaveProperty('refused');
    expect(told(await sweep())).toEqual([]);
    expect((await state()).fact.headSince).toBe(fact.headSince);
  });
});

it('what a webhook tells while GitHub is asked stays', async () => {
  const stage = await setStage();
  const { sweep, facts, store } = await world(stage);
  pull(stage);
  const closedAt = Date.now() - MINUTE;
  let noting: Promise<unknown> | undefined;
  const over = stage.github.play(({ operation }) => {
    if (operation !== 'graphql' || noting) return undefined;
    // GitHub's answer still has #7 open and does not have #8 yet.
    noting = Promise.all([
      store.notePullRequest(SHOP, TOPIC, heard({ open: false, updatedAt: closedAt })),
      store.notePullRequest(SHOP, TOPIC, heard({ number: 8, updatedAt: Date.now() })),
    ]);
    return slow(200);
  });
  await sweep();
  await noting;
  over();
  expect((await facts()).map(({ number, open }) => [number, open])).toEqual([
    [7, false],
    [8, true],
  ]);
});

it('leaves what GitHub has of branches that are left out, or that git does not have', async () => {
  const stage = await setStage();
  const { sweep, told, store } = await world(stage, {
    repositories: [repository(SHOP, { branches: ['*', '!topic'] })],
  });
  pull(stage);
  pull(stage, { number: 8, head: { repository: SHOP, branch: 'nowhere', commit: A } });
  expect(told(await sweep())).toEqual([]);
  expect(await store.pullRequests(SHOP, TOPIC)).toEqual([]);
  expect(await store.pullRequests(SHOP, branchName('nowhere'))).toEqual([]);
});

describe('where GitHub', () => {
  const THREE = [SHOP, 'acme/blog', 'acme/site'].map((name) => repository(name));

  it('is away, that is said once, the rest of the sweep goes on, and what is known stays', async () => {
    const stage = await setStage();
    for (const { name } of THREE.slice(1)) stage.github.repository(name);
    for (const one of stage.github.state.installations.values()) {
      for (const { name } of THREE) one.repositories.add(name);
    }
    const { sweep, facts, agreement, logged, hinted, store } = await world(stage, { repositories: THREE });
    await store.notePullRequest(SHOP, TOPIC, heard());
    const agreed = (await agreement()).installations;
    expect(agreed).toMatchObject([{ owner: 'acme', agreedAt: expect.any(Number), faults: [] }]);

    const over = stage.github.play(() => away());
    const lines = await sweep();
    const untold = lines.filter((one) => one.what === 'pull requests');
    expect(untold).toMatchObject([
      { name: stage.forge.host, action: 'leave', why: expect.stringMatching(/^what is known of them stays: .*Server/) },
    ]);
    // Nothing is known of the branches' previews yet.
    expect(hinted).toHaveLength(3);
    await sweep();
    const warned = () => logged.filter((one) => one.msg === 'the forge did not tell of pull requests');
    expect(warned()).toHaveLength(1);
    expect(await facts()).toMatchObject([{ open: true }]);
    const since = (await agreement()).installations[0];
    expect(since?.agreedAt).toBe(agreed[0]?.agreedAt);
    expect(since?.faults.flatMap((one) => one.repositories).sort()).toEqual(THREE.map((one) => one.name).sort());

    over();
    expect((await sweep()).filter((one) => one.what === 'pull requests')).toEqual([]);
    const again = (await agreement()).installations[0];
    expect(again?.faults).toEqual([]);
    expect(again?.agreedAt).toBeGreaterThan(agreed[0]?.agreedAt ?? 0);
    const stop = stage.github.play(() => away());
    await sweep();
    stop();
    expect(warned()).toHaveLength(2);
  });

  it('does not show one repository, the others are asked about all the same', async () => {
    const stage = await setStage({ as: 'user' });
    stage.github.repository('acme/site');
    const { sweep, agreement } = await world(stage, { repositories: THREE });
    const lines = (await sweep()).filter((one) => one.what === 'pull requests');
    expect(lines).toMatchObject([{ name: 'acme/blog', why: expect.stringContaining('acme/blog') }]);
    const [token, ...rest] = (await agreement()).installations;
    expect(rest).toEqual([]);
    expect(token).toMatchObject({ owner: undefined, agreedAt: expect.any(Number) });
    expect(token?.faults).toMatchObject([{ repositories: ['acme/blog'] }]);
  });

  it('takes the credentials no more, what is known stays', async () => {
    const stage = await setStage({ as: 'user' });
    const { sweep, facts, store } = await world(stage);
    await store.notePullRequest(SHOP, TOPIC, heard());
    stage.github.play(() => WITHDRAWN);
    const lines = (await sweep()).filter((one) => one.what === 'pull requests');
    expect(lines).toMatchObject([{ name: SHOP, why: expect.stringContaining('GITHUB_TOKEN') }]);
    expect(await facts()).toMatchObject([{ open: true }]);
  });
});

it('a delivery that failed is asked for again once, also by the next Treehouse', async () => {
  const stage = await setStage();
  const { github } = stage;
  const listed = () => github.requests.filter((one) => one.operation === 'apps/list-webhook-deliveries').length;
  const again = () => github.state.deliveries.filter((one) => one.isAgain).map((one) => one.guid);
  const fail = (id: number, guid: string) =>
    github.state.deliveries.push({ id, guid, status: 502, at: Date.now() - MINUTE, isAgain: false });
  type Swept = Pick<Awaited<ReturnType<typeof world>>, 'sweep' | 'book'>;
  const doneAt = async ({ book }: Swept) => (await book.read()).deliveries?.doneAt ?? 0;
  /** Until a round has ended that began after this was called: the second that ends. */
  const round = async (of: Swept) => {
    for (let ended = 0; ended < 2; ended += 1) {
      const before = await doneAt(of);
      const sweepOn = async () => {
        await of.sweep();
        return doneAt(of);
      };
      await expect.poll(sweepOn, { timeout: 60_000 }).toBeGreaterThan(before);
    }
  };

  const first = await world(stage);
  await round(first);
  fail(1, 'lost');
  await round(first);
  await expect.poll(again).toEqual(['lost']);
  // As where GitHub lists the further try late, and as where it failed too.
  const redelivered = github.state.deliveries.pop();
  if (!redelivered) throw new Error('it was asked for');
  await round(first);
  await first.sweeper.stop();
  const second = await world(stage, { prefix: first.prefix });
  await round(second);
  github.state.deliveries.push({ ...redelivered, status: 502 });
  fail(2, 'later');
  await round(second);
  await expect.poll(again).toEqual(['lost', 'later']);
  await round(second);
  await second.sweeper.stop();
  expect(again()).toEqual(['lost', 'later']);
  expect((await second.agreement()).deliveries).toMatchObject({ doneAt: expect.any(Number), fault: undefined });
  // A token has none.
  const asUser = stage.open(github.asUser());
  const before = listed();
  const third = await world({ forge: asUser });
  await third.sweep();
  expect([listed(), (await third.agreement()).deliveries]).toEqual([before, undefined]);
});
