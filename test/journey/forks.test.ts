/** A pull request from a fork, with a real repository, engine and preview: nothing of it is run before it is approved, and then with less. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/domain/isolation.ts';
import { forkBranch } from '../../src/domain/names.ts';
import { createClient } from '../../src/web/client.ts';
import { type FakeGitHub, startGitHub } from '../support/github/github.ts';
import type { FakePull, FakeRepository } from '../support/github/state.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, type World } from '../support/treehouse.ts';

const run = promisify(execFile);

// Of this run alone: another run on the same engine has previews of its own names.
const name = `acme/forks${process.pid}`;
const FORK = 'eve/shop';
const PULL = 9;
const ADMIN = 'an-admin-token-of-this-test-alone';
const LABEL = 'preview-approved';
const WAIT = { timeout: 60_000, interval: 200 };

let folder: string;
let repo: TestRepo;
let github: FakeGitHub;
let there: FakeRepository;
let pull: FakePull;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-forks-'));
  repo = await makeRepo(folder, plainDockerfile('main'));
  github = await startGitHub();
  there = github.repository(name);
  there.collaborators.set('ada', 'write');
  there.collaborators.set('rita', 'read');
  const { apiUrl, credentials } = github.asApp([there]);
  if (!('appId' in credentials)) throw new Error('it is no App');
  const home = path.join(folder, 'home');
  await mkdir(home);
  const repositories = { [name]: { url: repo.remote, approvalLabel: LABEL } };
  await writeFile(path.join(home, 'treehouse.yml'), JSON.stringify({ repositories }));
  world = await startWorld({
    ...{ repositories: {}, home },
    env: {
      TREEHOUSE_ADMIN_TOKEN: ADMIN,
      GITHUB_API_URL: apiUrl,
      GITHUB_APP_ID: credentials.appId,
      GITHUB_PRIVATE_KEY: credentials.privateKey.replaceAll('\n', '\\n'),
    },
  });
});
afterAll(async () => {
  await world?.stop();
  await github?.close();
  await rm(folder, { recursive: true, force: true });
});

const id = () => world.idOf(name, forkBranch(PULL));
const comments = () => there.comments.filter((one) => one.pull === PULL && one.author.endsWith('[bot]'));
const shows = (check: () => void) => vi.waitFor(check, WAIT);
/** Who began builds of it, by their commits. */
const built = () =>
  world.events.flatMap((one) => (one.type === 'build.started' && one.preview === id() ? [one.commit] : []));

/** A commit that its author pushed to the fork: the forge has it under the pull request's number. */
async function pushedToFork(text: string): Promise<string> {
  await repo.git('switch', '--quiet', '--force-create', 'theirs', 'main');
  const head = await repo.commit(plainDockerfile(text));
  await repo.git('push', '--quiet', '--force', 'origin', `HEAD:refs/pull/${PULL}/head`);
  return head;
}

async function said(by: string, body: string): Promise<readonly string[]> {
  const comment = github.comment(there, PULL, by, body);
  expect(await world.commented(name, PULL, comment, by, body)).toBe(202);
  const signs = () => there.comments.find((one) => one.id === comment)?.reactions.map((one) => one.content) ?? [];
  await shows(() => expect(signs().filter((one) => one !== 'eyes')).not.toEqual([]));
  return signs();
}

it('nothing of a fork is run or fetched before it is approved, and the comment says who may approve it, and how', async () => {
  const head = await pushedToFork('theirs.');
  pull = github.pull(there, { number: PULL, head: { repository: FORK, branch: 'main', commit: head } });
  await world.pullRequest(name, 'main', { action: 'opened', number: PULL, head, from: FORK });
  await shows(() => {
    expect(comments()[0]?.body).toContain(`waiting for approval of ${head.slice(0, 12)}`);
    expect(comments()[0]?.body).toContain(`/preview approve ${head}`);
  });
  expect(await said('eve', `/preview approve ${head}`)).toEqual(['-1']);
  expect(await said('rita', `/preview approve ${head}`)).toEqual(['-1']);
  expect(await said('ada', '/preview redeploy')).toContain('confused');
  expect(built()).toEqual([]);
  expect(await world.leftovers(id())).toEqual([]);
  // The branch of the same name has its preview, and no code of the fork.
  await serves(world, world.idOf(name, 'main'), 'main');
  const mirror = path.join(world.home, 'mirrors', `${name.replace('/', '__')}.git`);
  const has = (commit: string) =>
    run('git', ['--git-dir', mirror, 'cat-file', '-t', commit]).then(({ stdout }) => stdout);
  expect(await has(await repo.head('main'))).toBe('commit\n');
  await expect(has(head)).rejects.toThrow();
});

it('approved by somebody who may write it is built, and with half of what others have; nothing is pushed', async () => {
  const head = pull.head.commit;
  expect(await said('ada', `/preview approve ${head}`)).toContain('+1');
  await serves(world, id(), 'theirs.');
  await shows(() => expect(comments()[0]?.body).toContain('### Preview: live\n'));
  expect(comments()).toHaveLength(1);
  expect(comments()[0]?.body).not.toContain('/preview approve ');
  const [container = ''] = await docker('ps', '-q', '--filter', `label=treehouse.preview=${id()}`);
  const [memory] = await docker('inspect', '--format', '{{.HostConfig.Memory}}', container);
  expect(Number(memory)).toBe(DEFAULT_LIMITS.memory.usual / 2);
  const left = await world.leftovers(id());
  expect(left.filter((one) => one.startsWith('container'))).toHaveLength(1);
  expect(left.filter((one) => one.startsWith('tag') || one.includes('/v2/'))).toEqual([]);
});

it('what is pushed after the approval waits for another, whoever asks for a build', async () => {
  const approved = pull.head.commit;
  const head = await pushedToFork('worse.');
  pull.head = { ...pull.head, commit: head };
  await world.pullRequest(name, 'main', { action: 'synchronize', number: PULL, head, from: FORK });
  await shows(() => expect(comments()[0]?.body).toContain(`/preview approve ${head}`));
  expect(await said('ada', '/preview redeploy')).toContain('confused');
  await createClient({ url: world.url, token: ADMIN }).act('redeploy', id());
  expect(await said('ada', `/preview approve ${approved}`)).toContain('confused');
  expect((await world.visit(id())).body).toContain('theirs.');
  expect(new Set(built())).toEqual(new Set([approved]));
});

it('a label approves as a comment does, set by somebody who may write', async () => {
  const head = pull.head.commit;
  pull.labels.push(LABEL);
  const set = (by: string, at: number) =>
    world.pullRequest(name, 'main', {
      ...{ action: 'labeled', number: PULL, head, from: FORK, labels: [LABEL], label: LABEL, by, at },
    });
  // The second in which a commit came is not told apart.
  const now = Math.floor(Date.now() / 1_000) + 2;
  expect(await set('rita', now)).toBe(202);
  expect(await set('ada', now + 1)).toBe(202);
  await serves(world, id(), 'worse.');
  await shows(() => expect(comments()[0]?.body).toContain('### Preview: live\n'));
  // One after the other, so hers was answered before.
  const asked = (await createClient({ url: world.url, token: ADMIN }).trail(50)).filter((one) => one.act === 'approve');
  expect(asked.slice(0, 2)).toMatchObject([
    { who: 'ada on GitHub', status: 202, command: [head] },
    { who: 'rita on GitHub', status: 403 },
  ]);
});

it('closed, it is gone', async () => {
  await world.pullRequest(name, 'main', {
    ...{ action: 'closed', number: PULL, head: pull.head.commit, from: FORK },
    at: Math.floor(Date.now() / 1_000) + 5,
  });
  await shows(() => expect(comments()[0]?.body).toContain('pull request #9 was closed'));
  await vi.waitFor(async () => expect(await world.leftovers(id())).toEqual([]), WAIT);
  expect(comments()).toHaveLength(1);
  github.verify();
});
