/** A host to install on: this machine, whose folders are only read, with stand-ins for systemctl, apt-get and `npm ci`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './treehouse.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
const tools = path.join(project, 'test/support/install');

export interface BareHost {
  /** A folder of the test's own, which the host sees too. */
  readonly folder: string;
  /** Runs lines of a shell as root there, each of which must do well; gives what they printed. */
  sh(lines: string, input?: string): Promise<string>;
  /** What the unit printed so far. */
  journal(): Promise<string>;
  /** Of what the unit started; undefined where nothing runs. */
  pid(): Promise<number | undefined>;
  close(): Promise<void>;
}

export async function bareHost(): Promise<BareHost> {
  // In the checkout, which the unit sees whatever it has to itself.
  await mkdir(path.join(project, 'test-output'), { recursive: true });
  const folder = await mkdtemp(path.join(project, 'test-output', 'host-'));
  const args = ['--mount', '--propagation', 'private', path.join(tools, 'host'), folder, 'sleep', 'infinity'];
  const holder: ChildProcess = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const state = path.join(folder, 'state');
  const journal = () => readFile(path.join(state, 'journal'), 'utf8').catch(() => '');
  await until('the host is there', async () => (await readFile(`/proc/${holder.pid}/comm`, 'utf8')).trim() === 'sleep');

  async function pid(): Promise<number | undefined> {
    const found = Number(await readFile(path.join(state, 'pid'), 'utf8').catch(() => Number.NaN));
    return Number.isNaN(found) || !isAlive(found) ? undefined : found;
  }

  return {
    folder,
    journal,
    pid,
    async sh(lines, input = '') {
      const env = {
        PATH: `${path.join(tools, 'bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
        ...{ HOME: '/root', LANG: 'C.UTF-8', STATE: state, PROJECT: project },
      };
      const shell = ['bash', '--norc', '-euo', 'pipefail', '-c', lines];
      const running = run('nsenter', ['--target', String(holder.pid), '--mount', '--wd=/', ...shell], {
        env,
        maxBuffer: 16 * 1024 * 1024,
      });
      // Lines that read nothing may have ended before.
      running.child.stdin?.on('error', () => undefined).end(input);
      try {
        return (await running).stdout;
      } catch (error) {
        throw new Error(`${String(error)}\nthe journal ends with:\n${(await journal()).slice(-2_000)}`);
      }
    },
    async close() {
      const left = await pid();
      if (left !== undefined) {
        // It takes its previews down.
        process.kill(left, 'SIGINT');
        await until('it ended', async () => !isAlive(left)).catch(() => process.kill(-left, 'SIGKILL'));
      }
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
