/** TREEHOUSE_HOME: a folder of 0700 with the secrets that the first start makes. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface HomeSecret {
  readonly value: string;
  /** Whether this start made it, so that it is shown once. */
  readonly made: boolean;
  readonly file: string;
}

export async function openHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
}

/** The name by which this home's Treehouse knows what it made on the engine; made at the first start. */
export async function instanceName(home: string): Promise<string> {
  return (await keptText(path.join(home, 'instance'), randomBytes(6).toString('hex'))).value;
}

/** Reads `<home>/<name>`, or makes it: 32 random bytes in hex, 0600. */
export function homeSecret(home: string, name: 'webhook-secret' | 'admin-token' | 'gateway-key'): Promise<HomeSecret> {
  return keptText(path.join(home, name), randomBytes(32).toString('hex'));
}

/** What is in the file; where there is none it is made, 0600, with `fresh` in it. */
export async function keptText(file: string, fresh: string): Promise<HomeSecret> {
  try {
    await writeFile(file, `${fresh}\n`, { mode: 0o600, flag: 'wx' });
    return { value: fresh, made: true, file };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { value: (await readFile(file, 'utf8')).trim(), made: false, file };
  }
}
