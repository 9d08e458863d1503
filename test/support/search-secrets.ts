/** Looks for secrets wherever a Treehouse could have left them. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { World } from './treehouse.ts';

const run = promisify(execFile);
const PAGES = ['previews?all=true', 'queue', 'host', 'repositories', 'trail', 'sweep'];

/**
 * The places that hold any of them: command lines and environments of all processes but this one, whose own they are; git's configuration,
 * all files of the home, the log, the events and the API, which must have answered.
 */
export async function placesOf(secrets: readonly string[], world: World, token: string): Promise<readonly string[]> {
  const seen = new Map<string, string>();
  seen.set('log', JSON.stringify(world.logged)).set('events', JSON.stringify(world.events));
  const ids = [...new Set(world.events.map((one) => one.preview))];
  for (const page of [...PAGES.map((one) => `api/v1/${one}`), ...ids.map((id) => `api/v1/previews/${id}`), 'metrics']) {
    const answer = await fetch(`${world.url}/${page}`, { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`${page}: ${answer.status}`);
    seen.set(page, await answer.text());
  }
  const mirrors = path.join(world.home, 'mirrors');
  for (const name of (await readdir(mirrors)).filter((one) => one.endsWith('.git'))) {
    const { stdout } = await run('git', ['--git-dir', path.join(mirrors, name), 'config', '--list']);
    seen.set(`git config of ${name}`, stdout);
  }
  for (const file of await readdir(world.home, { recursive: true, withFileTypes: true })) {
    const where = path.join(file.parentPath, file.name);
    if (file.isFile()) seen.set(where, await readFile(where, 'latin1').catch(() => ''));
  }
  const others = (await readdir('/proc')).filter((one) => /^\d+$/.test(one) && one !== String(process.pid));
  for (const pid of others) {
    for (const what of ['cmdline', 'environ']) {
      seen.set(`${what} of ${pid}`, await readFile(path.join('/proc', pid, what), 'latin1').catch(() => ''));
    }
  }
  // A key is written with line ends here and without there.
  const bare = (text: string) => text.replaceAll(/\\n|\n/g, '');
  return [...seen].flatMap(([where, text]) => (secrets.some((one) => bare(text).includes(bare(one))) ? [where] : []));
}
