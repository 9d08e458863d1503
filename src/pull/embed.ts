/** Reads what containers mount of a checkout, so that a compose file can carry it. */
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import type { EmbeddedFile, LeftOut } from './parts.ts';

export interface EmbedLimits {
  /** Bytes of one file, and of all. */
  readonly file: number;
  readonly all: number;
  readonly count: number;
}

/** What people read and write by hand; the rest is for git. */
export const EMBED_LIMITS: EmbedLimits = { file: 64 * 1024, all: 512 * 1024, count: 100 };

export interface Embedded {
  readonly files: readonly EmbeddedFile[];
  readonly leftOut: readonly LeftOut[];
}

/** Takes mounts one after the other until what they hold together is too much. */
export function embedder(limits: EmbedLimits = EMBED_LIMITS) {
  let bytes = 0;
  let count = 0;

  async function fileOf(checkout: string, relative: string, target: string): Promise<Embedded> {
    const out = (why: string): Embedded => ({ files: [], leftOut: [{ path: relative, target, why }] });
    const whole = path.join(checkout, relative);
    const stat = await lstat(whole);
    if (!stat.isFile()) return out('it is a link or something else than a file');
    if (stat.size > limits.file) return out(`it has more than ${limits.file / 1024} kB`);
    if (count >= limits.count || bytes + stat.size > limits.all) return out('there is too much of it all');
    const content = await readText(whole, limits.file);
    if (content === undefined) return out('it is no text');
    count += 1;
    bytes += stat.size;
    return {
      files: [{ path: relative, target, content, isExecutable: (stat.mode & 0o111) !== 0 }],
      leftOut: [],
    };
  }

  async function walk(checkout: string, relative: string, target: string): Promise<Embedded> {
    const whole = path.join(checkout, relative);
    if (!(await lstat(whole)).isDirectory()) return fileOf(checkout, relative, target);
    const entries = (await readdir(whole)).sort();
    if (entries.length > limits.count) {
      return { files: [], leftOut: [{ path: relative, target, why: `it has more than ${limits.count} files` }] };
    }
    const all: Embedded[] = [];
    for (const one of entries) all.push(await walk(checkout, path.join(relative, one), path.posix.join(target, one)));
    return { files: all.flatMap((one) => one.files), leftOut: shortened(all.flatMap((one) => one.leftOut)) };
  }

  return {
    /** What lies at `relative` of the checkout, file by file. */
    async take(checkout: string, relative: string, target: string): Promise<Embedded> {
      try {
        // No link on the way may lead elsewhere.
        const real = await realpath(path.join(checkout, relative));
        if (real !== path.join(await realpath(checkout), relative)) throw new Error('it is behind a link');
        return await walk(checkout, relative, target);
      } catch (error) {
        return { files: [], leftOut: [{ path: relative, target, why: `it cannot be read (${reasonOf(error)})` }] };
      }
    },
  };
}

/** What is shown of many. */
const SHOWN = 20;

function shortened(all: readonly LeftOut[]): readonly LeftOut[] {
  if (all.length <= SHOWN) return all;
  const last = all[SHOWN];
  return [
    ...all.slice(0, SHOWN - 1),
    { path: last?.path, target: last?.target ?? '', why: `as are ${all.length - SHOWN} more files` },
  ];
}

/** Without the path, which is of the host. */
function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? messageOf(error);
}

/** Undefined where it is no UTF-8, or holds what no text does. */
async function readText(file: string, most: number): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(most + 1), 0, most + 1, 0);
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer.subarray(0, bytesRead));
    return bytesRead > most || text.includes('\0') ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  } finally {
    await handle.close();
  }
}
