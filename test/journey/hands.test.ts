/** Somebody removes containers of a preview by hand: it becomes whole again by itself. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/web/client.ts';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/hands${process.pid}`;
const ADMIN = 'the admin token of this test';
const compose = (text: string, more = '', first = 'true') => `services:
  web:
    image: busybox
    command: ["sh", "-c", "${first} && mkdir -p /www && echo '${text}' > /www/index.html && exec httpd -f -p 8000 -h /www"]
    expose: ["8000"]
${more}  worker:
    image: busybox
    command: ["sleep", "1000"]
    init: true
`;
let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, { 'compose.yml': compose('whole') });
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
  await world.pushed(repository, 'main');
  await serves(world, id(), 'whole');
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const id = () => world.idOf(repository, 'main');

/** Ids of what runs of a service. */
function running(service: string): Promise<string[]> {
  const labels = [`treehouse.preview=${id()}`, `treehouse.service=${service}`];
  return docker('ps', '-q', ...labels.flatMap((one) => ['--filter', `label=${one}`]));
}

async function removeByHand(service: string): Promise<void> {
  const [gone = ''] = await running(service);
  await docker('rm', '-f', gone);
  await until(`${service} is there again`, async () => {
    const now = await running(service);
    return now.length === 1 && !now.includes(gone);
  });
}

it('a service that nothing else needs is made again, and the others are left alone', async () => {
  const web = await running('web');
  await removeByHand('worker');
  await serves(world, id(), 'whole');
  expect(await running('web')).toEqual(web);
});

it('what serves in place of a bad commit is built again', async () => {
  const bad = await repo.commit({ 'compose.yml': compose('bad', '    privileged: true\n') });
  await repo.push();
  await world.pushed(repository, 'main');
  expect(await world.ended(id(), bad)).toMatchObject({ state: 'outdated' });
  for (const service of ['worker', 'web']) {
    await removeByHand(service);
    await serves(world, id(), 'whole');
    await until('the bad commit is known as bad again', async () => {
      const record = await world.record(id());
      return record?.state === 'outdated' && record.attempt?.commit === bad && record.attempt.outcome === 'failed';
    });
  }
  expect(await docker('ps', '-aq', '--filter', `label=treehouse.preview=${id()}`)).toHaveLength(2);
});

it('what is left of it stays where the build that brings it back is cancelled', async () => {
  const slow = await repo.commit({ 'compose.yml': compose('slow', '', 'sleep 5') });
  await repo.push({ force: true });
  await world.pushed(repository, 'main');
  await serves(world, id(), 'slow');
  const bad = await repo.commit({ 'compose.yml': compose('bad', '    privileged: true\n') });
  await repo.push();
  await world.pushed(repository, 'main');
  expect(await world.ended(id(), bad)).toMatchObject({ state: 'outdated' });
  const worker = await running('worker');
  await docker('rm', '-f', ...(await running('web')));
  await until('it is brought back', async () => {
    const attempt = (await world.record(id()))?.attempt;
    return attempt?.commit === slow && attempt.stage === 'start' && attempt.outcome === undefined;
  });
  const client = createClient({ url: world.url, token: ADMIN });
  await client.act('cancel', id());
  // By its event: the record may tell of the next build by now.
  await until('it ends', async () =>
    world.events.some((one) => one.type === 'build.failed' && one.message.includes('somebody cancelled it')),
  );
  await until('the timer brings it back', async () => {
    await client.sweep({ dryRun: false });
    return (await world.visit(id())).body.includes('slow');
  });
  expect(await running('worker')).toEqual(worker);
});
