/**
 * Ends what was begun in a container. The engine has no word for it: who closes the stream of a command leaves it running. So its
 * processes are looked for among this host's, by their container and a mark in their environment, and are sent a signal.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';

/** The variable that holds a mark. */
export const MARK = 'TREEHOUSE_EXEC';

interface Found {
  readonly pid: number;
  readonly parent: number;
  /** In the container's own namespace; undefined where it cannot be told. */
  readonly inside: number | undefined;
  readonly isMarked: boolean;
}

export interface Begun {
  /** Its full id. */
  readonly container: string;
  /** The first process, as the engine knows it. */
  readonly root: number;
  readonly mark: string;
}

/** For a shell to tell its children and for them to save what they have. */
const GRACE_MS = 1_000;
const PATIENCE_MS = 5_000;
const PAUSE_MS = 50;

/** @returns whether nothing of it is left; false too where the engine's processes are not this host's. */
export async function endProcesses(docker: Docker, begun: Begun): Promise<boolean> {
  const { container, mark } = begun;
  const began = performance.now();
  // Whoever loses its parent is another's child: who was once seen is remembered.
  const known = new Set([begun.root]);
  let isSeen = false;
  let isTold = false;
  for (;;) {
    const all = await processesOf(container, `${MARK}=${mark}`);
    const left = withChildren(all, known);
    if (left.length === 0) return isSeen;
    isSeen = true;
    for (const one of left) known.add(one.pid);
    const passed = performance.now() - began;
    if (passed > PATIENCE_MS) return false;
    if (!isTold) signalAll(left, 'SIGHUP');
    isTold = true;
    if (passed > GRACE_MS && !signalAll(left, 'SIGKILL')) await killFromInside(docker, container, left);
    await delay(PAUSE_MS);
  }
}

/** Ends what a Treehouse that was killed had begun. @param instance the first part of its marks */
export async function endStrays(instance: string): Promise<void> {
  signalAll(await processesOf(/[0-9a-f]{64}/, `${MARK}=${instance}.`, true), 'SIGKILL');
}

function withChildren(all: readonly Found[], known: ReadonlySet<number>): readonly Found[] {
  const wanted = new Set(all.filter((one) => one.isMarked || known.has(one.pid)).map((one) => one.pid));
  for (let before = -1; before !== wanted.size; ) {
    before = wanted.size;
    for (const one of all) if (wanted.has(one.parent)) wanted.add(one.pid);
  }
  return all.filter((one) => wanted.has(one.pid));
}

/** @returns whether the host let us. */
function signalAll(processes: readonly Found[], signal: 'SIGHUP' | 'SIGKILL'): boolean {
  let isAllowed = true;
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPERM') isAllowed = false;
    }
  }
  return isAllowed;
}

/** Without the rights on the host it takes a `kill` in the container. */
async function killFromInside(docker: Docker, container: string, processes: readonly Found[]): Promise<void> {
  const pids = processes.flatMap((one) => (one.inside === undefined ? [] : [String(one.inside)]));
  // As who began it, and as root for what became another: a root without CAP_KILL ends its own alone.
  for (const user of [{}, { User: '0' }]) {
    try {
      const exec = await docker.getContainer(container).exec({ Cmd: ['kill', '-KILL', ...pids], ...user });
      await exec.start({ Detach: true });
    } catch {
      // Gone meanwhile; or what is left is told by who called.
    }
  }
}

/** @param only those with the mark */
async function processesOf(container: string | RegExp, mark: string, only = false): Promise<readonly Found[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((one) => /^\d+$/.test(one));
  const found = await Promise.all(pids.map((pid) => lookAt(Number(pid), container, mark)));
  return found.filter((one) => one !== undefined && (!only || one.isMarked)) as readonly Found[];
}

/** Undefined where it is not of the container, or has ended. */
async function lookAt(pid: number, container: string | RegExp, mark: string): Promise<Found | undefined> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
  const cgroup = await read('cgroup');
  if (typeof container === 'string' ? !cgroup.includes(container) : !container.test(cgroup)) return undefined;
  const [status, environment] = await Promise.all([read('status'), read('environ')]);
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '';
  if (status === '' || field('State').startsWith('Z')) return undefined;
  const inside = Number(field('NSpid').split(/\s+/).at(-1));
  return {
    ...{ pid, parent: Number(field('PPid')) },
    inside: inside > 0 && inside !== pid ? inside : undefined,
    isMarked: environment.split('\0').some((one) => one.startsWith(mark)),
  };
}
