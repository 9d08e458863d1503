/** Tells by the files of a repository on this machine whether its branches moved: a hundredth of what asking git costs. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { urlForm } from './repository-url.ts';

/** With more files than this it is cheaper to ask git. */
const MAX_FILES = 500;

/** Undefined where the files do not tell: another machine's repository, one of a kind that is not known, or a large one. */
export async function stampOf(url: string): Promise<string | undefined> {
  const form = urlForm(url);
  if (form.transport !== 'file') return undefined;
  const inside = join(form.url, '.git');
  const kind = await lstat(inside).catch(() => undefined);
  // A file there names another folder.
  if (kind && !kind.isDirectory()) return undefined;
  const folder = kind ? inside : form.url;
  const stamps: string[] = [];
  const look = async (name: string): Promise<void> => {
    if (stamps.length > MAX_FILES) return;
    const stat = await lstat(join(folder, name), { bigint: true }).catch(() => undefined);
    if (!stat) return;
    // git writes aside and renames, so that another content is another inode.
    stamps.push(`${name} ${stat.ino} ${stat.mtimeNs} ${stat.size}`);
    if (!stat.isDirectory()) return;
    for (const one of await readdir(join(folder, name)).catch(() => [])) await look(join(name, one));
  };
  for (const name of ['packed-refs', 'refs/heads', 'reftable/tables.list']) await look(name);
  return stamps.length === 0 || stamps.length > MAX_FILES ? undefined : stamps.join('\n');
}
