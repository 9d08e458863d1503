/** Everything that goes wrong in a repository: a clear error where the person looks, and what was live stays live. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildId } from '../../src/domain/names.ts';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { plainDockerfile } from '../support/stacks.ts';
import { docker, serves, startWorld, type World } from '../support/treehouse.ts';

const run = promisify(execFile);
// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/bad${process.pid}`;
let folder: string;
let home: string;
let repo: TestRepo;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  // A small disk for the checkouts.
  await mkdir(path.join(home, 'builds'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'tmpfs', path.join(home, 'builds')]);
  repo = await makeRepo(folder, plainDockerfile('good'));
  world = await startWorld({
    repositories: { [repository]: repo.remote },
    env: { TREEHOUSE_START_LIMIT: '4', TREEHOUSE_DISK_FREE: '6m' },
    home,
  });
  await world.pushed(repository, 'main');
  await serves(world, world.idOf(repository, 'main'), 'good');
});
afterAll(async () => {
  await world?.stop();
  await run('umount', [path.join(home, 'builds')]);
  await rm(home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

interface Case {
  readonly what: string;
  readonly files: Files;
  readonly stage: string;
  /** All of them stand in the reason that the record, the page and the command line show. */
  readonly says: readonly string[];
  /** Stands in the log. */
  readonly logs?: string;
}

const web = (more: string) => `services:\n  web:\n    build: .\n    ports: ["8000:8000"]\n${more}`;

const cases: readonly Case[] = [
  {
    what: 'a compose file that is not YAML',
    files: { 'compose.yml': 'services:\n  web: [unclosed\n' },
    stage: 'plan',
    says: ['compose.yml', 'not YAML', 'line'],
  },
  {
    what: 'a compose file that Compose does not take',
    files: { 'compose.yml': 'services:\n  web:\n    build: .\n    ports: "none"\n' },
    stage: 'plan',
    says: ['compose file cannot be read', 'ports'],
  },
  {
    what: 'a compose file that asks for the host',
    files: { 'compose.yml': web('    privileged: true\n') },
    stage: 'plan',
    says: ['services.web.privileged', 'remove it'],
  },
  {
    what: 'nothing to run',
    files: { Dockerfile: null, 'index.html': null, 'README.md': 'hello' },
    stage: 'plan',
    says: ['nothing to run', 'compose.yaml', 'Dockerfile', 'package.json', 'index.html'],
  },
  {
    what: 'a Dockerfile that fails',
    files: { Dockerfile: 'FROM busybox\nRUN echo about to fail && exit 7\n' },
    stage: 'build',
    says: ['exit code: 7'],
    logs: 'about to fail',
  },
  {
    what: 'a disk that fills while images are built',
    files: {
      Dockerfile: 'FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=65536 dd if=/dev/zero of=/t/x bs=1M count=4\n',
    },
    stage: 'build',
    says: ['disk is full'],
  },
  {
    what: 'an image that does not exist',
    files: { 'compose.yml': 'services:\n  web:\n    image: 127.0.0.1:9/nobody/has-this:1\n    ports: ["80"]\n' },
    stage: 'build',
    says: ['pulling 127.0.0.1:9/nobody/has-this:1 failed'],
  },
  {
    what: 'a service that exits',
    files: { Dockerfile: 'FROM busybox\nEXPOSE 8000\nCMD ["sh", "-c", "echo no such setting >&2; exit 3"]\n' },
    stage: 'start',
    says: ['exited with code 3'],
    logs: 'no such setting',
  },
  {
    what: 'a service that never becomes healthy',
    files: {
      'compose.yml': web('    healthcheck: {test: ["CMD", "false"], interval: 30s}\n'),
    },
    stage: 'start',
    says: ['web', 'did not become healthy within 4 s'],
  },
  {
    what: 'a service that never listens',
    files: { Dockerfile: 'FROM busybox\nEXPOSE 8000\nCMD ["sleep", "1000"]\n' },
    stage: 'start',
    says: ['did not become healthy within 4 s'],
  },
  {
    what: 'nothing that can be opened',
    files: { Dockerfile: 'FROM busybox\nCMD ["sleep", "1000"]\n' },
    stage: 'start',
    says: ['exposes a port', 'expose'],
  },
  {
    what: 'a checkout that does not fit on the disk',
    files: { big: new Uint8Array(12 * 1024 * 1024).map((_, index) => (index * 2654435761) >>> 13) },
    stage: 'checkout',
    says: ['disk', 'full'],
  },
];

it.each(cases)('$what', async ({ files, stage, says, logs }) => {
  const main = world.idOf(repository, 'main');
  await repo.branch('main');
  const commit = await repo.commit(files);
  await repo.push();
  await world.pushed(repository, 'main');
  const record = await world.ended(main, commit);
  expect(record).toMatchObject({ state: 'outdated', attempt: { outcome: 'failed', stage } });
  for (const text of says) expect(record.reason).toContain(text);
  expect(record.reason).not.toContain(home);
  const build = record.attempt?.build;
  const log = build ? (await world.treehouse.store.tail(main, build, 100)).join('\n') : '';
  if (logs) expect(log).toContain(logs);

  // What was live serves on, and the failed build left nothing behind.
  expect((await world.visit(main)).body).toContain('good');
  const containers = await docker('ps', '-a', '--filter', `label=treehouse.preview=${main}`, '--format', '{{.State}}');
  expect(containers).toEqual(['running']);
  const networks = await docker('network', 'ls', '-q', '--filter', `label=treehouse.preview=${main}`);
  expect(networks).toHaveLength(1);
  expect(await imagesOf(main)).toHaveLength(1);

  await repo.git('reset', '--quiet', '--hard', 'HEAD~1');
  await repo.push({ force: true });
  await world.pushed(repository, 'main');
});

it('shows the failure on the page of a branch that never lived', async () => {
  const id = world.idOf(repository, 'stillborn');
  await repo.branch('stillborn', 'main');
  const commit = await repo.commit({ Dockerfile: 'FROM busybox\nRUN echo "<b>broken</b>" && exit 9\n' });
  await repo.push();
  await world.pushed(repository, 'stillborn');
  await world.ended(id, commit);
  const page = await world.visit(id, '/', { accept: 'text/html' });
  expect(page.status).toBe(503);
  expect(page.body).toContain('The build failed');
  expect(page.body).toContain('&lt;b&gt;broken&lt;/b&gt;');
  expect(page.body).not.toContain('<b>broken</b>');
  const json = await world.visit(id, '/', { accept: 'application/json' });
  expect(json.headers['content-type']).toContain('application/problem+json');
  expect(JSON.parse(json.body)).toMatchObject({ status: 503 });
});

it('does not keep what a build that died left, though its commit is not tried again', async () => {
  const id = world.idOf(repository, 'stillborn');
  const folder = path.join(home, 'builds', id);
  const died = path.join(folder, buildId(Date.now(), 1));
  await mkdir(died, { recursive: true });
  await writeFile(path.join(died, 'Dockerfile'), 'FROM busybox\n');
  const instance = (await readFile(path.join(home, 'instance'), 'utf8')).trim();
  const labels = [`treehouse.instance=${instance}`, `treehouse.preview=${id}`].flatMap((one) => ['--label', one]);
  await docker('build', '--quiet', '--tag', `${repository}/web:${id}.src-c0ffee`, ...labels, died);
  expect(await imagesOf(id)).toHaveLength(1);
  await world.pushed(repository, 'stillborn');
  await expect.poll(() => readdir(folder), { timeout: 60_000 }).toEqual([]);
  await expect.poll(() => imagesOf(id), { timeout: 60_000 }).toEqual([]);
});

it('answers for hosts that nobody has', async () => {
  const page = await world.visit('nobody--knows', '/some/path', { accept: 'text/html' });
  expect(page.status).toBe(404);
  expect(page.body).toContain('No preview lives here');
});

/** Ids of the images that were built for a preview. */
async function imagesOf(id: string): Promise<string[]> {
  const label = `label=treehouse.preview=${id}`;
  return [...new Set(await docker('images', '--all', '--quiet', '--no-trunc', '--filter', label))];
}
