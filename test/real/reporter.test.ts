/** What is said on GitHub, through the real adapter and Redis, to a fake that holds each request to GitHub's description. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Commit } from '../../src/domain/names.ts';
import type { PreviewKey } from '../../src/domain/preview.ts';
import { EVERY_BRANCH } from '../../src/domain/selection.ts';
import { markerOf } from '../../src/report/comment.ts';
import type { Recorded } from '../support/github/github.ts';
import { ALL } from '../support/github/state.ts';
import { away, LOST, share, slow, times, tooMany } from '../support/github/troubles.ts';
import { URLS } from '../support/preview-life.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import {
  begins,
  build,
  commit,
  fails,
  goes,
  type ReportWorld,
  reportWorld,
  says,
  serves,
} from '../support/report-world.ts';

const [ONE, TWO, THREE] = [commit('1'), commit('2'), commit('3')];
const WAIT = { timeout: 20_000, interval: 20 };

let redis: TestRedis;
let world: ReportWorld;
/** The most deployments of one environment that were active at any request. */
let mostActive = 0;

beforeAll(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  await world.close();
  world.github.verify();
});

afterAll(() => redis.close());

async function open(...how: Parameters<typeof reportWorld> extends [unknown, ...infer Rest] ? Partial<Rest> : never) {
  const [settingsOf = (github) => github.asUser(), pace, more] = how;
  world = await reportWorld(redis, settingsOf, pace, more);
  mostActive = 0;
  world.github.play(() => {
    const active = world.repository.deployments.filter((one) => one.statuses.at(-1)?.state === 'success');
    for (const { environment } of active) {
      mostActive = Math.max(mostActive, active.filter((one) => one.environment === environment).length);
    }
    return undefined;
  });
}

/** Eventually GitHub shows it so. */
function shows(check: () => void): Promise<void> {
  return vi.waitFor(check, WAIT);
}

/** The one comment that there is. */
function comment(pull = 7): { readonly id: number; readonly body: string } {
  const [only, ...others] = world.comments(pull);
  expect(others).toEqual([]);
  if (!only) throw new Error(`#${pull} has no comment`);
  // As it is now: the fake's own changes.
  return { ...only };
}

function headline(pull = 7): string | undefined {
  return /^### (.*)$/m.exec(comment(pull).body)?.[1];
}

/** Everything that is to be seen of a preview that serves. */
function isShownLive(key: PreviewKey, of: Commit, pull = 7): void {
  expect(world.wordOn(of)?.state).toBe('success');
  expect(world.active(key).map((one) => one.commit)).toEqual([of]);
  expect(world.deployments(key)).toHaveLength(1);
  expect(headline(pull)).toBe('Preview: live');
  expect(comment(pull).body).toContain(`${of.slice(0, 12)} was built in`);
}

async function isLive(key: PreviewKey, of = ONE, number = 1, pull = 7): Promise<void> {
  await world.pull(key, pull, true);
  await world.tell(key, begins(build(number), of), serves(build(number), of));
  await shows(() => isShownLive(key, of, pull));
  await world.silence();
}

function writes({ method, path }: Recorded): boolean {
  return method !== 'GET' && !path.includes('access_tokens');
}

describe.each([
  ['a token', undefined],
  ['an App', (github, repository) => github.asApp([repository])],
] satisfies [string, Parameters<typeof reportWorld>[1] | undefined][])('with %s', (_, settingsOf) => {
  it('tells the life of a pull request, from its opening to its end', async () => {
    await open(settingsOf);
    const key = world.key('feature-a');
    const isApp = settingsOf !== undefined;

    await world.pull(key, 7, true);
    await world.tell(key, begins(build(1), ONE));
    await shows(() => {
      expect(world.wordOn(ONE)?.state).toBe(isApp ? 'in_progress' : 'pending');
      expect(world.deployments(key).map((one) => one.statuses.at(-1)?.state)).toEqual(['in_progress']);
      expect(headline()).toBe('Preview: being built');
    });
    const { id } = comment();
    const [deployment] = world.deployments(key);
    expect(deployment).toMatchObject({ isTransient: true, isProduction: false });

    await world.tell(key, serves(build(1), ONE));
    await shows(() => isShownLive(key, ONE));
    expect(comment()).toMatchObject({ id });
    expect(comment().body).toContain(markerOf(key.id));
    for (const url of URLS) expect(comment().body).toContain(url);
    expect(world.wordOn(ONE)?.text).toContain(URLS[0]);
    expect(world.active(key)[0]?.statuses.at(-1)?.url).toBe(URLS[0]);

    await world.tell(key, begins(build(2), TWO));
    await shows(() => expect(headline()).toBe('Preview: live, a newer commit is being built'));
    // What serves goes on being shown.
    expect(world.active(key).map((one) => one.commit)).toEqual([ONE]);
    await world.tell(key, serves(build(2), TWO));
    await shows(() => isShownLive(key, TWO));
    expect(comment()).toMatchObject({ id });

    await world.tell(key, begins(build(3), THREE), says(build(3), '``` @everyone'), says(build(3), '1 failed'));
    await world.tell(key, fails(build(3)));
    await shows(() => {
      expect(world.wordOn(THREE)?.state).toBe('failure');
      expect(headline()).toBe('Preview: live with an earlier commit, the newest failed');
      expect(world.active(key).map((one) => one.commit)).toEqual([TWO]);
      const failed = world.deployments(key).find((one) => one.commit === THREE);
      expect(failed?.statuses.at(-1)?.state).toBe('failure');
    });
    expect(comment()).toMatchObject({ id });
    expect(comment().body).toContain(`| \`web\` | ${URLS[0]} |`);
    expect(comment().body).toContain('````text\n``` @everyone\n1 failed\n````');
    if (isApp) expect(world.wordOn(THREE)?.text).toContain('1 failed');

    await world.pull(key, 7, false);
    await world.tell(key, ...goes('pull request #7 was merged'));
    await shows(() => {
      expect(world.deployments(key)).toEqual([]);
      expect([...world.repository.environments]).toEqual([]);
      expect(headline()).toBe('Preview: removed');
    });
    expect(comment()).toMatchObject({ id });
    expect(comment().body).toMatch(/Removed \d+ \w+ \d{4}, \d\d:\d\d UTC: .*merged/);
    await world.silence();
    expect(await world.beside.keys('*:said:*')).toEqual([]);
    expect(mostActive).toBe(1);
  });
});

describe.each([
  ['a token', undefined, 'success'],
  ['an App', (github, repository) => github.asApp([repository]), 'skipped'],
] satisfies [string, Parameters<typeof reportWorld>[1] | undefined, string][])(
  'what settings leave out, with %s',
  (...row) => {
    const [, settingsOf, word] = row;
    const made = () =>
      world.github.requests.filter((one) => /create-comment|checks\/create|commit-status/.test(one.operation));

    it('is told of once, beside the newest commit, until it counts', async () => {
      await open(settingsOf, undefined, { selection: { ...EVERY_BRANCH, pullRequests: 'labelled' } });
      const key = world.key('feature-a');
      const none = { labels: [], head: ONE };
      await world.pull(key, 7, true, none);
      const why = "pull request #7 has not the label 'preview', which `pullRequests: labelled` asks for";
      await world.tell(key, ...goes(why));
      await shows(() =>
        expect(world.wordOn(ONE)).toEqual({ state: word, text: expect.stringContaining('No preview: ') }),
      );
      await world.silence();
      expect(made()).toHaveLength(1);
      // Renamed, told of again, and after a start: nothing of it is new.
      await world.pull(key, 7, true, none);
      await world.restart();
      await world.pull(key, 7, true, none);
      await world.silence();
      expect(made()).toHaveLength(1);

      await world.pull(key, 7, true, { labels: [], head: TWO });
      await shows(() => expect(world.wordOn(TWO)?.state).toBe(word));
      await world.silence();
      expect(made()).toHaveLength(2);
      expect(world.comments(7)).toEqual([]);

      await world.pull(key, 7, true, { labels: ['preview'], head: TWO });
      await world.tell(key, begins(build(1), TWO));
      await shows(() => expect(world.wordOn(TWO)?.state).toBe(settingsOf ? 'in_progress' : 'pending'));
      await world.tell(key, serves(build(1), TWO));
      await shows(() => isShownLive(key, TWO));

      // It is missed now: the comment says why, and the word on what was built stays.
      await world.pull(key, 7, true, { labels: [], head: TWO });
      await world.tell(key, ...goes(why));
      await shows(() => expect(headline()).toBe('Preview: removed'));
      expect(comment().body).toContain('has not the label');
      await world.silence();
      expect(world.wordOn(TWO)?.state).toBe('success');
      expect(world.deployments(key)).toEqual([]);
      await world.pull(key, 7, false, { head: TWO });
      await world.silence();
      expect(await world.beside.keys(`*:said:${key.id}`)).toEqual([]);
    });

    it('is told of by its name too', async () => {
      await open(settingsOf);
      const key = world.key('bot/update');
      await world.pull(key, 8, true, { head: THREE });
      await world.tell(key, ...goes("the configuration's branches leave 'bot/update' out"));
      await shows(() => expect(world.wordOn(THREE)?.state).toBe(word));
      expect(world.wordOn(THREE)?.text).toContain("branches leave 'bot");
      await world.silence();
      expect(world.comments(8)).toEqual([]);
    });
  },
);

it('says a final word on a commit that another overtook, and on one whose preview went', async () => {
  await open();
  const key = world.key('feature-a');
  await world.tell(key, begins(build(1), ONE));
  await shows(() => expect(world.wordOn(ONE)?.state).toBe('pending'));
  await world.tell(
    key,
    { type: 'build.superseded', build: build(1), message: 'the branch moved on to 222222222222', ms: 1 },
    begins(build(2), TWO),
  );
  await shows(() => {
    expect(world.wordOn(ONE)).toEqual({ state: 'error', text: expect.stringMatching(/^Not built: /) });
    expect(world.wordOn(TWO)?.state).toBe('pending');
  });
  await world.tell(key, ...goes('the branch was deleted'));
  await shows(() => expect(world.wordOn(TWO)?.text).toContain('Not built: the branch was deleted'));
  await world.silence();
  expect(world.deployments(key)).toEqual([]);
});

it('finds its comment and its deployment again where Redis was wiped', async () => {
  await open();
  const key = world.key('feature-a');
  await isLive(key);
  const [before, deployment] = [comment(), world.active(key)[0]];
  await world.beside.flushall();
  await world.restart();
  await world.pull(key, 7, true);
  const serving = { build: build(1), commit: ONE, since: 1 };
  await world.tell(key, { type: 'preview.observed', state: 'live', cause: 'it was found so', serving, urls: URLS });
  await shows(() => expect(comment().body).not.toBe(before.body));
  await world.silence();
  expect(comment().id).toBe(before.id);
  expect(world.deployments(key).map((one) => one.id)).toEqual([deployment?.id]);

  // And again, before the end is told.
  await world.beside.flushall();
  await world.pull(key, 7, false);
  await world.tell(key, ...goes('pull request #7 was merged'));
  await shows(() => {
    expect(world.deployments(key)).toEqual([]);
    expect(headline()).toBe('No preview');
  });
  expect(comment().id).toBe(before.id);
  expect(comment().body).toMatch(/None since .* UTC: `pull request #7 was merged`/);
});

it('goes on where it was cut off, and makes nothing twice', async () => {
  await open();
  const key = world.key('feature-a');
  await world.pull(key, 7, true);
  const [asked, all] = [() => world.github.requests.length, 12];
  world.github.play(() => slow(40));
  await world.tell(key, begins(build(1), ONE), serves(build(1), ONE));
  // At every request another Treehouse begins.
  for (let count = 1; count <= all; count += 1) {
    const from = asked();
    await vi
      .waitFor(() => expect(asked()).toBeGreaterThan(from), { timeout: 2_000, interval: 5 })
      .catch(() => undefined);
    await world.restart();
  }
  await shows(() => isShownLive(key, ONE));
  await world.silence();
  isShownLive(key, ONE);
});

it('makes nothing twice where the answer was lost and lists are late', async () => {
  await open();
  world.github.state.lagMs = 80;
  const key = world.key('feature-a');
  const made = (request: Recorded) => /create-(?:comment|deployment)$/.test(request.operation);
  world.github.play(times(2, LOST, made));
  await world.pull(key, 7, true);
  await world.tell(key, begins(build(1), ONE));
  await shows(() => expect(world.comments(7)).toHaveLength(1));
  await world.restart();
  await world.tell(key, serves(build(1), ONE));
  await shows(() => isShownLive(key, ONE));
  await world.silence();
  isShownLive(key, ONE);
});

it('says nothing twice, however often it is told', async () => {
  await open();
  const key = world.key('feature-a');
  await isLive(key);
  const before = world.github.requests.length;
  for (let again = 0; again < 20; again += 1) {
    world
      .reporter()
      .take({ type: 'build.live', build: build(1), commit: ONE, urls: URLS, ms: 5, at: 1, preview: key.id });
    world.reporter().look(key.id);
  }
  await world.restart();
  await world.silence();
  expect(world.github.requests.slice(before)).toEqual([]);
});

it('comments anew where somebody deleted the comment, once there is something new to say', async () => {
  await open();
  const key = world.key('feature-a');
  await isLive(key);
  world.repository.comments.length = 0;
  await world.tell(key, begins(build(2), TWO), fails(build(2)));
  await shows(() => expect(headline()).toBe('Preview: live with an earlier commit, the newest failed'));
});

it('tells once of a permission that is missing, and goes on without it', async () => {
  const { deployments: _, ...without } = ALL;
  await open((github) => github.asUser('octocat', without));
  const key = world.key('feature-a');
  await world.pull(key, 7, true);
  await world.tell(key, begins(build(1), ONE), serves(build(1), ONE));
  const isSaid = () => {
    expect(world.wordOn(ONE)?.state).toBe('success');
    expect(headline()).toBe('Preview: live');
  };
  await shows(isSaid);
  await world.silence();
  const refused = () => world.github.requests.filter((one) => one.operation.includes('deployment')).length;
  const before = refused();
  world.reporter().look(key.id);
  await world.silence();
  expect(refused()).toBe(before);
  await world.tell(world.key('feature-b'), begins(build(2), TWO), serves(build(2), TWO));
  await shows(() => expect(world.wordOn(TWO)?.state).toBe('success'));
  await world.silence();
  const warned = world.logged.filter((one) => one.level === 40 && /deployments are refused/.test(String(one.msg)));
  expect(warned).toHaveLength(1);
  expect(String(warned[0]?.reason)).toContain('Deployments');
});

it('takes none of the time of those who tell it, though GitHub does not answer', async () => {
  await open();
  world.github.play(() => slow(5_000));
  const key = world.key('feature-a');
  await world.tell(key, begins(build(1), ONE));
  const before = performance.now();
  for (let count = 0; count < 10_000; count += 1) {
    world
      .reporter()
      .take({ type: 'build.live', build: build(1), commit: ONE, urls: URLS, ms: 5, at: 1, preview: key.id });
  }
  expect(performance.now() - before).toBeLessThan(200);
});

it('gets every final state of 200 builds through, though half of all is refused, within what GitHub allows', async () => {
  // A second of GitHub's is 5 ms, so that its hour is 18 s.
  const secondMs = 5;
  await open(undefined, { secondMs, writeMs: secondMs, notifyMs: 3 * secondMs, anyMs: 0.1 * secondMs, patienceMs: 25 });
  const { github } = world;
  github.state.hourly = 1_000_000;
  github.play(share(0.5, 7, [tooMany(2), away()]));
  const all = Array.from({ length: 200 }, (_, at) => {
    const hex = (at + 16).toString(16).padStart(4, '0');
    return { key: world.key(`feature-${at}`), of: commit('0').replace(/^0000/, hex) as Commit, number: at + 1 };
  });
  // Connected once, before all of them ask at once.
  await world.pull(world.key('first'), 999, true);
  await Promise.all(
    all.map(async ({ key, of, number }) => {
      await world.pull(key, number, true);
      await world.tell(key, begins(build(number), of));
      await world.tell(key, number % 4 === 0 ? fails(build(number)) : serves(build(number), of));
    }),
  );
  await vi.waitFor(
    () => {
      for (const { key, of, number } of all) {
        const isRed = number % 4 === 0;
        expect(world.wordOn(of)?.state).toBe(isRed ? 'failure' : 'success');
        expect(world.deployments(key).map((one) => one.statuses.at(-1)?.state)).toEqual([
          isRed ? 'failure' : 'success',
        ]);
        expect(headline(number)).toBe(isRed ? 'No preview: the build failed' : 'Preview: live');
      }
    },
    { timeout: 280_000, interval: 500 },
  );
  expect(mostActive).toBe(1);
  const minute = 60 * secondMs;
  expect(github.busiest(minute, writes)).toBeLessThanOrEqual(80);
  const points = github.busiest(minute, writes) * 5 + github.busiest(minute, (one) => !writes(one));
  expect(points).toBeLessThanOrEqual(900);
  const isComment = (one: Recorded) => /issues\/(?:create|update)-comment/.test(one.operation);
  expect(github.busiest(3_600 * secondMs, isComment)).toBeLessThanOrEqual(500);
}, 300_000);

it('shows below the comment what somebody was answered on that pull request, and on no other', async () => {
  await open();
  const key = world.key('feature-a');
  await world.pull(key, 8, true);
  await isLive(key);
  world.notes.set(7, { text: 'web printed:', lines: ['GET / 200'], by: 'ada', at: Date.now() });
  world.reporter().look(key.id);
  await shows(() => expect(comment(7).body).toContain('web printed:'));
  expect(comment(7).body).toContain('```text\nGET / 200\n```');
  await world.silence();
  expect(comment(8).body).not.toContain('web printed');
});
