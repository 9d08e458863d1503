/** What is said of the images of a stack by their names alone, offline: which are refused, and why. */
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { everyService, type Refusal, type Stack, type StackBuild } from '../domain/stack.ts';
import type { ImageRules } from '../domain/supply.ts';
import type { Fetched } from './adds.ts';
import { type Drawn, type DrawnIn, drawnByCompose, drawnImages } from './drawn.ts';
import { fullName, type ImageName, isLoopback, isSameRegistry, matchesGlob, parseImageName } from './reference.ts';

/** Larger files than this are no Dockerfiles, and take time. */
const MAX_BYTES = 256 * 1024;
/** First part of an image's name where there is no registry (domain/images.ts). */
const OWN_PREFIX = 'treehouse/';
const FRONTENDS = ['docker/dockerfile', 'docker/dockerfile-upstream'];
/** Arguments that steer BuildKit instead of the Dockerfile: another frontend, another preview's caches. */
const STEERING = ['BUILDKIT_SYNTAX', 'BUILDKIT_CACHE_MOUNT_NS'];

export interface JudgeOn {
  readonly rules: ImageRules | undefined;
  /** Address of Treehouse's own registry. */
  readonly registry: string | undefined;
}

/** Everything that the stack draws in, of its Dockerfiles and its compose file; `files` are the compose files, absolute. */
export async function readStackImages(root: string, stack: Stack, files: readonly string[]): Promise<DrawnIn> {
  const images: Drawn[] = [];
  const faults: Refusal[] = [];
  const fetched: Fetched[] = [];
  const services = everyService(stack);
  const lines = await imageLines(root, files);
  for (const service of services) {
    const where = `services.${service.name}`;
    if (service.image !== undefined) images.push(drawnByCompose(lines.get(service.name) ?? where, service.image));
    if (!service.build) continue;
    const found = await readBuild(root, `${where}.build`, service.build);
    images.push(...found.images);
    faults.push(...found.faults);
    fetched.push(...found.fetched);
  }
  // Two services often share a Dockerfile.
  const unique = <T>(all: readonly T[], key: (one: T) => unknown) => [
    ...new Map(all.map((one) => [JSON.stringify(key(one)), one])).values(),
  ];
  return {
    // A stage that one of two targets comes to is needed.
    images: unique(
      images.sort((a, b) => Number(a.needed) - Number(b.needed)),
      (one) => [one.how, one.where, one.reference, one.written],
    ),
    faults: unique(faults, (one) => one),
    fetched: unique(fetched, (one) => one),
  };
}

async function readBuild(root: string, where: string, build: StackBuild): Promise<DrawnIn> {
  const faults: Refusal[] = STEERING.filter((key) => Object.hasOwn(build.args, key)).map((key) => ({
    path: `${where}.args.${key}`,
    rule: 'build-rights',
    message: 'it would steer the builder itself; remove it',
  }));
  const file = build.dockerfile ?? `${where}.dockerfile_inline`;
  const text = build.dockerfileInline ?? (await readText(path.join(root, build.dockerfile ?? 'Dockerfile')));
  if (text === undefined || text.length > MAX_BYTES) {
    const message = `it is not a UTF-8 text of at most ${MAX_BYTES} bytes, so it cannot be told which images it draws in`;
    return { images: [], faults: [...faults, { path: file, rule: 'dockerfile', message }], fetched: [] };
  }
  const { args, target } = build;
  const found = drawnImages(text, { file, args, target, contexts: Object.keys(build.contexts) });
  return { ...found, faults: [...faults, ...found.faults] };
}

/** Undefined where it is not what a Dockerfile is. BuildKit and we could read other bytes in two ways. */
async function readText(file: string): Promise<string | undefined> {
  const stat = await lstat(file).catch(() => undefined);
  if (!stat?.isFile() || stat.size > MAX_BYTES) return undefined;
  const bytes = await readFile(file);
  try {
    return bytes.includes(0) ? undefined : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Service → `compose.yaml:4`, where its image is named. */
async function imageLines(root: string, files: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const file of files) {
    try {
      for (const [service, line] of linesOf((await readText(file)) ?? '')) {
        found.set(service, `${path.relative(root, file)}:${line}`);
      }
    } catch {
      // Then the service's name says where.
    }
  }
  return found;
}

function linesOf(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent' });
  const services: unknown = document.get('services');
  const items = (services as { items?: { key?: { value?: unknown } }[] } | undefined)?.items ?? [];
  for (const { key } of items) {
    const image = document.getIn(['services', key?.value, 'image'], true) as { range?: [number] } | undefined;
    const offset = image?.range?.[0];
    if (offset !== undefined) found.set(String(key?.value), lines.linePos(offset).line);
  }
  return found;
}

/** The refusals of all that `drawn` names. */
export function judgeImages(drawn: Pick<DrawnIn, 'images' | 'faults'>, on: JudgeOn): readonly Refusal[] {
  return [...drawn.faults, ...drawn.images.flatMap((one) => judgeImage(one, on) ?? [])];
}

function judgeImage(one: Drawn, { rules, registry }: JudgeOn): Refusal | undefined {
  const refuse = (rule: string, message: string): Refusal => ({
    path: one.where,
    rule,
    message: `${one.how} ${one.written.slice(0, 200)}: ${message}`,
  });
  if (one.reference === undefined) {
    return refuse('image-name', 'it cannot be told beforehand which image this is; write its name out');
  }
  if (isWholeId(one.reference)) return refuse('image-id', 'an id may be any image of this host; name the image');
  const name = parseImageName(one.reference);
  if (!name) return refuse('image-name', 'this is not the name of an image');
  if (one.how === '# syntax' && !isFrontend(name)) {
    return refuse('image-syntax', 'it would be the program that builds; only docker/dockerfile may be');
  }
  if (isOwn(name, registry)) {
    return refuse('neighbour', "a neighbour's image: those of previews are not built from or run by others");
  }
  const pinned = rules?.pin === 'require';
  if (one.unset.length > 0 && (pinned || rules?.registries || rules?.allow)) {
    return refuse('image-name', `${one.unset.join(', ')} has no value here; give it one, so that the image is known`);
  }
  if (one.how !== '# syntax') {
    const { registries, allow } = rules ?? {};
    if (registries && !registries.some((other) => isSameRegistry(normal(other), name.registry))) {
      return refuse(
        'image-registry',
        `images come only from ${registries.join(', ')} here (images.registries); use one of those, or ask an admin to add ${name.registry}`,
      );
    }
    if (allow && !allow.some((glob) => matchesGlob(glob, name))) {
      return refuse(
        'image-allow',
        `only ${allow.join(', ')} may be used here (images.allow); use one of those, or ask an admin to add it`,
      );
    }
  }
  if (!pinned || name.digest !== undefined) return undefined;
  return refuse(
    'image-pin',
    `it names no digest (images.pin): write ${one.reference}@sha256:…, as 'docker buildx imagetools inspect ${one.reference}' says it`,
  );
}

/** `docker.io` has further names. */
function normal(registry: string): string {
  return registry === 'index.docker.io' || registry === 'registry-1.docker.io' ? 'docker.io' : registry;
}

function isWholeId(text: string): boolean {
  return /^(?:sha256:)?[0-9a-f]{64}$/i.test(text);
}

function isFrontend(name: ImageName): boolean {
  return name.registry === 'docker.io' && FRONTENDS.includes(name.path);
}

/** `{preview}.{commit}`, and what else of a preview is tagged (domain/images.ts). */
const PREVIEW_TAG = /^[a-z0-9-]+\.(?:[0-9a-f]{40}|src-[0-9a-f]+|scan-.+)$/;

/** A registry on this machine is Treehouse's alone; another may hold more, and what is named there by digest tells by its label. */
function isOwn(name: ImageName, registry: string | undefined): boolean {
  if (name.registry === 'docker.io' && name.path.startsWith(OWN_PREFIX)) return true;
  if (registry === undefined || !isSameRegistry(name.registry, registry)) return false;
  return isLoopback(registry.replace(/:\d+$/, '')) || PREVIEW_TAG.test(name.tag ?? '');
}

/** Full names of what was judged, for the witness. */
export function namesOf(images: readonly Drawn[]): ReadonlySet<string> {
  return new Set(
    images.flatMap((one) => {
      const name = one.reference === undefined ? undefined : parseImageName(one.reference);
      return name ? [fullName(name)] : [];
    }),
  );
}
