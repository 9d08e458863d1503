/** A build or a test that hangs in silence is ended, and says how to change that; one that prints goes on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { serves, startWorld, type World } from '../support/treehouse.ts';

const mute = `acme/mute${process.pid}`;
const ENDED =
  'printed nothing for 8 seconds and was ended: let it print a line now and then, or set TREEHOUSE_BUILD_SILENCE';

let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(path.join(folder, 'mute'));
  world = await startWorld({ repositories: { [mute]: repo.remote }, env: { TREEHOUSE_BUILD_SILENCE: '8s' } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const dockerfile = (run: string) =>
  `FROM busybox\nRUN ${run}\nRUN mkdir /www && echo hello > /www/index.html\nCMD ["httpd", "-f", "-h", "/www", "-p", "80"]\nEXPOSE 80\n`;

async function push(branch: string, files: Parameters<TestRepo['commit']>[0]): Promise<string> {
  await repo.branch(branch, 'main');
  const commit = await repo.commit(files);
  await repo.push();
  await world.pushed(mute, branch);
  return commit;
}

it.each([
  ['build', 'build', { Dockerfile: dockerfile('sleep 301') }, 'building the images'],
  [
    'test',
    'test',
    {
      Dockerfile: dockerfile('true'),
      'compose.yml': 'services:\n  web: {build: ., expose: ["80"]}\n  test: {build: ., command: ["sleep", "302"]}\n',
    },
    'running the tests',
  ],
])('a silent %s is ended', async (branch, stage, files, act) => {
  const commit = await push(`silent-${branch}`, files);
  expect(await world.ended(world.idOf(mute, `silent-${branch}`), commit)).toMatchObject({
    state: 'failed',
    attempt: { stage, kind: 'terminal', message: `${act} ${ENDED}` },
  });
});

it('one that prints is not, however long it takes', async () => {
  await push('talks', { Dockerfile: dockerfile('for i in 1 2 3 4 5 6 7; do echo $i; sleep 2; done') });
  await serves(world, world.idOf(mute, 'talks'), 'hello');
});
