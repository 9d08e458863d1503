/** What is: the engine, the registry, the disk and the gateway, looked at from outside. */
import { readdir, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import path from 'node:path';
import { linesOf } from './commands.ts';
import type { Page, Place, Seen, Thing } from './compare.ts';
import type { PrivateEngine } from './engine.ts';
import type { House } from './house.ts';

/** Whatever belongs to a preview bears it, with the preview's id. */
const LABEL = 'treehouse.preview';

export async function lookAt(house: House, engine: PrivateEngine, places: readonly Place[]): Promise<Seen> {
  const pages = await Promise.all(places.map(async ({ id }) => [id, await visit(house, id)] as const));
  // After the visits: what they wake or start is seen too.
  return { pages: new Map(pages), things: await thingsOf(house, engine) };
}

/** Everything that is there for any preview. */
async function thingsOf(house: House, { api }: PrivateEngine): Promise<readonly Thing[]> {
  const filters = { label: [LABEL] };
  const routes = readFile(path.join(house.home, 'nginx', 'routes.txt'), 'utf8').catch(() => '');
  const all = await Promise.all([
    api
      .listContainers({ all: true, filters })
      .then((found) => found.map((one) => labelled('container', one.Names[0]?.slice(1) ?? one.Id, one.Labels))),
    api.listNetworks({ filters }).then((found) => found.map((one) => labelled('network', one.Name, one.Labels))),
    api
      .listVolumes({ filters: JSON.stringify(filters) })
      .then(({ Volumes }) => (Volumes ?? []).map((one) => labelled('volume', one.Name, one.Labels))),
    routes.then(routesIn),
    tagsOf(house).then((tags) => tags.map((name): Thing => ({ what: 'tag', id: idOfTag(name), name }))),
    api
      .listImages()
      .then((found) => found.flatMap((one) => one.RepoTags ?? []).filter((one) => one.includes('/acme/')))
      .then((names) => names.map((name): Thing => ({ what: 'image', id: idOfTag(name), name }))),
    checkouts(path.join(house.home, 'builds')).then((names) =>
      names.map((name): Thing => ({ what: 'checkout', id: path.dirname(name), name })),
    ),
  ]);
  return all.flat();
}

function labelled(what: Thing['what'], name: string, labels: Readonly<Record<string, string>> | undefined): Thing {
  return { what, id: labels?.[LABEL] ?? '', name };
}

/** Of lines that begin with a preview's id and a name. */
function routesIn(text: string): Thing[] {
  return linesOf(text).map((line) => {
    const [id = '', name = ''] = line.split(' ');
    return { what: 'route', id, name };
  });
}

/** `ID/BUILD` of every one that is there. */
async function checkouts(folder: string): Promise<string[]> {
  const ids = await namesIn(folder);
  const builds = ids.map(async (id) => (await namesIn(path.join(folder, id))).map((build) => `${id}/${build}`));
  return (await Promise.all(builds)).flat();
}

/** None of a folder that is not there, or not any more. */
async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
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

function visit(house: House, id: string): Promise<Page> {
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
    asked.once('error', () => resolve({ status: 0, text: '' }));
    asked.once('response', async (answer) => {
      const chunks = await answer.toArray().catch(() => []);
      resolve({
        status: answer.statusCode ?? 0,
        text: Buffer.concat(chunks as Buffer[])
          .toString()
          .trim(),
      });
    });
  });
}
