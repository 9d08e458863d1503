/** Stage 3: an image for every service; what is not built is pulled where it is absent, what did not change is not built. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { labelsFor } from '../domain/compose-file.ts';
import { type ImageNames, imageNames, sourceHash } from '../domain/images.ts';
import type { BuildTarget, ImageInfo } from '../domain/ports.ts';
import { everyService, type StackBuild, type StackService } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { admitStackImages, watchBuilder } from './images.ts';
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
  const [named, admitted] = await Promise.all([
    Promise.all(services.map((service) => nameOf(deps, run, service))),
    admitStackImages(deps, run, drawn),
  ]);
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
    targets.size === 0 ? undefined : bake(deps, run, [...targets.values()], admitted),
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

async function bake(
  deps: ConvergeDeps,
  run: BuildRun,
  targets: readonly BuildTarget[],
  admitted: ReadonlySet<string>,
): Promise<void> {
  const stranger = new AbortController();
  const onLine = watchBuilder(admitted, run.lines('build', 'buildx'), (why) => stranger.abort(why));
  const signal = AbortSignal.any([run.signal, stranger.signal]);
  const [built] = await Promise.allSettled([deps.builder.build({ root: run.checkout, targets, onLine, signal })]);
  if (stranger.signal.aborted) {
    // Found by its sources, it would be run the next time without being built.
    await Promise.all(targets.map((one) => deps.engine.removeImage(one.reference)));
    throw stranger.signal.reason;
  }
  if (built.status === 'rejected') throw built.reason;
}

async function pullIfAbsent(deps: ConvergeDeps, run: BuildRun, reference: string): Promise<void> {
  if (await deps.engine.image(reference)) return;
  const say = run.lines('build', 'engine');
  say(`pulling ${reference}`);
  await deps.engine.pull(reference, say, run.signal);
}

async function nameOf(deps: ConvergeDeps, run: BuildRun, service: StackService): Promise<ImageNames | undefined> {
  if (!service.build) return undefined;
  return imageNames({
    registry: deps.registry?.address,
    preview: run.preview,
    service: service.name,
    commit: run.commit,
    source: sourceHash(await sourcesOf(deps, run, service.build)),
  });
}

async function sourcesOf(deps: ConvergeDeps, run: BuildRun, build: StackBuild): Promise<unknown[]> {
  const contents = (name: string) => contentId(deps, run, name);
  const contexts = Object.entries(build.contexts).sort(([a], [b]) => (a < b ? -1 : 1));
  return Promise.all([
    build,
    contents(build.context),
    build.dockerfile === undefined ? '' : contents(build.dockerfile),
    ...contexts.map(([, folder]) => contents(folder)),
  ]);
}

/** git's id of a path of the commit; a file that a template brought is hashed. */
export async function contentId(deps: Pick<ConvergeDeps, 'git'>, run: BuildRun, name: string): Promise<string> {
  const id = await deps.git.objectId(run.repository, run.commit, name);
  if (id !== undefined) return id;
  return createHash('sha256')
    .update(await readFile(path.join(run.checkout, name)))
    .digest('hex');
}
