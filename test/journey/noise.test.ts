/** A fork bomb, a memory hog, a flood of logs and a disk hog in one preview: the neighbour goes on answering. */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepo, type TestRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/noise${process.pid}`;
const PAGE = `require('http').createServer((q, r) => r.end('quiet')).listen(3000);
process.on('SIGTERM', () => process.exit(0));
`;
const quiet = {
  'compose.yaml': 'services:\n  web:\n    build: .\n    expose: ["3000"]\n',
  Dockerfile: 'FROM node:20-slim\nCOPY page.js /page.js\nCMD ["node", "/page.js"]\n',
  'page.js': PAGE,
};
/** Each goes on until its preview is taken down; what bounds it is Treehouse. */
const noisy = {
  'compose.yaml': `services:
  web:
    build: .
    expose: ["3000"]
  forks:
    image: busybox
    # Again and again: at its limit of processes a bomb that cannot fork dies out.
    command: ["sh", "-c", "bomb() { bomb | bomb & }; while :; do bomb; sleep 1; done"]
    restart: unless-stopped
  memory:
    image: busybox
    command: ["sh", "-c", "while :; do tail /dev/zero; done"]
    restart: unless-stopped
  logs:
    image: busybox
    command: ["sh", "-c", "yes 'a line of a flood that does not end by itself' | head -c 1073741824; sleep 600"]
  disk:
    image: busybox
    command: ["sh", "-c", "dd if=/dev/zero of=/data/hog bs=1M count=10240; ls -l /data/hog; sleep 600"]
    volumes: ["data:/data"]
volumes:
  data: {}
`,
};

let folder: string;
let repo: TestRepo;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  repo = await makeRepo(folder, quiet);
  const listed = { repositories: { [repository]: { url: repo.remote, limits: { fileSize: '256m' } } } };
  await writeFile(path.join(home, 'treehouse.yml'), JSON.stringify(listed));
  world = await startWorld({ repositories: {}, home });
});
afterAll(async () => {
  await world?.stop();
  if (world) await rm(world.home, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

interface Answers {
  readonly statuses: ReadonlySet<number>;
  readonly milliseconds: readonly number[];
}

/** One request after another, until `over`. */
async function ask(over: () => boolean): Promise<Answers> {
  const statuses = new Set<number>();
  const milliseconds: number[] = [];
  for (let count = 0; count < 20_000 && !over(); count++) {
    const began = performance.now();
    statuses.add((await world.visit(world.idOf(repository, 'main'))).status);
    milliseconds.push(performance.now() - began);
    await delay(5);
  }
  return { statuses, milliseconds: milliseconds.sort((a, b) => a - b) };
}

function during(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() > end;
}

/** How many times its quiet p99 a neighbour may have, and how often it is tried. */
const WANTED = 3;
const ROUNDS = 4;

const p99 = (all: readonly number[]) => all[Math.floor(all.length * 0.99)] ?? Number.NaN;

async function containerOf(service: string): Promise<string> {
  const filters = [`label=treehouse.preview=${world.idOf(repository, 'noise')}`, `label=treehouse.service=${service}`];
  const [id = ''] = await docker('ps', '-aq', '--no-trunc', ...filters.flatMap((one) => ['--filter', one]));
  return id;
}

async function logOf(branch: string): Promise<string> {
  const id = world.idOf(repository, branch);
  const build = (await world.record(id))?.attempt?.build;
  return build === undefined ? '' : (await world.treehouse.store.tail(id, build, 200)).join('\n');
}

it('keeps a neighbour answering beside a preview that takes all it can get, and bounds what it gets', async () => {
  await world.pushed(repository, 'main');
  await serves(world, world.idOf(repository, 'main'), 'quiet');
  await ask(during(1_000));
  const before = await ask(during(6_000));

  await repo.branch('noise', 'main');
  await repo.commit(noisy);
  await repo.push();
  await world.pushed(repository, 'noise');
  await serves(world, world.idOf(repository, 'noise'), 'quiet');
  await delay(1_000);
  expect([...before.statuses]).toEqual([200]);
  // What else runs on this machine makes a round worse, never better.
  const ratios: number[] = [];
  while (ratios.length < ROUNDS && !ratios.some((one) => one <= WANTED)) {
    const beside = await ask(during(12_000));
    const ratio = p99(beside.milliseconds) / p99(before.milliseconds);
    const figures = (one: Answers) => `${p99(one.milliseconds).toFixed(1)} ms of ${one.milliseconds.length}`;
    console.log(
      `p99 of the neighbour: quiet ${figures(before)}, beside noise ${figures(beside)}: ${ratio.toFixed(2)}x`,
    );
    expect([...beside.statuses]).toEqual([200]);
    expect(beside.milliseconds.length).toBeGreaterThan(100);
    ratios.push(ratio);
  }
  expect(Math.min(...ratios)).toBeLessThanOrEqual(WANTED);

  // Whose preview it is can read why it is slow.
  expect(await logOf('noise')).toMatch(/services\.forks uses .* cores of a busy host/);
  expect(await logOf('noise')).toMatch(/services\.logs writes its log faster than 1 MiB a second/);
  expect(await logOf('main')).not.toMatch(/busy host|is slowed/);

  // The noise was there, and met its bounds.
  const forks = await containerOf('forks');
  // Between two of its bombs there are few.
  await until('its forks are many', async () => {
    const [pids = ''] = await docker('stats', '--no-stream', '--format', '{{.PIDs}}', forks);
    expect(Number(pids)).toBeLessThanOrEqual(256);
    return Number(pids) > 5;
  });
  const memory = await containerOf('memory');
  const [limit = ''] = await docker('inspect', '--format', '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}', memory);
  expect(limit).toBe(`${2 ** 30} ${2 ** 30}`);
  const logs = await containerOf('logs');
  const [log = ''] = await docker('inspect', '--format', '{{.LogPath}}', logs);
  const kept = (await readdir(path.dirname(log))).filter((name) => name.startsWith(path.basename(log)));
  const sizes = await Promise.all(kept.map(async (name) => (await stat(path.join(path.dirname(log), name))).size));
  const size = sizes.reduce((sum, one) => sum + one, 0);
  expect(size).toBeGreaterThan(2 ** 20);
  expect(size).toBeLessThan(40 * 2 ** 20);
  await expect
    .poll(async () => (await docker('logs', await containerOf('disk'))).join('\n'), { timeout: 60_000, interval: 500 })
    .toMatch(/\s268435456\s.*hog|File (?:size limit exceeded|too large)/);

  await repo.deleteBranch('noise');
  await world.pushed(repository, 'noise', { deleted: true });
  await expect
    .poll(() => world.leftovers(world.idOf(repository, 'noise')), { timeout: 120_000, interval: 500 })
    .toEqual([]);
  expect((await ask(during(500))).statuses).toEqual(new Set([200]));
});
