/** Makes sure that one Treehouse at a time uses a folder, and that no child of a killed one still does. */
import { mkdir, readdir, readFile, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TreehouseError } from '../errors.ts';

export interface Claim {
  release(): Promise<void>;
}

const FILE = 'owner';
const GRACE_MS = 5_000;

/**
 * Makes the folder and takes it for this process; a claim of a process that is gone never stands in the way, and what that
 * one left running in the folder (any of `programs`, by the names of their files) is stopped.
 * @throws {TreehouseError} `bad-config` where a Treehouse that lives has it.
 */
export async function claimFolder(folder: string, programs: readonly string[]): Promise<Claim> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, FILE);
  const mine = `${process.pid} ${await startOf(process.pid)}\n`;
  for (;;) {
    if (await writeNew(file, mine)) break;
    const theirs = await readFile(file, 'utf8').catch(() => '');
    if (await lives(theirs)) {
      const pid = theirs.split(' ', 1)[0];
      const text = `another Treehouse (process ${pid}) is using ${folder}: stop it first, or give this one another TREEHOUSE_HOME`;
      throw new TreehouseError('bad-config', text);
    }
    // By renaming, since of two that find the same dead claim only one can.
    const dead = `${file}.${process.pid}`;
    await rename(file, dead).catch(() => undefined);
    const moved = await readFile(dead, 'utf8').catch(() => theirs);
    // Another one was quicker, and this is its new claim: it gets it back.
    if (moved !== theirs) await rename(dead, file);
    else await rm(dead, { force: true });
  }
  await stopLeftOver(await realpath(folder), programs);
  return {
    async release() {
      if ((await readFile(file, 'utf8').catch(() => '')) === mine) await rm(file, { force: true });
    },
  };
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
  const port = await tryPort(0);
  if (port !== undefined) return port;
  throw new TreehouseError('process-failed', 'no port of 127.0.0.1 is free', { kind: 'transient' });
}

/** The port if it can be listened on; for 0 any that can. */
export function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}

async function writeNew(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether the process that wrote a claim lives; a later one that only has its number does not count. */
async function lives(claim: string): Promise<boolean> {
  const [pid = '', start = ''] = claim.trim().split(' ');
  if (!/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM: it lives, as another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return (await startOf(Number(pid))) === start;
}

/** When a process began: the machine's start and ticks since then, proc(5); `-` without a /proc. */
async function startOf(pid: number): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '-');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in brackets may hold spaces; after it come the state and, as the 20th, the time of the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Ended, and only kept because nobody asked how: in a container without an init that can be for ever.
  if (fields[0] === 'Z') return 'ended';
  const ticks = fields[19] ?? '-';
  return `${boot.trim()}/${ticks}`;
}

/** Ends each of `programs` whose working folder this is: only a Treehouse starts one there, and none that lives did. */
async function stopLeftOver(folder: string, programs: readonly string[]): Promise<void> {
  const found = await running(folder, programs);
  for (const pid of found) kill(pid, 'SIGTERM');
  const deadline = performance.now() + GRACE_MS;
  while ((await running(folder, programs)).length > 0) {
    if (performance.now() > deadline) for (const pid of await running(folder, programs)) kill(pid, 'SIGKILL');
    await delay(20);
  }
}

async function running(folder: string, programs: readonly string[]): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const matches = await Promise.all(
    pids.map(async (pid) => {
      const at = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (at !== folder) return false;
      const exe = await readlink(`/proc/${pid}/exe`).catch(() => '');
      // A program that was upgraded meanwhile is called "… (deleted)".
      return programs.includes(basename(exe.replace(/ \(deleted\)$/, '')));
    }),
  );
  return pids.filter((_, index) => matches[index]).map(Number);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
