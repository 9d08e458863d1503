/** Every method of the adapter, before a GitHub that holds it to GitHub's own description. */
import { describe, expect, it } from 'vitest';
import { branchName, commitId } from '../../src/domain/names.ts';
import { failureOf } from '../support/failure.ts';
import { endStages, never, SHOP, setStage } from '../support/github/adapter.ts';
import { away, times } from '../support/github/troubles.ts';

const HEAD = commitId('0123456789abcdef0123456789abcdef01234567');
const MARKER = '<!-- treehouse: feature-a--shop -->';

endStages();

describe.each(['app', 'user'] as const)('GitHub, asked as an %s', (as) => {
  it('lists the open pull requests, those of forks too, over all pages', async () => {
    const { github, shop, forge } = await setStage({ as });
    github.pull(shop, { number: 1, labels: ['preview', 'bug'], isDraft: true, at: 1_000 });
    github.pull(shop, { number: 2, isOpen: false });
    github.pull(shop, { number: 3, author: 'dependabot[bot]', base: 'release/1' });
    const commit = 'f'.repeat(40);
    github.pull(shop, { number: 4, author: undefined, head: { repository: undefined, branch: 'patch', commit } });
    github.pull(shop, { number: 5, head: { repository: 'ada/shop', branch: 'main', commit } });
    // Names that git, and Treehouse, do not take.
    github.pull(shop, { number: 300, head: { repository: SHOP, branch: 'a..b', commit } });
    github.pull(shop, { number: 301, head: { repository: 'ada_corp/shop', branch: 'main', commit } });
    for (let number = 6; number <= 205; number += 1) github.pull(shop, { number });

    const found = await forge.pullRequests(SHOP, never);
    expect(found).toHaveLength(205);
    expect(found[4]).toMatchObject({ number: 301, head: { repository: undefined } });
    const [first, , ghost, fork] = found;
    expect(first).toEqual({
      ...{ number: 1, state: 'open' },
      head: { repository: SHOP, branch: 'feature-1', commit: shop.pulls[0]?.head.commit },
      ...{ base: 'main', isDraft: true, labels: ['preview', 'bug'], updatedAt: 1_000 },
      author: { login: 'octocat', isBot: false },
    });
    expect(found[1]).toMatchObject({ number: 3, base: 'release/1', author: { login: 'dependabot[bot]', isBot: true } });
    expect(ghost).toMatchObject({ number: 4, author: { login: 'ghost' }, head: { repository: undefined } });
    expect(fork?.head).toEqual({ repository: 'ada/shop', branch: 'main', commit });
    expect(github.requests.filter((one) => one.operation === 'graphql')).toHaveLength(3);
  });

  it('tells what became of pull requests by their numbers, however many, and leaves out what is not there', async () => {
    const { github, shop, forge } = await setStage({ as });
    github.pull(shop, { number: 1, isOpen: false, isMerged: true, at: 1_000, updatedAt: 5_000 });
    github.pull(shop, { number: 2, isOpen: false });
    for (let number = 3; number <= 60; number += 1) github.pull(shop, { number });
    const numbers = Array.from({ length: 60 }, (_, index) => index + 1);
    const found = await forge.pullRequestsNow(SHOP, numbers, never);
    expect(found.map((one) => one.number)).toEqual(numbers);
    expect(found.map((one) => one.state).slice(0, 3)).toEqual(['merged', 'closed', 'open']);
    expect(found[0]).toMatchObject({ updatedAt: 5_000, head: { branch: 'feature-1' } });
    expect(github.requests.filter((one) => one.operation === 'graphql')).toHaveLength(2);
    expect((await forge.pullRequestsNow(SHOP, [2, 404], never)).map((one) => one.number)).toEqual([2]);
  });

  it('knows the branches of a repository that has moved as its own', async () => {
    const { github, shop, forge } = await setStage({ as });
    const commit = 'f'.repeat(40);
    github.pull(shop, { number: 1, head: { repository: 'acme/store', branch: 'topic', commit } });
    github.pull(shop, { number: 2, head: { repository: 'ada/shop', branch: 'topic', commit } });
    shop.name = 'acme/store';
    for (const one of github.state.installations.values()) one.repositories.add('acme/store');
    for (const one of github.state.tokens.values()) if (one.isApp) (one.repositories as Set<string>).add('acme/store');
    const found = await forge.pullRequests(SHOP, never);
    expect(found.map((one) => one.head.repository)).toEqual([SHOP, 'ada/shop']);
  });

  it('tells which paths changed, both of what was renamed, and nothing where they are too many', async () => {
    const { shop, forge } = await setStage({ as });
    const change = { base: branchName('release/1'), head: HEAD };
    const key = `release/1...${HEAD}`;
    shop.comparisons.set(key, [{ filename: 'src/a.ts' }, { filename: 'new.md', previous: 'old.md' }]);
    expect(await forge.changedPaths(SHOP, change, never)).toEqual(['src/a.ts', 'old.md', 'new.md']);
    shop.comparisons.set(
      key,
      Array.from({ length: 301 }, (_, index) => ({ filename: `${index}.txt` })),
    );
    expect(await forge.changedPaths(SHOP, change, never)).toBeUndefined();
    shop.comparisons.delete(key);
    expect((await failureOf(forge.changedPaths(SHOP, change, never))).kind).toBe('terminal');
  });

  it('makes deployments that are transient, tells how they go, and takes them and their environment away', async () => {
    const { shop, forge } = await setStage({ as });
    const environment = 'preview/feature/a';
    const of = { environment, commit: HEAD, description: 'feature/a '.repeat(30) };
    const first = await forge.deploy(SHOP, of, never);
    const second = await forge.deploy(SHOP, of, never);
    await forge.deploy(SHOP, { ...of, environment: 'preview/b' }, never);
    expect(shop.deployments[0]).toMatchObject({ isTransient: true, isProduction: false, commit: HEAD, environment });
    expect(shop.deployments[0]?.description).toHaveLength(140);
    expect(await forge.deployments(SHOP, environment, never)).toEqual([second, first]);

    const url = 'https://feature-a--shop.preview.example.com/';
    for (const state of ['queued', 'in_progress', 'success'] as const) {
      await forge.reportDeployment(SHOP, second.id, { state, description: 'd', url, logUrl: `${url}log` }, never);
    }
    await forge.reportDeployment(SHOP, first.id, { state: 'failure', description: 'the build failed' }, never);
    expect(shop.deployments[1]?.statuses.map((one) => one.state)).toEqual(['queued', 'in_progress', 'success']);
    expect(shop.deployments[1]?.statuses[2]).toEqual({ state: 'success', url, logUrl: `${url}log`, description: 'd' });

    const active = await failureOf(forge.removeDeployment(SHOP, second.id, never));
    expect(active.message).toContain('cannot delete an active deployment');
    for (const { id } of [first, second]) {
      await forge.reportDeployment(SHOP, id, { state: 'inactive', description: 'removed' }, never);
      await forge.removeDeployment(SHOP, id, never);
      await forge.removeDeployment(SHOP, id, never);
    }
    expect(await forge.deployments(SHOP, environment, never)).toEqual([]);
    await forge.removeEnvironment(SHOP, environment, never);
    await forge.removeEnvironment(SHOP, environment, never);
    expect([...shop.environments]).toEqual(['preview/b']);
  });

  it('lists the deployments of all pages, newest first', async () => {
    const { shop, forge } = await setStage({ as });
    for (let id = 1; id <= 230; id += 1) {
      const flags = { isTransient: true, isProduction: false, description: '', statuses: [] };
      shop.deployments.push({ id, at: 0, commit: HEAD, environment: 'preview/a', ...flags });
    }
    const ids = (await forge.deployments(SHOP, 'preview/a', never)).map((one) => one.id);
    expect(ids).toEqual(Array.from({ length: 230 }, (_, index) => 230 - index));
  });

  it('finds its own comment by the marker, the oldest of all pages, and no one else’s', async () => {
    const { github, shop, forge } = await setStage({ as });
    const self = as === 'app' ? 'treehouse[bot]' : 'octocat';
    github.pull(shop, { number: 7 });
    github.comment(shop, 7, 'mallory', `${MARKER} mine`);
    for (let index = 0; index < 150; index += 1) github.comment(shop, 7, 'ada', `comment ${index}`);
    github.comment(shop, 7, self, 'without it');
    expect(await forge.findComment(SHOP, 7, MARKER, never)).toBeUndefined();

    const made = await forge.addComment(SHOP, 7, `${MARKER}\nbuilding`, never);
    github.comment(shop, 7, self, `${MARKER}\nagain`);
    expect(await forge.findComment(SHOP, 7, MARKER, never)).toEqual({ id: made.id, body: `${MARKER}\nbuilding` });
    expect(shop.comments.at(-2)?.author).toBe(self);

    expect(await forge.editComment(SHOP, made.id, `${MARKER}\nlive`, never)).toBe(true);
    expect((await forge.findComment(SHOP, 7, MARKER, never))?.body).toBe(`${MARKER}\nlive`);
    shop.comments.splice(
      shop.comments.findIndex((one) => one.id === made.id),
      1,
    );
    expect(await forge.editComment(SHOP, made.id, 'gone', never)).toBe(false);
  });

  it('answers a comment by a sign, once', async () => {
    const { github, shop, forge } = await setStage({ as });
    github.pull(shop, { number: 7 });
    const id = github.comment(shop, 7, 'ada', '/preview up');
    for (const reaction of ['eyes', 'rocket', 'eyes'] as const) await forge.react(SHOP, id, reaction, never);
    expect(shop.comments[0]?.reactions.map((one) => one.content)).toEqual(['eyes', 'rocket']);
  });

  it('asks what somebody may do', async () => {
    const { shop, forge } = await setStage({ as });
    for (const level of ['admin', 'maintain', 'write', 'triage', 'read'] as const) shop.collaborators.set(level, level);
    const asked = ['admin', 'maintain', 'write', 'triage', 'read', 'octocat', 'nobody'];
    const answers = await Promise.all(asked.map((login) => forge.permission(SHOP, login, never)));
    expect(answers).toEqual(['admin', 'write', 'write', 'read', 'read', 'none', 'none']);
  });

  it('gives what git reads by, and a new one where that was refused', async () => {
    const { github, forge } = await setStage({ as });
    const first = await forge.credentials(SHOP, { signal: never });
    expect(first.username).toBe('x-access-token');
    expect(await forge.credentials(SHOP, { signal: never })).toEqual(first);
    const anew = await forge.credentials(SHOP, { signal: never, refused: first });
    expect(anew.password === first.password).toBe(as === 'user');
    const token = github.state.tokens.get(anew.password);
    if (as === 'app') expect(token).toMatchObject({ permissions: { contents: 'read' }, repositories: new Set([SHOP]) });
    expect(forge.host).toBe(new URL(github.url).host);
  });
});

describe('what is said beside a commit', () => {
  it('is a status with a token, in one line that GitHub takes', async () => {
    const { github, shop, forge } = await setStage({ as: 'user' });
    const url = 'https://treehouse.example.com/previews/a';
    await forge.report(SHOP, HEAD, { state: 'pending', description: `building\n${'🌳'.repeat(200)}`, url }, never);
    await forge.report(SHOP, HEAD, { state: 'error', description: 'the engine is away', tail: ['x'] }, never);
    const [pending, error] = shop.statuses;
    expect(pending).toMatchObject({ commit: HEAD, state: 'pending', url, context: 'treehouse/preview' });
    expect(pending?.description?.length).toBeLessThanOrEqual(140);
    expect(pending?.description).toMatch(/^building 🌳+…$/u);
    expect(error).toMatchObject({ state: 'error', description: 'the engine is away', url: undefined });
    expect(github.requests.map((one) => one.operation)).toEqual(Array(2).fill('repos/create-commit-status'));
  });

  it('is a check run of an App, with the end of the log, and no status', async () => {
    const { shop, forge } = await setStage();
    const url = 'https://treehouse.example.com/previews/a';
    await forge.report(SHOP, HEAD, { state: 'pending', description: 'building', url }, never);
    await forge.report(SHOP, HEAD, { state: 'pending', description: 'testing', url }, never);
    const tail = ['```', '<b>not bold</b>', 'npm ERR! missing script: build'];
    await forge.report(SHOP, HEAD, { state: 'failure', description: 'failed at build', url, tail }, never);
    expect(shop.statuses).toEqual([]);
    expect(shop.checkRuns).toHaveLength(1);
    expect(shop.checkRuns[0]).toMatchObject({
      commit: HEAD,
      fields: {
        ...{ name: 'treehouse/preview', status: 'completed', conclusion: 'failure', details_url: url },
        output: { title: 'failed at build', text: `\`\`\`\`\n${tail.join('\n')}\n\`\`\`\`` },
      },
    });

    await forge.report(SHOP, HEAD, { state: 'pending', description: 'again' }, never);
    await forge.report(SHOP, HEAD, { state: 'success', description: 'live' }, never);
    const ends = shop.checkRuns.map((one) => one.fields.conclusion);
    expect(ends).toEqual(['failure', 'success']);
  });

  it('has the end of a log that is longer than GitHub takes', async () => {
    const { shop, forge } = await setStage();
    const tail = Array.from({ length: 5_000 }, (_, index) => `line ${index} of many that were printed`);
    await forge.report(SHOP, HEAD, { state: 'failure', description: 'failed', tail }, never);
    const text = String((shop.checkRuns[0]?.fields.output as { text?: string } | undefined)?.text);
    expect(text.length).toBeLessThanOrEqual(65_535);
    expect(text).toMatch(/line 4999 of many that were printed\n```$/);
  });
});

describe('GitHub Enterprise', () => {
  it.each(['app', 'user'] as const)('is asked below its own path, as an %s', async (as) => {
    const { github, shop, forge } = await setStage({ as, prefix: '/api/v3' });
    github.pull(shop, { number: 1 });
    shop.collaborators.set('ada', 'write');
    expect(await forge.pullRequests(SHOP, never)).toHaveLength(1);
    expect(await forge.permission(SHOP, 'ada', never)).toBe('write');
    await forge.findComment(SHOP, 1, MARKER, never);
    await forge.report(SHOP, HEAD, { state: 'success', description: 'live' }, never);
    expect(forge.host).toBe(new URL(github.url).host);
  });
});

describe('deliveries of the App’s webhook', () => {
  it('are asked for again where no try brought them through', async () => {
    const { github, forge } = await setStage();
    const at = Date.now();
    const add = (id: number, guid: string, status: number, ago: number) =>
      github.state.deliveries.push({ id, guid, status, at: at - ago, isAgain: false });
    add(1, 'too-old', 500, 90_000);
    for (let id = 2; id <= 130; id += 1) add(id, `fine-${id}`, 202, 50_000);
    add(131, 'lost', 502, 40_000);
    add(132, 'came-later', 502, 30_000);
    add(133, 'came-later', 202, 20_000);
    add(134, 'lost', 503, 10_000);
    const seen = await forge.askAgain({ since: at - 60_000, again: [] }, 10, never);
    expect(seen.count).toBe(1);
    const again = () => github.state.deliveries.filter((one) => one.isAgain).map((one) => one.guid);
    expect(again()).toEqual(['lost']);
    expect(github.requests.at(-1)?.path).toBe('/app/hook/deliveries/134/attempts');
    // Not even if GitHub did not list the further try yet, or it failed too.
    github.state.deliveries.pop();
    expect((await forge.askAgain(seen, 10, never)).count).toBe(0);
    github.state.deliveries.push({ id: 900, guid: 'lost', status: 502, at: at + 1, isAgain: true });
    expect((await forge.askAgain({ since: at - 60_000, again: [] }, 10, never)).count).toBe(0);
  });

  it('are asked for a few at a time, the oldest first, and none is passed over', async () => {
    const { github, forge } = await setStage();
    const at = Date.now() - 3_600_000;
    for (let id = 1; id <= 5; id += 1) {
      github.state.deliveries.push({ id, guid: `lost-${id}`, status: 502, at: at + id * 600_000, isAgain: false });
    }
    const again = () => github.state.deliveries.filter((one) => one.isAgain).map((one) => one.guid);
    let seen = await forge.askAgain({ since: at, again: [] }, 2, never);
    expect(again()).toEqual(['lost-1', 'lost-2']);
    // GitHub goes away at the second one, for all tries.
    github.play(times(3, away(), (one) => one.path.endsWith('/4/attempts')));
    seen = await forge.askAgain(seen, 2, never);
    expect(seen).toMatchObject({ count: 1, fault: expect.stringContaining('delivery 4') });
    seen = await forge.askAgain(seen, 2, never);
    expect(again()).toEqual(['lost-1', 'lost-2', 'lost-3', 'lost-4', 'lost-5']);
    expect((await forge.askAgain(seen, 2, never)).count).toBe(0);
  });

  it('are none of a token’s', async () => {
    const { github, forge } = await setStage({ as: 'user' });
    expect(await forge.askAgain({ since: 0, again: [] }, 10, never)).toEqual({ since: 0, again: [], count: 0 });
    expect(github.requests).toEqual([]);
  });
});
