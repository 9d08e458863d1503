/** The life of a pull request on GitHub, with a real repository, engine and preview; GitHub alone is played, and held to its description. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type FakeGitHub, startGitHub } from '../support/github/github.ts';
import type { FakeRepository } from '../support/github/state.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { placesOf } from '../support/search-secrets.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const name = `acme/forge${process.pid}`;
const PULL = 7;
const ADMIN = 'the admin token of this journey';
const WAIT = { timeout: 60_000, interval: 200 };

let folder: string;
let repo: TestRepo;
let github: FakeGitHub;
let there: FakeRepository;
let world: World;
/** The most deployments that were active at any request. */
let mostActive = 0;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('main'));
  github = await startGitHub();
  there = github.repository(name);
  github.play(() => {
    mostActive = Math.max(mostActive, active().length);
    return undefined;
  });
  world = await start();
});
afterAll(async () => {
  await world?.stop();
  await github?.close();
  await rm(folder, { recursive: true, force: true });
});

function start(): Promise<World> {
  const { apiUrl, credentials } = github.asApp([there]);
  if (!('appId' in credentials)) throw new Error('it is no App');
  return startWorld({
    repositories: { [name]: repo.remote },
    home: path.join(folder, 'home'),
    env: {
      TREEHOUSE_ADMIN_TOKEN: ADMIN,
      GITHUB_API_URL: apiUrl,
      GITHUB_APP_ID: credentials.appId,
      GITHUB_PRIVATE_KEY: credentials.privateKey.replaceAll('\n', '\\n'),
    },
  });
}

const id = () => world.idOf(name, 'topic');
// Of the branch's own environment: main has a preview too.
const ENVIRONMENT = 'preview/topic';
const deployments = () => there.deployments.filter((one) => one.environment === ENVIRONMENT);
const active = () => deployments().filter((one) => one.statuses.at(-1)?.state === 'success');
const comments = () => there.comments.filter((one) => one.pull === PULL);
/** How the check run of a commit ended, or how far it is. */
function wordOn(commit: string): { readonly state: unknown; readonly text: string } {
  const fields = there.checkRuns.findLast((one) => one.commit === commit)?.fields;
  return { state: fields?.conclusion ?? fields?.status, text: JSON.stringify(fields?.output ?? {}) };
}
const shows = (check: () => void | Promise<void>) => vi.waitFor(check, WAIT);

async function pushed(files: Parameters<TestRepo['commit']>[0]): Promise<string> {
  const head = await repo.commit(files);
  await repo.push();
  await world.pushed(name, 'topic', { after: head });
  return head;
}

function isShownLive(head: string): void {
  expect(wordOn(head).state).toBe('success');
  expect(active().map((one) => one.commit)).toEqual([head]);
  expect(comments()).toHaveLength(1);
  expect(comments()[0]?.body).toContain('### Preview: live\n');
  expect(comments()[0]?.body).toContain(head.slice(0, 12));
}

it('a pull request that is opened gets a check, a deployment that leads to the preview, and a comment', async () => {
  await repo.branch('topic', 'main');
  const head = await pushed(plainDockerfile('one.'));
  github.pull(there, { number: PULL, head: { repository: name, branch: 'topic', commit: head } });
  await world.pullRequest(name, 'topic', { action: 'opened', number: PULL, head });
  await serves(world, id(), 'one.');
  await shows(() => isShownLive(head));
  const url = active()[0]?.statuses.at(-1)?.url ?? '';
  expect(new URL(url).hostname.split('.')[0]).toBe(id());
  expect(comments()[0]?.body).toContain(url);
});

it('says when it last agreed with GitHub, where its operators look', async () => {
  await shows(async () => {
    const headers = { authorization: `Bearer ${ADMIN}` };
    const host = (await (await fetch(`${world.url}/api/v1/host`, { headers })).json()) as { forge?: unknown };
    expect(host.forge).toMatchObject({
      installations: [{ owner: 'acme', agreedAt: expect.any(String), faults: [] }],
      deliveries: { doneAt: expect.any(String), fault: null },
    });
  });
});

it('a push edits that comment, and is the only active deployment', async () => {
  const comment = comments()[0]?.id;
  const head = await pushed(plainDockerfile('two.'));
  await shows(() => isShownLive(head));
  expect(comments()[0]?.id).toBe(comment);
});

it('a red build is told with its last lines, while what served before does', async () => {
  const serving = active()[0]?.commit ?? '';
  const head = await pushed({ Dockerfile: 'FROM busybox\nRUN echo it is all wrong && false\n' });
  await shows(() => {
    expect(wordOn(head)).toMatchObject({ state: 'failure', text: expect.stringContaining('it is all wrong') });
    expect(comments()[0]?.body).toContain('### Preview: live with an earlier commit, the newest failed');
  });
  expect(comments()[0]?.body).toContain('it is all wrong');
  expect(active().map((one) => one.commit)).toEqual([serving]);
  expect((await world.visit(id())).body).toContain('two.');
});

it('after a restart with a wiped Redis the same comment and one deployment go on', async () => {
  const comment = comments()[0]?.id;
  await world.treehouse.stop();
  await rm(path.join(folder, 'home', 'redis'), { recursive: true, force: true });
  world = await start();
  const head = await pushed(plainDockerfile('three.'));
  await world.pullRequest(name, 'topic', { action: 'synchronize', number: PULL, head });
  await serves(world, id(), 'three.');
  await shows(() => isShownLive(head));
  expect(comments()[0]?.id).toBe(comment);
});

it('merged, the deployment and its environment are gone, and the comment says when and why', async () => {
  await world.pullRequest(name, 'topic', {
    ...{ action: 'closed', merged: true, number: PULL, head: await repo.head('topic') },
    at: Math.floor(Date.now() / 1_000) + 5,
  });
  await shows(() => {
    expect(deployments()).toEqual([]);
    expect([...there.environments]).not.toContain(ENVIRONMENT);
    expect(comments()[0]?.body).toMatch(/### Preview: removed\n\nRemoved .* UTC: `pull request #7 was merged`/);
  });
  expect(comments()).toHaveLength(1);
  expect(await world.leftovers(id())).toEqual([]);
  expect(mostActive).toBe(1);
  github.verify();
});

it('no token and no key is in the home, in a command line, in the log, in an event or in the API', async () => {
  const secrets = github.secrets();
  expect(secrets.length).toBeGreaterThan(1);
  expect(await placesOf(secrets, world, ADMIN)).toEqual([]);
});
