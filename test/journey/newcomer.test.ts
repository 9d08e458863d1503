/** What a newcomer does: the one command, the commands that it prints, Ctrl-C. Run as they would be, through the setup script. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, constants, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { docker, freePorts, until, visit } from '../support/treehouse.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
let home: string;
let env: Record<string, string>;
let gatewayPort: number;
let child: ChildProcess;
let output = '';
let exited: Promise<{ code: number | null; signal: string | null }>;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'treehouse-test-'));
  const [port = 0, gateway = 0] = await freePorts(2);
  gatewayPort = gateway;
  env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    TREEHOUSE_HOME: home,
    TREEHOUSE_PORT: String(port),
    TREEHOUSE_GATEWAY_PORT: String(gateway),
  };
  child = spawn('npm', ['start'], { cwd: project, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
});
afterAll(async () => {
  if (child.exitCode === null && child.signalCode === null && child.pid) {
    // It takes its previews down; killed, it would leave them to whoever comes next.
    process.kill(-child.pid, 'SIGINT');
    await Promise.race([exited, delay(60_000, undefined, { ref: false })]);
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
  }
  await rm(home, { recursive: true, force: true });
});

/** Whatever this Treehouse made and the engine still has. */
async function leftovers(): Promise<string[]> {
  const label = `label=treehouse.instance=${(await readFile(path.join(home, 'instance'), 'utf8')).trim()}`;
  const kinds = [
    ['ps', '-aq'],
    ['images', '-q'],
    ['network', 'ls', '-q'],
    ['volume', 'ls', '-q'],
  ];
  return (await Promise.all(kinds.map((one) => docker(...one, '--filter', label)))).flat();
}

/** The rest of the line behind a text that was printed. */
function printed(pattern: RegExp): string {
  const found = pattern.exec(output)?.[1];
  if (found === undefined) throw new Error(`nothing like ${pattern} in:\n${output}`);
  return found;
}

async function page(url: string): Promise<{ status: number; body: string }> {
  const { host, pathname } = new URL(url);
  return visit(gatewayPort, { path: pathname, headers: { host } });
}

async function treehouse(...args: string[]): Promise<string> {
  return (await run('npx', ['treehouse', ...args], { cwd: project, env })).stdout;
}

it('sees the sample live, changes it on a branch, removes the branch, stops it all', async () => {
  await until('the sample is live', async () => /main--sample is live after .*: http/.test(output));
  const url = printed(/main--sample is live after .*: (http\S+)/);
  expect((await page(url)).body).toContain('<html');
  expect(printed(/webhook secret {2}([0-9a-f]+)/)).toHaveLength(64);

  const work = path.resolve(project, printed(/cd (\S+)/));
  const git = (...args: string[]) =>
    run('git', args, { cwd: work, env: { PATH: env.PATH ?? '', HOME: '/nonexistent' } });
  await git('switch', '-c', 'my-branch');
  await run('sh', ['-c', printed(/(echo .*)/)], { cwd: work });
  await git('commit', '-am', 'Say hello');
  await git('push', '-u', 'origin', 'my-branch');
  const branchUrl = printed(/and open (http\S+)/);
  await until('the branch is live', async () => (await page(branchUrl)).body.includes('Hello from my branch'));

  expect((await leftovers()).length).toBeGreaterThan(4);
  // npx makes it so only the first time that it sees this path: a second clone to the same place would not start.
  await access(path.join(project, 'dist/cli.js'), constants.X_OK);
  expect(await treehouse('--version')).toMatch(/^\d+\.\d+\.\d+(\+[0-9a-f]{12})?\n$/);
  expect(await treehouse('status')).toMatch(/my-branch--sample\s+live\s+[0-9a-f]{12}/);
  const { previews } = JSON.parse(await treehouse('status', '--json')) as {
    previews: { id: string; state: string; url: string }[];
  };
  expect(previews.map((one) => one.id)).toEqual(['main--sample', 'my-branch--sample']);
  expect(previews[1]).toMatchObject({ state: 'live', url: branchUrl });
  expect(await treehouse('logs', 'my-branch--sample')).toContain('live: http');
  await expect(treehouse('logs', 'nobody--sample')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no preview'),
  });

  expect(await treehouse('sleep', 'main--sample')).toContain('its next visitor wakes it');
  await until('the sample sleeps', async () => /main--sample\s+asleep/.test(await treehouse('status')));
  await until('a visitor wakes it', async () => (await page(url)).status === 200);
  expect(await treehouse('wake', 'main--sample')).toContain('is being woken');

  // Break something on purpose, and read what it says.
  await run('sh', ['-c', 'echo "RUN false" >> web/Dockerfile'], { cwd: work });
  await git('commit', '-am', 'Break it');
  await git('push');
  await until('the failure is shown', async () => /my-branch--sample build failed after/.test(output));
  expect((await page(branchUrl)).body).toContain('Hello from my branch');
  expect(await treehouse('status')).toMatch(/my-branch--sample\s+outdated/);

  await git('push', 'origin', '--delete', 'my-branch');
  await until('the branch is gone', async () => /my-branch--sample is gone/.test(output));
  expect((await page(branchUrl)).status).toBe(404);

  if (child.pid) process.kill(-child.pid, 'SIGINT');
  // npm itself ends by the signal that it heard, once its child has ended.
  expect([
    { code: 0, signal: null },
    { code: null, signal: 'SIGINT' },
  ]).toContainEqual(await exited);
  expect(output).toContain('Stopping');
  expect(output).toContain('nothing that Treehouse started is running any more');
  expect(await leftovers()).toEqual([]);
});
