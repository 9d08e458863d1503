/** How much a branch may take on the host's disk: while it is fetched, and told from its trees before it is laid out. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Commit } from '../domain/names.ts';
import { abortReason, TreehouseError } from '../errors.ts';
import type { Mirror } from './git-mirror.ts';
import { GitFailure, type GitSurroundings, gitEnvironment } from './git-process.ts';
import { ProcessError, runProcess } from './run-process.ts';

/** The least that a file or a folder takes. */
const BLOCK = 4096;
/** Linux takes no longer path (PATH_MAX), and git ends by SIGSEGV where folders are some ten thousand deep. */
const LONGEST_PATH = 4095;
/** Between two looks at what a fetch has written. */
const LOOK_MS = 1_000;

/** What is larger stays so, whoever tries again. */
export class TooLarge extends TreehouseError {
  constructor(act: string, limit: number) {
    super(
      'refused-by-policy',
      `${act} failed: it takes more than ${Math.floor(limit / 2 ** 20)} MiB on disk, the most that a checkout may take; take out what is large, or ask an admin to raise checkoutSize (TREEHOUSE_CHECKOUT_SIZE)`,
    );
    this.name = 'TooLarge';
  }
}

export interface CheckoutMeasure {
  readonly mirror: Mirror;
  readonly commit: Commit;
  readonly limit: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Whether a checkout takes no more than `limit`. git is ended as soon as it does: ten trees that name each other can stand
 * for more files than anyone could count. Folders count too, since such trees need not hold a single file. `deep`: a path is too
 * long for any disk.
 * @throws {GitFailure} where git has not got the commit.
 */
export async function measureCheckout(
  around: GitSurroundings,
  measure: CheckoutMeasure,
): Promise<'fits' | 'large' | 'deep'> {
  const { mirror, commit, limit, timeoutMs, signal } = measure;
  const over = new AbortController();
  let bytes = 0;
  let verdict: 'fits' | 'large' | 'deep' = 'fits';
  try {
    // Not by simple-git, which keeps all that is said. Without -z names are quoted, so that each entry is a line.
    await runProcess({
      command: 'git',
      args: ['-c', 'core.quotePath=false', 'ls-tree', '-r', '-t', '-l', commit],
      cwd: mirror.directory,
      env: gitEnvironment(around, mirror.globalConfig),
      timeoutMs,
      signal: AbortSignal.any([signal, over.signal]),
      maxOutputBytes: 4_096,
      onLine(line) {
        bytes += onDisk(sizeOf(line));
        if (verdict !== 'fits') return;
        if (bytes > limit) verdict = 'large';
        if (line.length - line.indexOf('\t') - 1 > LONGEST_PATH) verdict = 'deep';
        if (verdict !== 'fits') over.abort();
      },
    });
  } catch (error) {
    if (signal.aborted) throw abortReason(signal);
    if (over.signal.aborted) return verdict;
    if (error instanceof ProcessError && error.exitCode !== undefined) throw new GitFailure(error.exitCode, error.tail);
    throw error;
  }
  return verdict;
}

/** `100644 blob 257cc56…      42\tREADME.md`; trees and other repositories have `-`. */
function sizeOf(line: string): number {
  return Number(/^\d+ \w+ [0-9a-f]+ +(\d+)\t/.exec(line)?.[1] ?? 0);
}

function onDisk(bytes: number): number {
  return Math.max(bytes, BLOCK);
}

export interface Bounds {
  readonly mirror: Mirror;
  readonly limit: number;
  readonly signal: AbortSignal;
  /** What a fetch that writes more ends with. */
  readonly tooLarge: TooLarge;
  /** Called after objects that `act` wrote were removed. */
  readonly onRemoved: () => Promise<void>;
}

/**
 * Lets `act` write objects into the mirror, up to the limit; what it wrote goes again where it fails. Nothing else may write
 * there meanwhile. The signal that `act` is given is aborted at the limit.
 */
export async function bounded<T>(bounds: Bounds, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { mirror, limit, signal, tooLarge } = bounds;
  // By name, not by time: git touches what it has when it is sent again.
  const before = new Set(await objectFiles(mirror));
  const over = new AbortController();
  const done = new AbortController();
  const look = async () => {
    if ((await sizeOnDisk(await filesBeside(before, mirror))) > limit) over.abort(tooLarge);
  };
  const watching = everySecond(look, done.signal);
  try {
    const result = await act(AbortSignal.any([signal, over.signal]));
    await look();
    over.signal.throwIfAborted();
    return result;
  } catch (error) {
    const written = await filesBeside(before, mirror);
    await Promise.all(written.map((file) => rm(file, { force: true })));
    if (written.length > 0) await bounds.onRemoved();
    throw error;
  } finally {
    done.abort();
    await watching;
  }
}

async function everySecond(look: () => Promise<void>, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    await delay(LOOK_MS, undefined, { signal: done }).catch(() => undefined);
    if (!done.aborted) await look();
  }
}

async function filesBeside(before: ReadonlySet<string>, mirror: Mirror): Promise<string[]> {
  return (await objectFiles(mirror)).filter((file) => !before.has(file));
}

/** Loose objects, packs, and what is on its way to be one. */
async function objectFiles(mirror: Mirror): Promise<string[]> {
  const objects = join(mirror.directory, 'objects');
  const folders = await readdir(objects).catch(() => []);
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(objects, folder)).catch(() => []);
      return names.map((name) => join(objects, folder, name));
    }),
  );
  return files.flat();
}

async function sizeOnDisk(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ size }) => onDisk(size),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
