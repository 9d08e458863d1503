/** Keeps every path that a repository names inside its checkout, after links are followed. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';

/** Follows all links of `absolute`; the path relative to `root`, or undefined where it leads out or to nothing. */
export async function insideCheckout(root: string, absolute: string): Promise<string | undefined> {
  const real = await realpath(absolute).catch(() => undefined);
  if (real === undefined) return undefined;
  const relative = path.relative(await realpath(root), real);
  if (relative === '') return '';
  return relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative) ? undefined : relative;
}
