/** Which Treehouse this is. */
import { readFileSync } from 'node:fs';

/** Of package.json. */
export const VERSION = read<{ readonly version: string }>('../package.json')?.version ?? '0.0.0';
/** The first digits of the commit that dist was built from; undefined where it was built from none, and of the sources themselves. */
export const COMMIT = read<{ readonly commit?: string }>('built.json')?.commit;

/** Both, as semantic versions name a build: `0.1.0+1a2b3c4d5e6f`. */
export const FULL_VERSION = COMMIT === undefined ? VERSION : `${VERSION}+${COMMIT}`;

/** A file beside this one; undefined where there is none. */
function read<T>(name: string): T | undefined {
  try {
    return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
