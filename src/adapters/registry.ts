/** The Registry port over HTTP: what is asked of and deleted from a Docker registry (API version 2). */
import { randomUUID } from 'node:crypto';
import type { Registry, RegistryLogin } from '../domain/ports.ts';
import { messageOf, TreehouseError } from '../errors.ts';

export interface RegistryOptions {
  /** `host:port`, as in images' names. */
  readonly address: string;
  /** Where it is asked, if not there: `host:port`, or a URL. */
  readonly api?: string | undefined;
  readonly login?: RegistryLogin | undefined;
  /** Milliseconds for one request; 20,000 unless told. */
  readonly timeoutMs?: number;
}

/** All that a tag may name; a registry answers 404 for a kind that was not asked for. */
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const PAGE = 500;
const LOGIN_WANTED = 'it wants a login: set TREEHOUSE_REGISTRY_USER and TREEHOUSE_REGISTRY_PASSWORD (or …_FILE)';
const SIDE_BY_SIDE = 8;

/** What a tag's manifest names, itself included: digest → bytes. */
export interface RegistryContents {
  contents(path: string, tag: string): Promise<ReadonlyMap<string, number>>;
}

export function createRegistry(options: RegistryOptions): Registry & RegistryContents {
  const { address } = options;
  const api = options.api ?? address;
  const base = new URL('/v2/', api.includes('://') ? api : `${schemeOf(api)}://${api}`);
  const { login } = options;
  const authorization = login && `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;

  async function ask(act: string, url: URL, allowed: readonly number[], init: RequestInit = {}): Promise<Response> {
    const failed = (why: string, cause?: unknown) =>
      new TreehouseError('push-failed', `${act} at the registry ${address} failed: ${why}`, {
        kind: 'transient',
        cause,
      });
    const timeoutMs = options.timeoutMs ?? 20_000;
    try {
      const headers = { ...(init.headers as Record<string, string>), ...(authorization ? { authorization } : {}) };
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, { redirect: 'error', signal, ...init, headers });
      if (allowed.includes(response.status)) return response;
      if (response.status === 401) throw failed(login ? 'it refuses the login' : LOGIN_WANTED);
      const said = (await response.text()).replaceAll(/\s+/g, ' ').slice(0, 300);
      throw failed(`it answered ${response.status} ${said}`.trim());
    } catch (error) {
      if (error instanceof TreehouseError) throw error;
      if (error instanceof Error && error.name === 'TimeoutError') {
        throw failed(`no answer within ${timeoutMs / 1000} s`, error);
      }
      // fetch says "fetch failed"; the reason is its cause.
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw failed(causeText(cause), error);
    }
  }

  /** Every page of a list; empty where there is no such thing. */
  async function list(act: string, first: URL, key: 'tags' | 'repositories'): Promise<string[]> {
    const all: string[] = [];
    let next: URL | undefined = first;
    while (next) {
      const response: Response = await ask(act, next, [200, 404]);
      if (response.status === 404) return all;
      const body = (await response.json()) as Partial<Record<typeof key, readonly string[] | null>>;
      all.push(...(body[key] ?? []));
      next = nextPage(response, next);
    }
    return all;
  }

  async function tags(path: string): Promise<readonly string[]> {
    return list(`listing the tags of ${path}`, under(base, `${path}/tags/list?n=${PAGE}`), 'tags');
  }

  async function digest(path: string, tag: string): Promise<string | undefined> {
    const act = `looking up ${path}:${tag}`;
    const init = { method: 'HEAD', headers: { accept: MANIFESTS } };
    const response = await ask(act, under(base, `${path}/manifests/${tag}`), [200, 404], init);
    return response.status === 404 ? undefined : (response.headers.get('docker-content-digest') ?? undefined);
  }

  async function remove(path: string, tag: string): Promise<void> {
    const found = await digest(path, tag);
    if (found === undefined) return;
    const others = (await tags(path)).filter((other) => other !== tag);
    const shared = (await eachOf(others, (other) => digest(path, other))).includes(found);
    await removeDigest(path, shared ? await moveAway(path, tag) : found);
  }

  async function removeDigest(path: string, found: string): Promise<void> {
    await ask(`deleting ${path}@${found}`, under(base, `${path}/manifests/${found}`), [202, 404], { method: 'DELETE' });
  }

  /**
   * Only digests can be deleted, and with one go all of its tags: an image that did not change between two branches would be
   * taken from both. So the tag is first moved to a manifest of the same content that nothing else names.
   */
  async function moveAway(path: string, tag: string): Promise<string> {
    const act = `untagging ${path}:${tag}`;
    const url = under(base, `${path}/manifests/${tag}`);
    const old = await ask(act, url, [200], { headers: { accept: MANIFESTS } });
    const manifest = (await old.json()) as Record<string, unknown>;
    const body = JSON.stringify({ ...manifest, annotations: { 'treehouse.removed': randomUUID() } });
    const contentType = old.headers.get('content-type') ?? '';
    const moved = await ask(act, url, [201], { method: 'PUT', headers: { 'content-type': contentType }, body });
    const away = moved.headers.get('docker-content-digest');
    if (away) return away;
    throw new TreehouseError('push-failed', `${act} at the registry ${address} failed: it gave no digest`, {
      kind: 'transient',
    });
  }

  async function paths(): Promise<readonly string[]> {
    const all = await list('listing the images', under(base, `_catalog?n=${PAGE}`), 'repositories');
    const counts = await eachOf(all, async (path) => (await tags(path)).length);
    return all.filter((_, index) => counts[index] !== 0);
  }

  async function labels(path: string, tag: string): Promise<Readonly<Record<string, string>> | undefined> {
    const act = `reading the labels of ${path}:${tag}`;
    const manifest = await ask(act, under(base, `${path}/manifests/${tag}`), [200, 404], {
      headers: { accept: MANIFESTS },
    });
    if (manifest.status === 404) return undefined;
    const { config } = (await manifest.json()) as { config?: { digest?: unknown } };
    if (typeof config?.digest !== 'string') return undefined;
    const answer = await ask(act, under(base, `${path}/blobs/${config.digest}`), [200, 404], {
      // Registries that keep blobs elsewhere send there.
      redirect: 'follow',
    });
    if (answer.status === 404) return undefined;
    const image = (await answer.json()) as { config?: { Labels?: Record<string, string> | null } | null };
    return image.config?.Labels ?? {};
  }

  async function contents(path: string, reference: string): Promise<ReadonlyMap<string, number>> {
    const act = `reading what ${path}:${reference} holds`;
    const url = under(base, `${path}/manifests/${reference}`);
    const answer = await ask(act, url, [200, 404], { headers: { accept: MANIFESTS } });
    if (answer.status === 404) return new Map();
    const text = await answer.text();
    const { config, layers = [], manifests = [] } = JSON.parse(text) as Manifest;
    const own = answer.headers.get('docker-content-digest') ?? reference;
    const parts = [...(config ? [config] : []), ...layers].map((one) => [one.digest, one.size] as const);
    // Of an index, with each image that it names.
    const inside = await eachOf(manifests, (one) => contents(path, one.digest));
    return new Map([[own, Buffer.byteLength(text)], ...parts, ...inside.flatMap((one) => [...one])]);
  }

  return { address, tags, digest, remove, paths, labels, contents };
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

/** As Docker decides it: a registry on this machine speaks plain HTTP. */
function schemeOf(address: string): 'http' | 'https' {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(address) ? 'http' : 'https';
}

function under(base: URL, rest: string): URL {
  const url = new URL(rest, base);
  // Names come from the engine and from registries: none may lead elsewhere.
  if (url.origin === base.origin && url.pathname.startsWith(base.pathname)) return url;
  throw new TreehouseError('push-failed', `'${rest}' is not a path of the registry ${base.host}`);
}

/** RFC 8288: `</v2/_catalog?last=x&n=500>; rel="next"`. */
function nextPage(response: Response, here: URL): URL | undefined {
  const target = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
  if (target === undefined) return undefined;
  const url = new URL(target, here);
  return url.origin === here.origin && url.href !== here.href ? url : undefined;
}

async function eachOf<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += SIDE_BY_SIDE) {
    results.push(...(await Promise.all(items.slice(at, at + SIDE_BY_SIDE).map(act))));
  }
  return results;
}

function causeText(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED') return 'nothing listens there';
  return messageOf(cause);
}
