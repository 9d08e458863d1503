/** The audit trail in Treehouse's home: a file of JSON lines for each month, which is only ever added to. */
import { appendFile, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Trail, TrailEntry } from '../domain/trail.ts';
import { messageOf, TreehouseError } from '../errors.ts';

export function trailFiles(home: string): Trail {
  const folder = path.join(home, 'trail');

  async function telling<T>(act: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new TreehouseError('process-failed', `${act} ${folder} failed: ${messageOf(error)}`, {
        kind: 'transient',
        cause: error,
      });
    }
  }

  return {
    note: (entry) =>
      telling('writing the audit trail in', async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = path.join(folder, `${new Date(entry.at).toISOString().slice(0, 7)}.jsonl`);
        // One write of one line: appends of several processes do not mix.
        await appendFile(file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
      }),
    read: ({ before = Number.POSITIVE_INFINITY, count }) =>
      telling('reading the audit trail in', async () => {
        const found: TrailEntry[] = [];
        for (const name of (await namesIn(folder)).sort().reverse()) {
          if (found.length >= count) break;
          const lines = (await readFile(path.join(folder, name), 'utf8')).split('\n');
          const entries = lines.flatMap(entriesIn).filter((one) => one.at < before);
          // Several processes add, each at its own pace.
          found.push(...entries.reverse().sort((a, b) => b.at - a.at));
        }
        return found.slice(0, count);
      }),
  };
}

/** The last line of a machine that lost its power may be half a line. */
function entriesIn(line: string): TrailEntry[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as TrailEntry];
  } catch {
    return [];
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
