/** Stage 3: an image for every service; what is not built is pulled where it is absent, what did not change is not built. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labelsFor } from '../domain/compose-file.ts';
import { type ImageNames, imageNames, sourceHash } from '../domain/images.ts';
import type { BuildTarget, ImageInfo } from '../domain/ports.ts';
import { everyService, type StackBuild, type StackService } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { admitStackImages, pull, watchBuilder } from './images.ts';
import { patiently } from './patience.ts';
import type { Planned } from './plan.ts';

export interface ServiceImage {
  /** `name:tag` that a container is made from. */
  readonly reference: string;
  readonly info: ImageInfo;
  /** Undefined for an image that was not built here. */
  readonly names: ImageNames | undefined;
  /** Whether it was built, or found as an earlier build left it. */
  readonly built: boolean;
}

export type Images = ReadonlyMap<string, ServiceImage>;

export async function buildImages(deps: ConvergeDeps, run: BuildRun, { stack, drawn }: Planned): Promise<Images> {
  const services = everyService(stack);
  const [sources, admitted] = await Promise.all([
    contentIds(
      deps,
      run,
      services.flatMap((one) => (one.build ? sourcesOf(one.build) : [])),
    ),
    admitStackImages(deps, run, drawn),
  ]);
  const named = services.map((service) => nameOf(deps, run, service, sources));
  const wanted = new Map(services.map((service, index) => [service.name, named[index]]));

  const targets = new Map<string, BuildTarget>();
  for (const service of services) {
    const names = wanted.get(service.name);
    if (!service.build || !names) continue;
    if (!run.anew && (await deps.engine.image(names.bySource))) continue;
    targets.set(names.bySource, {
      service: service.name,
      reference: names.bySource,
      // Caches are common to all builds by their id: each preview has its own.
      build: { ...service.build, args: { ...service.build.args, BUILDKIT_CACHE_MOUNT_NS: run.preview.id } },
      labels: labelsFor(deps.instance, run.preview, 'image'),
    });
  }
  const pulls = services.filter((one) => one.image !== undefined).map((one) => one.image ?? '');
  await Promise.all([
    targets.size === 0 ? undefined : build(deps, run, [...targets.values()], admitted),
    ...[...new Set(pulls)].map((reference) => pullIfAbsent(deps, run, reference)),
  ]);

  const images = new Map<string, ServiceImage>();
  await Promise.all(
    services.map(async (service) => {
      const names = wanted.get(service.name);
      const reference = names?.reference ?? service.image ?? '';
      if (names) await deps.engine.tag(names.bySource, names.reference);
      const info = await deps.engine.image(reference);
      if (!info) throw new TreehouseError('image-missing', `the image ${reference} of ${service.name} is not there`);
      images.set(service.name, { reference, info, names, built: names !== undefined && targets.has(names.bySource) });
    }),
  );
  return images;
}

async function build(
  deps: ConvergeDeps,
  run: BuildRun,
  targets: readonly BuildTarget[],
  admitted: ReadonlySet<string>,
): Promise<void> {
  const stranger = new AbortController();
  const say = watchBuilder(admitted, run.lines('build', 'buildkit'), (why) => stranger.abort(why));
  const either = AbortSignal.any([run.signal, stranger.signal]);
  const { build: limit, silence } = deps.patience;
  const bounds = { act: 'building the images', code: 'build-failed', limit, setting: 'TREEHOUSE_BUILD_LIMIT' } as const;
  const [built] = await Promise.allSettled([
    patiently({ ...bounds, silence }, say, either, (onLine, signal) =>
      deps.builder.build({ root: run.checkout, targets, onLine, signal }),
    ),
  ]);
  if (stranger.signal.aborted) {
    // Found by its sources, it would be run the next time without being built.
    await Promise.all(targets.map((one) => deps.engine.removeImage(one.reference)));
    throw stranger.signal.reason;
  }
  if (built.status === 'rejected') throw built.reason;
}

async function pullIfAbsent(deps: ConvergeDeps, run: BuildRun, reference: string): Promise<void> {
  if (await deps.engine.image(reference)) return;
  await pull(deps, run, reference);
}

function nameOf(
  deps: ConvergeDeps,
  run: BuildRun,
  service: StackService,
  contents: ReadonlyMap<string, string>,
): ImageNames | undefined {
  const { build } = service;
  if (!build) return undefined;
  return imageNames({
    registry: deps.registry?.address,
    preview: run.preview,
    service: service.name,
    commit: run.commit,
    source: sourceHash([build, ...sourcesOf(build).map((path) => contents.get(path))]),
  });
}

/** Paths whose contents an image is made of. */
function sourcesOf(build: StackBuild): string[] {
  const contexts = Object.entries(build.contexts).sort(([a], [b]) => (a < b ? -1 : 1));
  const dockerfile = build.dockerfile === undefined ? [] : [build.dockerfile];
  return [build.context, ...dockerfile, ...contexts.map(([, folder]) => folder)];
}

/** git's ids of paths of the commit; a file that a template brought is hashed. */
export async function contentIds(
  deps: Pick<ConvergeDeps, 'git'>,
  run: BuildRun,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (paths.length === 0) return new Map();
  const known = await deps.git.objectIds(run.repository, run.commit, paths);
  const brought = paths.filter((path) => !known.has(path));
  const hashed = await Promise.all(
    brought.map(async (path) => {
      const content = await readFile(join(run.checkout, path));
      return [path, createHash('sha256').update(content).digest('hex')] as const;
    }),
  );
  return new Map([...known, ...hashed]);
}
