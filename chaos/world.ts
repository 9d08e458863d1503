/** What is: the engine, the registry, the disk and the gateway, looked at from outside. */
import { readdir, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import path from 'node:path';
import type { PrivateEngine } from './engine.ts';
import type { House } from './house.ts';
import type { Expected } from './model.ts';

/** A branch's preview, as a visitor names it. */
export interface Place {
  readonly branch: string;
  /** The first label of its host. */
  readonly id: string;
  readonly services: number;
  readonly expected: Expected;
}

export interface Look {
  /** In words; none where the world is as it should be. */
  readonly differences: readonly string[];
  /** Branch → the page that it serves, where it serves one. */
  readonly pages: ReadonlyMap<string, string>;
}

export async function lookAt(house: House, engine: PrivateEngine, places: readonly Place[]): Promise<Look> {
  const pages = new Map<string, string>();
  const differences: string[] = [];
  await Promise.all(
    places.map(async (place) => {
      const { status, body } = await visit(house, place.id);
      const text = status === 200 ? body.trim() : undefined;
      if (text !== undefined) pages.set(place.branch, text);
      const wrong = wrongPage(place.expected, status, text);
      if (wrong !== undefined) differences.push(`${place.id} ${wrong}`);
    }),
  );
  const serving = new Map(places.filter((one) => pages.has(one.branch)).map((one) => [one.id, one]));
  differences.push(...(await strangers(house, engine, serving)));
  return { differences, pages };
}

function wrongPage(expected: Expected, status: number, text: string | undefined): string | undefined {
  const found = text === undefined ? `answers ${status}` : `serves ${JSON.stringify(text)}`;
  switch (expected.kind) {
    case 'gone':
      return status === 404 ? undefined : `is to be gone, and ${found}`;
    case 'serves':
      return text === expected.commit.text
        ? undefined
        : `is to serve ${JSON.stringify(expected.commit.text)}, and ${found}`;
    case 'before': {
      const wanted = [...expected.texts]
        .map((one) => (one === undefined ? 'nothing' : JSON.stringify(one)))
        .join(' or ');
      return expected.texts.has(text) ? undefined : `has a bad head and is to serve ${wanted}, and ${found}`;
    }
    default:
      return expected satisfies never;
  }
}

/** Everything of a preview that serves nothing, and what is too much or too little of one that does. */
async function strangers(
  house: House,
  engine: PrivateEngine,
  serving: ReadonlyMap<string, Place>,
): Promise<readonly string[]> {
  const label = '{{.Label "treehouse.preview"}}';
  const [containers, networks, volumes, images, tags, folders, routes] = await Promise.all([
    engine.docker('ps', '-a', '--filter', 'label=treehouse.preview', '--format', `${label} {{.Names}}`),
    engine.docker('network', 'ls', '--filter', 'label=treehouse.preview', '--format', `${label} {{.Name}}`),
    engine.docker('volume', 'ls', '--filter', 'label=treehouse.preview', '--format', `${label} {{.Name}}`),
    engine.docker('images', '--format', '{{.Repository}}:{{.Tag}}'),
    tagsOf(house),
    checkouts(path.join(house.home, 'builds')),
    readFile(path.join(house.home, 'nginx', 'routes.txt'), 'utf8').catch(() => ''),
  ]);
  const found: { readonly what: string; readonly id: string; readonly name: string }[] = [];
  const labelled = (what: string, lines: readonly string[]): void => {
    for (const line of lines) found.push({ what, id: line.split(' ')[0] ?? '', name: line.split(' ')[1] ?? '' });
  };
  labelled('container', containers);
  labelled('network', networks);
  labelled('volume', volumes);
  labelled(
    'route',
    routes.split('\n').filter((line) => line !== ''),
  );
  for (const tag of tags) found.push({ what: 'tag', id: idOfTag(tag), name: tag });
  for (const image of images)
    if (image.includes('acme/')) found.push({ what: 'image', id: idOfTag(image), name: image });
  for (const folder of folders) found.push({ what: 'folder', id: path.dirname(folder), name: folder });
  const odd = found
    .filter((one) => !serving.has(one.id))
    .map(({ what, name, id }) => `${what} ${name} is there, and ${id} serves nothing`);
  for (const [id, place] of serving) {
    const count = containers.filter((line) => line.startsWith(`${id} `)).length;
    if (count !== place.services) odd.push(`${id} has ${count} containers, and is to have ${place.services}`);
  }
  return odd;
}

/** `ID/BUILD` of every one that is there. */
async function checkouts(folder: string): Promise<string[]> {
  const ids = await readdir(folder).catch(() => []);
  const builds = ids.map(async (id) => (await readdir(path.join(folder, id))).map((build) => `${id}/${build}`));
  return (await Promise.all(builds)).flat();
}

/** A tag is `ID.` and a commit or a hash of sources. */
function idOfTag(name: string): string {
  const tag = name.slice(name.lastIndexOf(':') + 1);
  return tag.slice(0, tag.lastIndexOf('.'));
}

async function tagsOf(house: House): Promise<string[]> {
  const port = (await readFile(path.join(house.home, 'registry', 'port'), 'utf8').catch(() => '')).trim();
  const ask = async <T>(where: string): Promise<T | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/${where}`).catch(() => undefined);
    return answer?.ok ? ((await answer.json()) as T) : undefined;
  };
  const paths = (await ask<{ repositories: string[] }>('_catalog'))?.repositories ?? [];
  const all = await Promise.all(paths.map((one) => ask<{ name: string; tags: string[] | null }>(`${one}/tags/list`)));
  return all.flatMap((one) => (one?.tags ?? []).map((tag) => `${one?.name}:${tag}`));
}

function visit(house: House, id: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const headers = { host: `${id}.${house.domain}`, accept: 'text/plain' };
    const asked = get({
      host: '127.0.0.1',
      port: house.gatewayPort,
      path: '/',
      agent: false,
      headers,
      timeout: 10_000,
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve({ status: 0, body: '' }));
    asked.once('response', async (answer) => {
      const chunks = await answer.toArray().catch(() => []);
      resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks as Buffer[]).toString() });
    });
  });
}
