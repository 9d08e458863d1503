/** Names of images, written out as the engine and BuildKit read them (distribution/reference, `ParseNormalizedNamed`). */

export interface ImageName {
  /** `docker.io` where none is named. */
  readonly registry: string;
  /** `library/redis`. */
  readonly path: string;
  /** `latest` where there is neither tag nor digest. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const HUB = 'docker.io';
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REGISTRY =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const MAX = 512;

/** Undefined for what is no image's name; an id of 64 digits is none. */
export function parseImageName(text: string): ImageName | undefined {
  if (text.length > MAX || /^[0-9a-f]{64}$/.test(text)) return undefined;
  const [before = '', digest, more] = text.split('@');
  if (more !== undefined || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const { registry, rest } = splitRegistry(before);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (!PATH.test(path) || !REGISTRY.test(registry) || (tag !== undefined && !TAG.test(tag))) return undefined;
  const whole = registry === HUB && !path.includes('/') ? `library/${path}` : path;
  return { registry, path: whole, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The one way to write it: `docker.io/library/redis:7`. */
export function fullName(name: ImageName): string {
  return `${name.registry}/${name.path}${name.tag === undefined ? '' : `:${name.tag}`}${name.digest === undefined ? '' : `@${name.digest}`}`;
}

/** The short way, by which BuildKit looks for a context of that name: `redis`, `ghcr.io/a/b`. */
export function contextName(name: ImageName): string {
  const path = name.registry === HUB ? name.path.replace(/^library\//, '') : `${name.registry}/${name.path}`;
  const tag = name.tag === undefined || name.tag === 'latest' ? '' : `:${name.tag}`;
  return `${path}${tag}${name.digest === undefined ? '' : `@${name.digest}`}`;
}

/** Whether two addresses of registries are the same one: this machine has many names. */
export function isSameRegistry(one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  if (a === b) return true;
  return isLoopback(hostOf(a)) && isLoopback(hostOf(b)) && portOf(a) === portOf(b);
}

/** Names and addresses of this machine, or of what lies beside it. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){1,3}|0(?:\.0){0,3}|\[?(?:[0:]*:0*1|::|[0:]*:ffff:(?:127\.[\d.]+|7f[0-9a-f]{2}:[0-9a-f]+))\]?|host\.docker\.internal|\d+)$/i.test(
    host,
  );
}

/** `node:20*`, `ghcr.io/acme/**`; without a tag it holds for every tag. `*` stays within a part, `**` does not. */
export function matchesGlob(glob: string, name: ImageName): boolean {
  if (glob === '**') return true;
  const [withTag = '', digest] = glob.split('@');
  const { registry, rest } = splitRegistry(withTag);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const whole = registry === HUB && !path.includes('/') && !path.includes('**') ? `library/${path}` : path;
  if (!like(`${registry}/${whole}`, `${name.registry}/${name.path}`)) return false;
  if (colon >= 0 && !like(rest.slice(colon + 1), name.tag ?? '')) return false;
  return digest === undefined || digest === name.digest;
}

function like(glob: string, text: string): boolean {
  const pattern = glob
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('');
  return new RegExp(`^${pattern}$`).test(text);
}

function splitRegistry(text: string): { registry: string; rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isRegistry = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  if (!isRegistry) return { registry: HUB, rest: text };
  return { registry: first === 'index.docker.io' ? HUB : first, rest: text.slice(slash + 1) };
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '');
}

function portOf(address: string): string {
  return /:(\d+)$/.exec(address)?.[1] ?? '';
}
