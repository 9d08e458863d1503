/** Seeds: run once, on new data, before anybody sees it; and none of it is seen where they did not end. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pidsIn } from '../support/footprint.ts';
import { type Files, makeRepo, type TestRepo } from '../support/repo.ts';
import { SECRET } from '../support/signed.ts';
import { docker, freePorts, serves, startWorld, until, visit, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const rows = `acme/rows${process.pid}`;
const tables = `acme/tables${process.pid}`;

/** Serves a folder that is a volume; each run of the seed adds a row to it. */
function folderOf(seed: string, more = ''): Files {
  return {
    'compose.yaml': `services:
  web:
    build: .
    ports: ["80"]
    volumes: ["data:/data"]
${more}
volumes: {data: {}, more: {}}
x-treehouse: {seed: {service: web, command: ["sh", "-c", ${JSON.stringify(seed)}]}}
`,
    Dockerfile: 'FROM busybox\nCOPY text /text\nCMD ["httpd", "-f", "-h", "/data", "-p", "80"]\n',
    text: 'one',
  };
}
const ADD = 'echo row >> /data/rows; cp /text /data/text; echo "$$0 says $$(cat /text)"';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
let repos: { readonly rows: TestRepo; readonly tables: TestRepo };
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  repos = {
    rows: await makeRepo(path.join(folder, 'rows'), folderOf(ADD)),
    tables: await makeRepo(path.join(folder, 'tables'), {
      'compose.yaml': `services:
  web:
    build: .
    ports: ["80"]
    depends_on: {db: {condition: service_healthy}}
  db:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql/data"]
    configs: [{source: seed, target: /seed.sql}]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U postgres"], interval: 5s}
volumes: {data: {}}
configs: {seed: {file: ./seed.sql}}
x-treehouse:
  seed:
    - {service: db, command: "psql -U postgres -v ON_ERROR_STOP=1 -f /seed.sql"}
    - {service: db, command: [psql, -U, postgres, -c, "INSERT INTO houses VALUES ('second')"]}
`,
      'seed.sql': "CREATE TABLE houses (name text);\nINSERT INTO houses VALUES ('first');\n",
      Dockerfile: 'FROM busybox\nRUN mkdir /www && echo well > /www/index.html\nCMD ["httpd", "-f", "-h", "/www"]\n',
    }),
  };
  world = await startWorld({ repositories: { [rows]: repos.rows.remote, [tables]: repos.tables.remote } });
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

const volumesOf = (id: string) => docker('volume', 'ls', '-q', '--filter', `label=treehouse.preview=${id}`);

/** A volume of the preview that no build under way has made. */
async function volumeOf(id: string, branch: string, name: string, role = 'volume'): Promise<string> {
  const instance = (await readFile(path.join(world.home, 'instance'), 'utf8')).trim();
  const labels = { instance, preview: id, repository: rows, branch, role };
  const flags = Object.entries(labels).flatMap(([label, value]) => ['--label', `treehouse.${label}=${value}`]);
  await docker('volume', 'create', ...flags, name);
  return name;
}

async function pushed(branch: string, files: Files): Promise<{ id: ReturnType<World['idOf']>; commit: string }> {
  await repos.rows.branch(branch, 'main');
  const commit = await repos.rows.commit(files);
  await repos.rows.push();
  await world.pushed(rows, branch);
  return { id: world.idOf(rows, branch), commit };
}

/** What the seed has written in the one container of the preview. */
async function rowsIn(id: string): Promise<string> {
  const [one] = await docker('ps', '-q', '--filter', `label=treehouse.preview=${id}`);
  if (one === undefined) return '';
  return docker('exec', one, 'cat', '/data/rows').then(
    (lines) => lines.join(' '),
    () => '',
  );
}

describe('a seed', () => {
  it('runs once for a volume, is in the log, and its data outlives redeploys', async () => {
    const { id } = await pushed('once', folderOf(ADD));
    expect((await serves(world, id, 'row', '/rows')).body).toBe('row\n');
    const build = (await world.record(id))?.attempt?.build;
    if (!build) throw new Error('there is no build');
    expect(await world.treehouse.store.tail(id, build, 100)).toEqual(
      expect.arrayContaining(['seed web: new: data', 'sh says one']),
    );
    await until('the old ones are gone', async () => (await volumesOf(id)).length === 2);

    const next = await repos.rows.commit({ text: 'two' });
    await repos.rows.push();
    await world.pushed(rows, 'once');
    expect(await world.ended(id, next)).toMatchObject({ state: 'live' });
    expect((await world.visit(id, '/rows')).body).toBe('row\n');
    expect((await world.visit(id, '/text')).body).toBe('one');
    const again = (await world.record(id))?.attempt?.build;
    expect(await world.treehouse.store.tail(id, again ?? build, 100)).toContain('no seed web: there before: data');
  });

  it('fills a real Postgres, several in order', async () => {
    const id = world.idOf(tables, 'main');
    await world.pushed(tables, 'main');
    await serves(world, id, 'well');
    const [db] = await docker(
      'ps',
      '-q',
      '--filter',
      `label=treehouse.preview=${id}`,
      '--filter',
      'label=treehouse.service=db',
    );
    const found = await docker('exec', db ?? '', 'psql', '-U', 'postgres', '-At', '-c', 'SELECT name FROM houses');
    expect(found).toEqual(['first', 'second']);
  });

  it('that fails keeps a new preview closed, with its reason, and the next try begins with new data', async () => {
    const { id, commit } = await pushed('red', folderOf(`${ADD}; exit 3`));
    expect(await world.ended(id, commit)).toMatchObject({ state: 'failed', attempt: { stage: 'seed' } });
    const page = await world.visit(id, '/rows', { accept: 'text/html' });
    expect(page.status).toBe(503);
    expect(page.body).toContain('it exited with code 3');
    expect(page.body).toContain('sh says one');
    expect(await volumesOf(id)).toEqual([]);

    await repos.rows.commit(folderOf(ADD));
    await repos.rows.push();
    await world.pushed(rows, 'red');
    expect((await serves(world, id, 'row', '/rows')).body).toBe('row\n');
  });

  it('of a new service that fails leaves serving what did, with its data', async () => {
    const { id } = await pushed('more', folderOf(ADD));
    await serves(world, id, 'row', '/rows');
    const before = await volumesOf(id);
    const service = '  extra: {image: busybox, command: ["sleep", "600"], volumes: ["more:/more"], init: true}';
    const files = folderOf(ADD, service);
    const compose = String(files['compose.yaml']).replace(/seed: .*$/m, 'seed: {service: extra, command: "false"}}');
    const red = await repos.rows.commit({ ...files, 'compose.yaml': compose });
    await repos.rows.push();
    await world.pushed(rows, 'more');
    expect(await world.ended(id, red)).toMatchObject({ state: 'outdated', attempt: { stage: 'seed' } });
    expect((await world.visit(id, '/rows')).body).toBe('row\n');
    expect((await volumesOf(id)).sort()).toEqual(before.sort());
  });

  it('is ended by a newer commit, which begins with new data', async () => {
    const { id } = await pushed('slow', folderOf(`${ADD}; sleep 600`));
    await until('it is seeded', async () => (await world.record(id))?.attempt?.stage === 'seed');
    await repos.rows.commit(folderOf(ADD));
    await repos.rows.push();
    await world.pushed(rows, 'slow');
    expect((await serves(world, id, 'row', '/rows')).body).toBe('row\n');
  });

  it('leaves nothing when its branch is deleted', async () => {
    const id = world.idOf(rows, 'once');
    await repos.rows.branch('once');
    await repos.rows.deleteBranch('once');
    await world.pushed(rows, 'once', { deleted: true });
    await expect.poll(() => world.leftovers(id), { timeout: 60_000, interval: 500 }).toEqual([]);
  });
});

it('what a build that died had made is not met by the next one, nor left by it', async () => {
  const bad = (text: string) => ({ Dockerfile: `FROM busybox\nRUN echo ${text} && false\n` });
  const { id, commit } = await pushed('dies', { ...folderOf(ADD), ...bad('one') });
  expect(await world.ended(id, commit)).toMatchObject({ state: 'failed' });
  // As one leaves it that could not be undone.
  const old = await volumeOf(id, 'dies', `th-${id}_data`);
  await volumeOf(id, 'dies', `th-${id}.unserved`, 'unserved');
  const next = await repos.rows.commit(bad('two'));
  await repos.rows.push();
  await world.pushed(rows, 'dies');
  expect(await world.ended(id, next)).toMatchObject({ state: 'failed' });
  expect(await volumesOf(id), old).toEqual([]);
});

it('two Treehouses on one engine that preview the same branch share no volume; one of the old name keeps its data', async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  const id = world.idOf(rows, 'shared');
  // As it was made before names said whose it is.
  const old = await volumeOf(id, 'shared', `th-${id}_data`);
  await docker('run', '--rm', '--volume', `${old}:/data`, 'busybox', 'sh', '-c', 'echo old row > /data/rows');
  const second = await startWorld({ repositories: { [rows]: repos.rows.remote }, home });
  try {
    await pushed('shared', folderOf(ADD));
    await second.pushed(rows, 'shared');
    expect((await serves(world, id, 'old row', '/rows')).body).toBe('old row\n');
    expect((await serves(second, id, 'row', '/rows')).body).toBe('row\n');
    const own = (await readFile(path.join(home, 'instance'), 'utf8')).trim();
    expect((await volumesOf(id)).filter((one) => one.endsWith('_data')).sort()).toEqual(
      [`th-${id}.${own}_data`, old].sort(),
    );
  } finally {
    await second.stop();
    await rm(home, { recursive: true, force: true });
  }
  expect((await world.visit(id, '/rows')).body).toBe('old row\n');
  expect(await volumesOf(id)).toEqual([old]);
});

interface Killed {
  readonly home: string;
  readonly name: string;
  readonly remote: string;
  /** Where its nginx goes on. */
  readonly gatewayPort: number;
}

/** A Treehouse in a process and a home of its own, which is killed once something is so. */
async function killedOnce(name: string, remote: string, is: () => Promise<boolean>): Promise<Killed> {
  const home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  const [port = 0, gatewayPort = 0] = await freePorts(2);
  await promisify(execFile)('bash', ['setup/build'], { cwd: PROJECT });
  const child = spawn(process.execPath, ['dist/cli.js', 'up'], {
    cwd: PROJECT,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      INIT_CWD: home,
      TREEHOUSE_HOME: home,
      TREEHOUSE_REPOS: `${name}=${remote}`,
      TREEHOUSE_PORT: String(port),
      TREEHOUSE_GATEWAY_PORT: String(gatewayPort),
      TREEHOUSE_WEBHOOK_SECRET: SECRET,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  try {
    await until('it can be killed', is).catch((error: unknown) => {
      throw new Error(`${String(error)}:\n${output}`);
    });
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
  return { home, name, remote, gatewayPort };
}

/** The next Treehouse in its home, whose Redis is wiped, once it was told of the branch. */
async function inTheNext({ home, name, remote }: Killed, look: (second: World) => Promise<void>): Promise<void> {
  // It outlived its Treehouse, and would outlive its folder.
  for (const pid of await pidsIn(path.join(home, 'redis'))) process.kill(pid, 'SIGKILL');
  await rm(path.join(home, 'redis'), { recursive: true, force: true });
  const second = await startWorld({ repositories: { [name]: remote }, home });
  try {
    await second.pushed(name, 'main');
    await look(second);
  } finally {
    await second.stop();
    await rm(home, { recursive: true, force: true });
  }
}

it('a Treehouse that is killed in a seed, and whose Redis is wiped, serves nothing of it: the data is made anew', async () => {
  const name = `acme/killed${process.pid}`;
  const repo = await makeRepo(path.join(folder, 'killed'), folderOf(`${ADD}; sleep 600`));
  const id = `main--killed${process.pid}`;
  const killed = await killedOnce(name, repo.remote, async () => (await rowsIn(id)) === 'row');
  expect(
    (await visit(killed.gatewayPort, { path: '/rows', headers: { host: `${id}.preview.localhost` } })).body,
  ).not.toContain('row');

  await inTheNext(killed, async (second) => {
    // Of the commit that it died in everything runs: it is built anew all the same, not mended and opened.
    const key = second.idOf(name, 'main');
    await until('it is seeded again', async () => (await second.record(key))?.attempt?.stage === 'seed');
    await until('it has a row', async () => (await rowsIn(id)) === 'row');
    expect((await second.visit(id, '/rows')).status).toBe(503);
    await repo.commit(folderOf(ADD));
    await repo.push();
    await second.pushed(name, 'main');
    expect((await serves(second, id, 'row', '/rows')).body).toBe('row\n');
  });
});

it('a Treehouse that is killed in a first start, and whose Redis is wiped, knows that the data is nobody’s', async () => {
  const name = `acme/nobodys${process.pid}`;
  const id = `main--nobodys${process.pid}`;
  // It never gets well on new data, and ends at once on what it left.
  const compose = (more: string) => `services:
  web:
    image: busybox
    command: ["sh", "-c", "test ! -e /data/mine && touch /data/mine && exec sleep 600"]
    expose: ["8000"]
    volumes: ["data:/data"]
${more}volumes: {data: {}}
`;
  const running = () => docker('ps', '-q', '--filter', `label=treehouse.preview=${id}`);
  const runs = async () => (await running()).length === 1;
  const repo = await makeRepo(path.join(folder, 'nobodys'), { 'compose.yml': compose('') });
  const killed = await killedOnce(name, repo.remote, runs);
  expect(await volumesOf(id)).not.toEqual([]);
  // As where the power fails.
  await docker('kill', ...(await running()));

  await inTheNext(killed, async (second) => {
    const key = second.idOf(name, 'main');
    await until('it starts again', async () => (await second.record(key))?.attempt?.stage === 'start');
    await until('on new data', runs);
    const bad = await repo.commit({ 'compose.yml': compose('    privileged: true\n') });
    await repo.push();
    await second.pushed(name, 'main');
    await second.ended(key, bad);
    expect(second.events.flatMap((one) => (one.type.startsWith('build.') ? [one.type] : []))).toEqual([
      'build.started',
      'build.superseded',
      'build.started',
      'build.failed',
    ]);
    expect(await volumesOf(id)).toEqual([]);
  });
});
