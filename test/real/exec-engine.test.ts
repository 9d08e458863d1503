/** Commands in containers of a real engine: what they print, what they are given, and that nothing of them is left. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endStrays } from '../../src/adapters/container-processes.ts';
import { engineShells } from '../../src/adapters/engine-exec.ts';
import type { ExecRequest, RunningExec } from '../../src/domain/exec.ts';
import { docker, until } from '../support/treehouse.ts';

const instance = `exec${process.pid}`;
const name = `treehouse-exec-${process.pid}`;
const shells = engineShells(new Docker(), instance);
let container: string;
beforeAll(async () => {
  const args = ['--name', name, '--init', '--user', '1000', '--cap-drop', 'ALL', '--entrypoint', 'sleep'];
  [container = ''] = await docker('run', '-d', ...args, 'busybox', '1000');
});
afterAll(() => docker('rm', '-f', name));

const begin = (command: readonly string[], terminal?: ExecRequest['terminal']) =>
  shells.exec(container, { command, terminal });

async function printed({ output }: RunningExec): Promise<{ out: string; err: string }> {
  const all: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  for await (const { channel, data } of output) all[channel].push(Buffer.from(data));
  return { out: Buffer.concat(all.stdout).toString(), err: Buffer.concat(all.stderr).toString() };
}

/** What runs there beside what always does. */
async function others(): Promise<readonly string[]> {
  const lines = await docker('top', name, '-o', 'pid,args');
  return lines.slice(1).filter((one) => !/sleep 1000$|docker-init|tini/.test(one));
}

it('has output and errors apart, an exit code, and runs as the container’s user', async () => {
  const exec = await begin(['sh', '-c', 'echo out; echo err >&2; id -u; exit 9']);
  expect(await printed(exec)).toEqual({ out: 'out\n1000\n', err: 'err\n' });
  expect(await exec.exitCode()).toBe(9);
  expect(await exec.end()).toBe(true);
});

it('reads what it is given until that ends', async () => {
  const exec = await begin(['cat']);
  exec.input.end('given');
  expect(await printed(exec)).toEqual({ out: 'given', err: '' });
});

it('has a terminal of a size that changes', async () => {
  const exec = await begin(['sh', '-c', 'tty; stty size; read x; stty size'], { columns: 90, rows: 30 });
  setTimeout(async () => {
    await exec.resize({ columns: 100, rows: 40 });
    exec.input.write('\n');
  }, 500);
  const { out } = await printed(exec);
  expect(out).toContain('/dev/pts/');
  expect(out).toMatch(/30 90[\s\S]*40 100/);
});

it('has its size before the command begins', async () => {
  const terminal = { columns: 90, rows: 30 };
  const all = Array.from({ length: 40 }, async () => printed(await begin(['stty', 'size'], terminal)));
  expect(await Promise.all(all)).toEqual(all.map(() => ({ out: '30 90\r\n', err: '' })));
});

it('says which program is not there', async () => {
  const exec = await begin(['nothing-like-it']);
  const { out, err } = await printed(exec);
  expect(`${out}${err}`).toContain('nothing-like-it');
  // Engines differ in which.
  expect([126, 127]).toContain(await exec.exitCode());
});

describe('ended, nothing of it is left:', () => {
  it.each([
    ['a program', ['sleep', '500']],
    ['one that is deaf', ['sh', '-c', "trap '' HUP TERM INT; while true; do sleep 1; done"]],
    ['its children', ['sh', '-c', 'sleep 501 & sleep 502 & wait']],
    ['what it let go of', ['sh', '-c', 'setsid sh -c "sleep 503 & sleep 504" & sleep 1; sleep 505']],
    ['what hides its environment', ['sh', '-c', 'env -i sleep 506 & sleep 507']],
    ['a fast printer', ['yes']],
  ])('%s', async (_what, command) => {
    for (const terminal of [undefined, { columns: 80, rows: 24 }]) {
      const exec = await begin(command, terminal);
      await until('it runs', async () => (await others()).length > 0);
      await delay(1_200);
      expect(await exec.end()).toBe(true);
      expect(await others()).toEqual([]);
    }
  });

  it('and nothing else is: a neighbour goes on', async () => {
    const [one, other] = [await begin(['sleep', '600']), await begin(['sleep', '601'])];
    await until('both run', async () => (await others()).length === 2);
    await one.end();
    expect((await others()).map((line) => line.trim().replace(/^\d+\s+/, ''))).toEqual(['sleep 601']);
    await other.end();
  });
});

it('what a Treehouse left behind as it was killed is ended at the next start, and nobody else’s', async () => {
  const others_ = engineShells(new Docker(), `${instance}x`);
  const exec = await begin(['sh', '-c', 'setsid sleep 700']);
  const foreign = await others_.exec(container, { command: ['sleep', '701'], terminal: undefined });
  await until('both run', async () => (await others()).some((line) => line.endsWith('sleep 700')));
  await endStrays(instance);
  await until('one is left', async () => (await others()).every((line) => line.endsWith('sleep 701')));
  expect(await others()).toHaveLength(1);
  await foreign.end();
  await exec.end();
});

it('without rights on the host it is ended from inside', async () => {
  const kill = process.kill;
  process.kill = (() => {
    throw Object.assign(new Error('not permitted'), { code: 'EPERM' });
  }) as typeof process.kill;
  try {
    const exec = await begin(['sh', '-c', 'sleep 800 & sleep 801']);
    await until('it runs', async () => (await others()).length >= 2);
    expect(await exec.end()).toBe(true);
    expect(await others()).toEqual([]);
  } finally {
    process.kill = kill;
  }
});

it('no faster than it is read: a printer of much does not fill memory', async () => {
  const exec = await begin(['yes']);
  const reader = exec.output[Symbol.asyncIterator]();
  await reader.next();
  const rss = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile('/proc/self/status', 'utf8'))?.[1]);
  const before = await rss();
  await delay(3_000);
  expect((await rss()) - before).toBeLessThan(50_000);
  await exec.end();
});
