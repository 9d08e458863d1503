/** An installation of several processes: two workers share the work, and one that dies in the middle of any stage is missed by nobody. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STAGES, type Stage } from '../../src/domain/events.ts';
import { type PreviewId, previewBranch, previewId, repositoryName, repositorySlug } from '../../src/domain/names.ts';
import { pidsIn } from '../support/footprint.ts';
import { type Installation, type Running, startInstallation } from '../support/processes.ts';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, until } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/several${process.pid}`;
const idOf = (branch: string) => previewId(repositorySlug(repositoryName(repository)), previewBranch(branch));

/** Each of its stages takes long enough to be met. */
function slow(text: string): Files {
  return {
    'compose.yaml': `services:
  web:
    build: .
    expose: ["8000"]
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "test", "-e", "/www/index.html"], interval: 1s}
  test:
    build: .
    command: ["sleep", "1"]
x-treehouse:
  seed: {service: web, command: ["sh", "-c", "sleep 1; echo sown >/data/seed"]}
volumes:
  data:
`,
    Dockerfile: `FROM busybox
COPY index.html /www/index.html
RUN sleep 1
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
`,
    'index.html': text,
  };
}

let folder: string;
let repo: TestRepo;
let house: Installation;
let serve: Running;
let workers: Running[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repo = await makeRepo(folder, { 'README.md': 'nothing to preview\n' });
  house = await startInstallation({ [repository]: repo.remote });
  const [, serving, ...two] = await Promise.all(
    (['gateway', 'serve', 'worker', 'worker'] as const).map((kind) => house.start(kind)),
  );
  if (serving) serve = serving;
  workers = two;
});
afterAll(async () => {
  await house?.stop();
  await rm(folder, { recursive: true, force: true });
});

it.each(STAGES)('a worker that is killed in %s is replaced by the other, and nothing is doubled', async (stage) => {
  const branch = `killed-in-${stage}`;
  const id = idOf(branch);
  await repo.branch(branch, 'main');
  const commit = await repo.commit(slow(`killed in ${stage}.`));
  await repo.push({ branch });
  // By the sweep, which the one that leads does.
  await api('POST', '/sweep');
  const begins = (one: Stage) =>
    until(`${one} begins`, async () =>
      house.events.find((event) => event.preview === id && event.type === 'stage.started' && event.stage === one),
    );
  // This one is over in milliseconds, but waits for a gateway that does not answer.
  const frozen = stage === 'route' ? await pidsIn(path.join(house.home, 'nginx')) : [];
  if (stage === 'route') await begins('seed');
  for (const one of frozen) process.kill(one, 'SIGSTOP');
  const met = await begins(stage);
  const [pid] = await house.workersAt(id);
  const killed = workers.find((one) => one.pid === pid);
  expect(killed).toBeDefined();
  await killed?.kill();
  for (const one of frozen) process.kill(one, 'SIGCONT');
  workers = [...workers.filter((one) => one !== killed), await house.start('worker')];
  await until(`${id} serves`, async () => (await house.visit(id)).body.includes(`killed in ${stage}.`));
  await until('it is said', async () => (await house.store.record(id))?.state === 'live');
  const record = await house.store.record(id);
  expect(record?.serving?.commit).toBe(commit);
  await until(`one container of ${id} is left`, async () => (await containers(id)).length === 1);
  // Beside the mark that it was seeded.
  const volumes = await docker('volume', 'ls', '--format', '{{.Name}}', '--filter', `label=treehouse.preview=${id}`);
  expect(volumes.filter((one) => !one.includes('.seeded-'))).toHaveLength(1);
  if (process.env.TEST_FIGURES) console.log(stage, (record?.serving?.since ?? 0) - met.at, 'ms');
});

it('and when their branches are gone, so is all of it', async () => {
  const ids = STAGES.map((stage) => idOf(`killed-in-${stage}`));
  await repo.branch('main');
  for (const stage of STAGES) await repo.deleteBranch(`killed-in-${stage}`);
  await api('POST', '/sweep');
  for (const id of ids) {
    await until(`${id} is gone`, async () => (await house.store.record(id))?.state === 'removed');
    for (const what of ['container', 'network', 'volume']) {
      const all = what === 'container' ? ['-a'] : [];
      const left = await docker(what, 'ls', ...all, '-q', '--filter', `label=treehouse.preview=${id}`);
      expect(left, `${what} of ${id}`).toEqual([]);
    }
  }
});

it('each of them ends when it is told to, although Redis is away', async () => {
  await house.killRedis();
  await until('that is seen', async () =>
    workers.every((one) => one.lines.some((line) => line.includes('redis is away'))),
  );
  expect(await Promise.all([serve, ...workers].map((one) => one.end()))).toEqual([0, 0, 0]);
});

async function containers(id: PreviewId): Promise<readonly string[]> {
  return docker('ps', '-aq', '--filter', `label=treehouse.preview=${id}`);
}

async function api(method: string, where: string): Promise<unknown> {
  const answer = await fetch(`${house.url}/api/v1${where}`, {
    method,
    headers: { authorization: `Bearer ${house.token}` },
  });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return answer.json();
}
