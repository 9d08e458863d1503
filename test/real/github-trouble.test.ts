/** What the adapter does when GitHub limits, fails, is slow or takes its token back. */
import { describe, expect, it } from 'vitest';
import { ForgeFault } from '../../src/domain/forge.ts';
import { commitId } from '../../src/domain/names.ts';
import { TreehouseError } from '../../src/errors.ts';
import { failureOf } from '../support/failure.ts';
import { endStages, never, SHOP, setStage } from '../support/github/adapter.ts';
import type { Recorded } from '../support/github/github.ts';
import { ALL } from '../support/github/state.ts';
import {
  away,
  DROPPED,
  LOST,
  queriesSpent,
  secondary,
  share,
  slow,
  spent,
  times,
  tooMany,
  WITHDRAWN,
} from '../support/github/troubles.ts';

const HEAD = commitId('0123456789abcdef0123456789abcdef01234567');
const STATUS = { state: 'success', description: 'live' } as const;

endStages();

const isOf = (operation: string) => (one: Recorded) => one.operation === operation;

describe('limits of GitHub', () => {
  it.each([
    ['a 403 with retry-after', secondary(2)],
    ['a 429', tooMany(2)],
  ])('are waited for where they are short: %s', async (_, trouble) => {
    const { github, shop, forge } = await setStage({ as: 'user' });
    github.play(times(1, trouble));
    await forge.report(SHOP, HEAD, STATUS, never);
    expect(shop.statuses).toHaveLength(1);
    const [first, second] = github.requests;
    expect(github.requests).toHaveLength(2);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(35);
  });

  it.each([
    ['a 403 with retry-after', secondary(50), 50],
    ['a 403 that says not when', secondary(), 60],
    ['a 429', tooMany(50), 50],
  ])('are told where they are long, and nothing is sent before their end: %s', async (_, trouble, seconds) => {
    const { github, shop, forge } = await setStage({ as: 'user' });
    github.play(times(1, trouble));
    const before = Date.now();
    const fault = await failureOf(forge.report(SHOP, HEAD, STATUS, never), ForgeFault);
    expect(fault).toMatchObject({ code: 'forge-failed', kind: 'transient' });
    expect(fault.message).toContain('setting the status of 0123456789ab in acme/shop failed at GitHub: ');
    expect(fault.message).toContain('it may be tried again at 20');
    expect(fault.retryAt).toBeGreaterThanOrEqual(before + seconds * 20);
    expect(fault.retryAt).toBeLessThan(Date.now() + (seconds + 1) * 20);

    const next = await failureOf(forge.permission(SHOP, 'ada', never), ForgeFault);
    expect(next).toMatchObject({ kind: 'transient', retryAt: fault.retryAt });
    expect(github.requests).toHaveLength(1);
    await expect.poll(() => Date.now() > (fault.retryAt ?? 0), { timeout: 5_000 }).toBe(true);
    await forge.report(SHOP, HEAD, STATUS, never);
    expect(shop.statuses).toHaveLength(1);
  });

  it('of the hour are told by when they begin anew', async () => {
    const { github, forge } = await setStage({ as: 'user' });
    github.play(times(1, spent(1_800)));
    const fault = await failureOf(forge.report(SHOP, HEAD, STATUS, never), ForgeFault);
    expect(fault.kind).toBe('transient');
    // 1,800 of GitHub's seconds, which are 20 ms here.
    expect((fault.retryAt ?? 0) - Date.now()).toBeGreaterThan(35_000);
    expect((fault.retryAt ?? 0) - Date.now()).toBeLessThan(37_000);
  });

  it('of the hour are kept before GitHub has to refuse', async () => {
    const { github, forge } = await setStage({ as: 'user' });
    github.state.hourly = 2;
    await forge.permission(SHOP, 'ada', never);
    await forge.permission(SHOP, 'ada', never);
    const fault = await failureOf(forge.permission(SHOP, 'ada', never), ForgeFault);
    expect(fault.message).toContain('its rate limit is reached, and this was not sent');
    expect(github.requests).toHaveLength(2);
  });

  it('of queries come with a 200, and are limits all the same', async () => {
    const { github, shop, forge } = await setStage({ as: 'user' });
    github.pull(shop);
    github.play(times(1, queriesSpent(90)));
    const fault = await failureOf(forge.pullRequests(SHOP, never), ForgeFault);
    expect(fault).toMatchObject({ kind: 'transient', retryAt: expect.any(Number) });
    expect(fault.message).toContain(
      'listing the open pull requests in acme/shop failed at GitHub: API rate limit exceeded',
    );
    await failureOf(forge.pullRequests(SHOP, never), ForgeFault);
    expect(github.requests).toHaveLength(1);
    // They are counted apart.
    expect(await forge.permission(SHOP, 'octocat', never)).toBe('none');
  });

  it('space what changes something, and what people are told of', async () => {
    const { github, shop, forge: unspaced, open } = await setStage({ as: 'user' });
    const forge = open(github.asUser(), { writeMs: 150, notifyMs: 400 });
    github.pull(shop, { number: 7 });
    // What is described is compiled at first, which takes its time.
    await unspaced.report(SHOP, HEAD, STATUS, never);
    await unspaced.addComment(SHOP, 7, 'hello', never);
    const before = github.requests.length;
    await Promise.all([
      ...Array.from({ length: 4 }, () => forge.report(SHOP, HEAD, STATUS, never)),
      ...Array.from({ length: 3 }, () => forge.addComment(SHOP, 7, 'hello', never)),
    ]);
    const gaps = (operation: string) => {
      const all = github.requests.slice(before).filter(isOf(operation));
      return all.slice(1).map((one, index) => one.at - (all[index]?.at ?? 0));
    };
    expect(gaps('repos/create-commit-status')).toHaveLength(3);
    // A timer may come a little early, and the way takes a little longer at one time than at another.
    for (const gap of gaps('repos/create-commit-status')) expect(gap).toBeGreaterThan(75);
    for (const gap of gaps('issues/create-comment')) expect(gap).toBeGreaterThan(300);
  });

  it('let everybody have a turn in the end, where more wait than there is time for', async () => {
    const { github, shop, open } = await setStage({ as: 'user' });
    await open(github.asUser()).report(SHOP, HEAD, STATUS, never);
    const forge = open(github.asUser(), { writeMs: 100, actMs: 800 });
    const commits = Array.from({ length: 24 }, (_, index) => commitId(index.toString(16).padStart(40, '0')));
    let late = 0;
    const done = async (commit: (typeof commits)[0]): Promise<void> => {
      try {
        await forge.report(SHOP, commit, STATUS, never);
      } catch (error) {
        expect(error).toMatchObject({ code: 'forge-failed', kind: 'transient', retryAt: expect.any(Number) });
        late += 1;
        await done(commit);
      }
    };
    await Promise.all(commits.map(done));
    expect(late).toBeGreaterThan(0);
    expect(new Set(shop.statuses.map((one) => one.commit))).toEqual(new Set([HEAD, ...commits]));
  });

  it('of comments in an hour are kept', async () => {
    const { github, shop, open } = await setStage({ as: 'user' });
    const forge = open(github.asUser(), { commentsPerHour: 3 });
    github.pull(shop, { number: 7 });
    const { id } = await forge.addComment(SHOP, 7, 'one', never);
    await forge.editComment(SHOP, id, 'two', never);
    await forge.editComment(SHOP, id, 'three', never);
    const fault = await failureOf(forge.editComment(SHOP, id, 'four', never), ForgeFault);
    expect(fault.retryAt).toBeGreaterThan(Date.now() + 60_000);
    expect(shop.comments[0]?.body).toBe('three');
    await forge.report(SHOP, HEAD, STATUS, never);
  });
});

describe('a GitHub that is away', () => {
  it.each([
    ['5xx', away(503)],
    ['broken connections', DROPPED],
    ['silence', slow(2_000)],
  ])('is tried again, a few times: %s', async (_, trouble) => {
    const { github, shop, forge, open } = await setStage({ as: 'user', pace: { attemptMs: 500 } });
    // What is described is compiled at first, which takes its time.
    await open(github.asUser(), { attemptMs: 10_000 }).report(SHOP, HEAD, { state: 'pending', description: '' }, never);
    const before = github.requests.length;
    const undo = github.play(times(2, trouble));
    await forge.report(SHOP, HEAD, STATUS, never);
    undo();
    expect(shop.statuses.at(-1)).toMatchObject(STATUS);
    expect(github.requests).toHaveLength(before + 3);

    github.play(times(100, trouble));
    const fault = await failureOf(forge.report(SHOP, HEAD, STATUS, never), ForgeFault);
    expect(fault).toMatchObject({ code: 'forge-failed', kind: 'transient' });
    expect(github.requests).toHaveLength(before + 6);
  });

  it('is not asked twice to make a second thing', async () => {
    const { github, shop, forge } = await setStage();
    github.pull(shop, { number: 7 });
    const of = { environment: 'preview/a', commit: HEAD, description: 'a' };
    github.play(times(1, LOST, isOf('issues/create-comment')));
    github.play(times(1, LOST, isOf('repos/create-deployment')));
    github.play(times(1, LOST, isOf('checks/create')));
    expect((await failureOf(forge.addComment(SHOP, 7, 'm', never))).kind).toBe('transient');
    expect((await failureOf(forge.deploy(SHOP, of, never))).kind).toBe('transient');
    expect((await failureOf(forge.report(SHOP, HEAD, STATUS, never))).kind).toBe('transient');
    expect([shop.comments.length, shop.deployments.length, shop.checkRuns.length]).toEqual([1, 1, 1]);
    expect(await forge.findComment(SHOP, 7, 'm', never)).toMatchObject({ body: 'm' });
    expect(await forge.deployments(SHOP, 'preview/a', never)).toHaveLength(1);
    await forge.report(SHOP, HEAD, STATUS, never);
    expect(shop.checkRuns).toHaveLength(1);
  });

  it('keeps nobody waiting longer than is said', async () => {
    const { github, forge } = await setStage({ as: 'user', pace: { actMs: 300, attemptMs: 10_000 } });
    github.play(() => slow(3_000));
    const fault = await failureOf(forge.report(SHOP, HEAD, STATUS, never), ForgeFault);
    expect(fault.kind).toBe('transient');
    expect(fault.message).toContain('it did not come to its turn and an answer within 0.3 s');
    expect(fault.retryAt).toBeDefined();
  });

  it('is given up with who waits for it, and when Treehouse ends', async () => {
    const { github, forge } = await setStage({ as: 'user', pace: { attemptMs: 10_000 } });
    github.play(() => slow(2_000));
    const over = new AbortController();
    const first = failureOf(forge.report(SHOP, HEAD, STATUS, over.signal));
    const second = failureOf(forge.report(SHOP, HEAD, STATUS, never));
    over.abort(new TreehouseError('superseded', 'a newer commit'));
    expect(await first).toMatchObject({ code: 'superseded' });
    forge.close();
    expect(await second).toMatchObject({ code: 'stopped' });
    expect(await failureOf(forge.report(SHOP, HEAD, STATUS, never))).toMatchObject({ code: 'stopped' });
  });

  it('gets every last state all the same, when it fails half of all requests', async () => {
    const { github, shop, forge } = await setStage({ as: 'user' });
    github.play(share(0.5, 7, [away(502), tooMany(1), secondary(1), DROPPED, LOST]));
    const commits = Array.from({ length: 40 }, (_, index) => commitId(index.toString(16).padStart(40, '0')));
    await Promise.all(
      commits.map(async (commit) => {
        for (let tries = 0; tries < 50; tries += 1) {
          try {
            return await forge.report(SHOP, commit, STATUS, never);
          } catch (error) {
            expect(error).toMatchObject({ code: 'forge-failed', kind: 'transient' });
          }
        }
      }),
    );
    expect(new Set(shop.statuses.map((one) => one.commit))).toEqual(new Set(commits));
    // Half of them fail, so two for each on average; and the waits of all for one limit are no requests.
    expect(github.requests.length).toBeLessThan(commits.length * 5);
  });
});

describe('credentials', () => {
  it('of an App are kept, renewed before their end, and asked for once by many', async () => {
    let shift = 0;
    const { github, shop, forge } = await setStage({ now: () => Date.now() + shift });
    shop.collaborators.set('ada', 'write');
    await Promise.all(Array.from({ length: 5 }, () => forge.permission(SHOP, 'ada', never)));
    await forge.permission(SHOP, 'ada', never);
    const made = () => github.requests.filter(isOf('apps/create-installation-access-token')).length;
    expect(made()).toBe(1);
    expect(github.requests.filter(isOf('apps/get-repo-installation'))).toHaveLength(1);
    shift = 56 * 60_000;
    await forge.permission(SHOP, 'ada', never);
    expect(made()).toBe(2);
    expect(github.requests.filter(isOf('apps/get-repo-installation'))).toHaveLength(1);
  });

  it('of an App that end early are asked for anew, once', async () => {
    const { github, shop, forge } = await setStage();
    await forge.permission(SHOP, 'ada', never);
    for (const token of github.state.tokens.values()) token.expiresAt = 0;
    await forge.report(SHOP, HEAD, STATUS, never);
    expect(shop.checkRuns).toHaveLength(1);
    github.play((one) => (one.operation.startsWith('repos/') ? WITHDRAWN : undefined));
    const fault = await failureOf(forge.permission(SHOP, 'ada', never));
    expect(fault).toMatchObject({ kind: 'terminal' });
    expect(fault.message).toContain('Bad credentials (401)');
  });

  it('of an App are looked for again where it was installed anew', async () => {
    const { github, shop, forge } = await setStage();
    await forge.permission(SHOP, 'ada', never);
    github.state.installations.clear();
    for (const token of github.state.tokens.values()) token.expiresAt = 0;
    const gone = await failureOf(forge.permission(SHOP, 'ada', never));
    expect(gone).toMatchObject({ code: 'forge-failed', kind: 'terminal' });
    expect(gone.message).toContain("looking for the App's installation in acme/shop failed at GitHub: Not Found (404)");
    github.install([shop]);
    expect(await forge.permission(SHOP, 'octocat', never)).toBe('none');
  });

  it('hold where this host’s clock is wrong', async () => {
    const { github, forge } = await setStage();
    let refused = 0;
    github.play((one) => {
      if (one.operation !== 'apps/get-repo-installation' || refused > 0) return undefined;
      refused += 1;
      return { status: 401, message: "'Expiration time' claim ('exp') is too far in the future" };
    });
    expect(await forge.permission(SHOP, 'octocat', never)).toBe('none');
    expect(refused).toBe(1);
  });

  it.each(['app', 'user'] as const)('that may not are told which permission is missing, as an %s', async (as) => {
    const { issues: _, pull_requests: __, deployments: ___, contents: ____, ...rest } = ALL;
    const { github, shop, forge } = await setStage({ as, permissions: { ...rest, administration: 'read' } });
    github.pull(shop, { number: 7 });
    const what = as === 'app' ? 'integration' : 'personal access token';
    const comment = await failureOf(forge.addComment(SHOP, 7, 'hello', never));
    expect(comment).toMatchObject({ code: 'forge-failed', kind: 'terminal' });
    expect(comment.message).toBe(
      `commenting on #7 in acme/shop failed at GitHub: Resource not accessible by ${what} (403): the credentials lack the permission "Issues: write" or "Pull requests: write"`,
    );
    const deployments = await failureOf(forge.deployments(SHOP, 'preview/a', never));
    expect(deployments.message).toContain('the credentials lack the permission "Deployments: read"');
    await forge.removeEnvironment(SHOP, 'preview/a', never);
    if (as === 'app') {
      const git = await failureOf(forge.credentials(SHOP, { signal: never }));
      expect(git.message).toContain('The permissions requested are not granted to this installation');
    }
  });

  it('that end are told of, and are in no error and no line of the log', async () => {
    const { github, open, logged } = await setStage({ as: 'user' });
    const settings = github.asUser('ada');
    const forge = open(settings);
    const { token } = settings.credentials as { token: string };
    github.play(times(1, { status: 400, message: `${token} is no good, and neither is ghs_${'0'.repeat(36)}` }));
    const fault = await failureOf(forge.report(SHOP, HEAD, STATUS, never));
    expect(fault.message).toContain('… is no good, and neither is … (400)');
    for (const one of github.state.tokens.values()) one.expiresAt = 0;
    const ended = await failureOf(forge.report(SHOP, HEAD, STATUS, never));
    expect(ended.message).toContain('Bad credentials (401): see whether GITHUB_TOKEN has ended');
    for (const error of [fault, ended]) {
      expect(JSON.stringify({ ...error, stack: error.stack, cause: error.cause })).not.toContain(token);
    }
    expect(JSON.stringify(logged)).not.toContain(token);
  });
});
