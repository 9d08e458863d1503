/** `treehouse exec` against a real Treehouse: exit codes, bytes there and back, and that nothing is left of who goes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/web/client.ts';
import { makeRepo } from '../support/repo.ts';
import { docker, serves, startWorld, until, type World } from '../support/treehouse.ts';

// Of this run alone: another run on the same engine has previews of its own names.
const repository = `acme/exec${process.pid}`;
const ADMIN = 'the admin token of this test';
const project = fileURLToPath(new URL('../..', import.meta.url));
const started: ChildProcess[] = [];
/** Inside the project, where its packages are found. */
let dist: string;
let folder: string;
let world: World;
beforeAll(async () => {
  // The command as people run it.
  dist = await mkdtemp(path.join(project, 'node_modules/.treehouse-exec-'));
  await promisify(execFile)('npx', ['tsc', '-p', 'tsconfig.build.json', '--outDir', dist], { cwd: project });
  folder = await mkdtemp(path.join(tmpdir(), 'treehouse-repo-'));
  const repo = await makeRepo(folder, {
    'compose.yml': `services:
  web:
    image: busybox
    user: "1000"
    command: ["sh", "-c", "mkdir -p /tmp/www && echo hello > /tmp/www/index.html && exec httpd -f -p 8000 -h /tmp/www"]
    expose: ["8000"]
  done:
    image: busybox
    command: ["true"]
`,
  });
  world = await startWorld({ repositories: { [repository]: repo.remote }, env: { TREEHOUSE_ADMIN_TOKEN: ADMIN } });
  await world.pushed(repository, 'main');
  await serves(world, id(), 'hello');
});
afterAll(async () => {
  for (const child of started) if (child.exitCode === null) child.kill('SIGKILL');
  await world?.stop();
  for (const one of [folder, dist]) if (one !== undefined) await rm(one, { recursive: true, force: true });
});

const id = () => world.idOf(repository, 'main');

function exec(words: readonly string[], { token = ADMIN, service = 'web' } = {}): ChildProcess {
  const child = spawn(process.execPath, [path.join(dist, 'cli.js'), 'exec', id(), service, '--', ...words], {
    env: { PATH: process.env.PATH, TREEHOUSE_URL: world.url, TREEHOUSE_TOKEN: token },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  started.push(child);
  return child;
}

async function run(words: readonly string[], how: { token?: string; service?: string; typed?: Uint8Array } = {}) {
  const child = exec(words, how);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(how.typed ?? '');
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([buffer(child.stdout ?? fail()), text(child.stderr ?? fail())]);
  return { code: await code, out, err };
}

function fail(): never {
  throw new Error('it has no output');
}

/** Commands that run in the service beside its own. */
async function others(): Promise<readonly string[]> {
  const [container = ''] = await docker(
    'ps',
    '-q',
    '--filter',
    `label=treehouse.preview=${id()}`,
    '--filter',
    'label=treehouse.service=web',
  );
  return (await docker('top', container, '-o', 'pid,args'))
    .slice(1)
    .filter((one) => !/httpd -f|docker-init|tini/.test(one));
}

it('has the command’s exit code, its output and its errors', async () => {
  const { code, out, err } = await run(['sh', '-c', 'echo out; echo err >&2; id -u; exit 42']);
  expect([code, String(out), err]).toEqual([42, 'out\n1000\n', 'err\n']);
  expect((await run(['true'])).code).toBe(0);
  expect([126, 127]).toContain((await run(['nothing-like-it'])).code);
});

it('carries bytes there and back as they are', async () => {
  const typed = randomBytes(5 * 1024 * 1024);
  const { code, out } = await run(['cat'], { typed });
  expect(code).toBe(0);
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  expect([out.length, hash(out)]).toEqual([typed.length, hash(typed)]);
});

it('does not fill memory with what nobody reads, and ends it with who goes', async () => {
  const child = exec(['yes']);
  await new Promise((resolve) => child.stdout?.once('readable', resolve));
  const memory = async (pid: number | string) =>
    Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  const before = [await memory('self'), await memory(child.pid ?? 0)];
  await delay(5_000);
  const after = [await memory('self'), await memory(child.pid ?? 0)];
  for (const [index, one] of after.entries()) expect(one - (before[index] ?? 0)).toBeLessThan(100);
  expect(await others()).toHaveLength(1);
  child.kill('SIGKILL');
  await until('nothing of it is left', async () => (await others()).length === 0);
});

it.each([
  ['that reads nothing of what it is given', ['sleep', '1000'], 8 * 1024 * 1024],
  ['with children, deaf to a hangup', ['sh', '-c', "trap '' HUP; sleep 1001 & sleep 1002; sleep 1003"], 0],
])('ends a command %s', async (_what, words, typed) => {
  const child = exec(words);
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(Buffer.alloc(typed, 'x'));
  await until('it runs', async () => (await others()).length > 0);
  await delay(1_000);
  child.kill('SIGKILL');
  await until('nothing of it is left', async () => (await others()).length === 0);
});

it('has a terminal where there is one', async () => {
  // script(1) gives it one.
  const words = [process.execPath, path.join(dist, 'cli.js'), 'exec', id(), 'web'];
  const child = spawn('script', ['-qec', `stty cols 97 rows 31; ${words.join(' ')}`, '/dev/null'], {
    env: { PATH: process.env.PATH, TREEHOUSE_URL: world.url, TREEHOUSE_TOKEN: ADMIN, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  started.push(child);
  const code = new Promise((resolve) => child.once('close', resolve));
  const out = text(child.stdout);
  await until('the shell is there', async () => (await others()).length > 0);
  child.stdin.write('tty; stty size; exit 5\n');
  expect(await code).toBe(5);
  expect(await out).toMatch(/\/dev\/pts\/\d+\r+\n31 97\r+\n/);
});

it('is for who may, in what runs, and is written down', async () => {
  const client = createClient({ url: world.url, token: ADMIN });
  const made = await client.createToken({ name: 'a reader', role: 'reader', repositories: [] });
  const refused = await run(['true'], { token: made.token });
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('This takes a token that may operate')]);
  expect((await run(['true'], { service: 'test' })).err).toContain('It has no service test; it has done, web.');
  expect((await run(['true'], { service: 'done' })).err).toContain('done does not run: it ended with 0.');
  await run(['echo', 'written down']);
  const answer = await fetch(`${world.url}/api/v1/trail`, { headers: { authorization: `Bearer ${ADMIN}` } });
  const { entries } = (await answer.json()) as { entries: readonly object[] };
  expect(entries[0]).toMatchObject({
    who: 'admin',
    act: 'exec',
    to: id(),
    service: 'web',
    command: ['echo', 'written down'],
  });
});

it('ends with its container, and is refused while that sleeps', async () => {
  const client = createClient({ url: world.url, token: ADMIN });
  const running = run(['sh', '-c', 'sleep 1004']);
  await until('it runs', async () => (await others()).length > 0);
  await client.act('sleep', id());
  expect((await running).code).not.toBe(0);
  await until('it sleeps', async () => (await world.record(id()))?.state === 'asleep');
  const { code, err } = await run(['true']);
  expect([code, err]).toEqual([1, expect.stringContaining(`It is asleep: treehouse wake ${id()}`)]);
  await client.act('wake', id());
  await serves(world, id(), 'hello');
  expect((await run(['true'])).code).toBe(0);
});
