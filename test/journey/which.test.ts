/** Which branches have previews: what pull requests must be like, what is left out, and what is left out later. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/which${process.pid}`;
const ADMIN = 'the admin token of this test';
let folder: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, plainDockerfile('main'));
  const home = path.join(folder, 'home');
  world = await startWorld({
    repositories: { [repository]: repo.remote },
    home: await homeWith(home, ['pullRequests: labelled', 'drafts: false', 'paths: [Dockerfile]']),
    env: { TREEHOUSE_ADMIN_TOKEN: ADMIN },
  });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function homeWith(home: string, lines: readonly string[]): Promise<string> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const entry = lines.map((line) => `    ${line}\n`).join('');
  await writeFile(path.join(home, 'treehouse.yml'), `repositories:\n  ${repository}:\n${entry}`);
  return home;
}

const id = () => world.idOf(repository, 'topic');
/** Later than the one before, in whole seconds as GitHub's times are. */
let clock = Math.floor(Date.now() / 1000);
async function event(action: Parameters<World['pullRequest']>[2]['action'], more: object = {}): Promise<void> {
  clock += 1;
  const head = await repo.head('topic');
  expect(await world.pullRequest(repository, 'topic', { action, number: 5, head, at: clock, ...more })).toBe(202);
}
const removedBecause = (reason: string) =>
  until(`it is removed: ${reason}`, async () => {
    const record = await world.record(id());
    return record?.state === 'removed' && record.reason === reason;
  });
const LABEL = "pull request #5 has not the label 'preview', which `pullRequests: labelled` asks for";

it('a branch that is only pushed has none, and says why', async () => {
  await repo.branch('topic');
  await repo.commit(plainDockerfile('topic'));
  await repo.push();
  await world.pushed(repository, 'topic');
  await removedBecause(
    "no pull request of it is open, and `pullRequests: labelled` asks for one with the label 'preview'",
  );
  await event('opened');
  await removedBecause(LABEL);
  const answer = await fetch(`${world.url}/api/v1/previews/${id()}/plan`, {
    headers: { authorization: `Bearer ${ADMIN}` },
  });
  expect(await answer.json()).toMatchObject({ desired: { commit: null, cause: LABEL }, next: 'nothing' });
  expect((await world.visit(id())).body).toContain('has not the label');
});

it('one that gets the label is built, though nobody can be asked what it changed', async () => {
  await event('labeled', { labels: ['Preview'] });
  await serves(world, id(), 'topic');
  expect(world.events.find((one) => one.type === 'build.started')).toMatchObject({
    cause: expect.stringContaining('`paths` is not applied: there are no credentials to ask GitHub what was changed'),
  });
});

it('one that is left out later is taken down with that cause, and comes back', async () => {
  await event('converted_to_draft', { labels: ['preview'], draft: true });
  await removedBecause('pull request #5 is a draft, and `drafts: false` leaves those out');
  expect(await world.leftovers(id())).toEqual([]);
  await event('ready_for_review', { labels: ['preview'] });
  await serves(world, id(), 'topic');
  await event('unlabeled');
  await removedBecause(LABEL);
  expect(await world.leftovers(id())).toEqual([]);
});

it('what serves goes on while nothing is known of its pull request, and a redeploy builds it all the same', async () => {
  await event('labeled', { labels: ['preview'] });
  await serves(world, id(), 'topic');
  // As after a Redis that was wiped.
  await world.treehouse.store.forgetPullRequests(repository as never, 'topic' as never);
  await repo.commit(plainDockerfile('newer'));
  await repo.push();
  await world.pushed(repository, 'topic');
  await until('it says that it stays', async () => (await world.record(id()))?.reason.endsWith(': it stays as it is'));
  expect((await world.visit(id())).body).toContain('topic');
  const answer = await fetch(`${world.url}/api/v1/previews/${id()}/redeploy`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN}` },
  });
  expect(answer.status).toBe(202);
  await serves(world, id(), 'newer');
});

it('a fork is known, and nothing of it is built', async () => {
  const head = 'd'.repeat(40);
  const from = 'stranger/which';
  expect(await world.pullRequest(repository, 'topic', { action: 'opened', number: 6, head, from })).toBe(202);
  expect(
    (await world.treehouse.store.pullRequests(repository as never, 'topic' as never)).map((one) => one.number),
  ).toEqual([]);
});
