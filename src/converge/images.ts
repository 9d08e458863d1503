/** Where the stages meet the supply room: which images a build may draw in, and what a scanner says of those that will run. */
import { imageNames, tagPrefix } from '../domain/images.ts';
import type { OnLine } from '../domain/ports.ts';
import type { ScanSettings } from '../domain/supply.ts';
import { TreehouseError } from '../errors.ts';
import { admitImages } from '../supply/admit.ts';
import type { DrawnIn } from '../supply/drawn.ts';
import { inWords, relevant, summary } from '../supply/findings.ts';
import { namesOf } from '../supply/judge.ts';
import { drawnByBuilder } from '../supply/witness.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { patiently } from './patience.ts';
import { refused } from './refused.ts';

type Deps = Pick<ConvergeDeps, 'engine' | 'images' | 'registry' | 'scan' | 'lookUp' | 'allowsPrivate' | 'patience'>;

/**
 * Fetches and looks at every image that the stack draws in, which the plan has judged by their names, and asks where the names
 * lead that it fetches files from.
 * @returns full names of all that the builder may then name. @throws `refused-by-policy`, `image-missing`.
 */
export async function admitStackImages(deps: Deps, run: BuildRun, drawn: DrawnIn): Promise<ReadonlySet<string>> {
  const on = { rules: run.repository.images, registry: deps.registry?.address };
  const say = run.lines('build', 'treehouse');
  const admitted = await admitImages(drawn, {
    ...on,
    preview: run.preview.id,
    store: deps.images,
    lookUp: deps.lookUp,
    allowsPrivate: deps.allowsPrivate,
    refresh: run.anew,
    say,
    pull: (reference) => pull(deps, run, reference),
  });
  if (admitted.refusals.length > 0) throw refused(admitted.refusals);
  return namesOf(admitted.images);
}

/** Its progress is bars, not lines: it is bounded as a whole. */
export async function pull(deps: Pick<Deps, 'engine' | 'patience'>, run: BuildRun, reference: string): Promise<void> {
  const say = run.lines('build', 'engine');
  say(`pulling ${reference}`);
  const { pull: limit } = deps.patience;
  await patiently(
    { act: `pulling ${reference}`, code: 'image-missing', limit, setting: 'TREEHOUSE_PULL_LIMIT', silence: undefined },
    say,
    run.signal,
    (onLine, signal) => deps.engine.pull(reference, onLine, signal),
  );
}

/** Watches the builder name its images; the first that was not admitted ends the build by `stop`. */
export function watchBuilder(
  admitted: ReadonlySet<string>,
  onLine: OnLine,
  stop: (why: TreehouseError) => void,
): OnLine {
  return (line, source) => {
    onLine(line, source);
    const name = drawnByBuilder(line);
    if (name === undefined || admitted.has(name)) return;
    stop(refused([{ path: name, message: 'the builder draws this image in, which was not found in the Dockerfile' }]));
  };
}

interface Scanned {
  readonly reference: string;
  readonly info: { readonly id: string };
}

/** Scans each image that will run, once. @throws `refused-by-policy` where the settings make the findings a gate. */
export async function scanImages(deps: Deps, run: BuildRun, images: ReadonlyMap<string, Scanned>): Promise<void> {
  const settings = run.repository.scan;
  if (!settings) return;
  const byId = new Map([...images].map(([service, image]) => [image.info.id, { service, ...image }]));
  const refusals: { path: string; message: string }[] = [];
  // One after the other: scanners take memory, and lock their databases.
  for (const image of byId.values()) {
    const message = await scanOne(deps, run, settings, image);
    if (message !== undefined) refusals.push({ path: image.service, message });
  }
  if (refusals.length > 0) throw refused(refusals);
}

/** What speaks against the image, if it is a gate. */
async function scanOne(
  deps: Deps,
  run: BuildRun,
  settings: ScanSettings,
  image: Scanned & { readonly service: string },
): Promise<string | undefined> {
  const say = run.lines('build', settings.by);
  const { reference, service } = image;
  try {
    const publish = <T>(use: (published: { registry: string; path: string; digest: string }) => Promise<T>) =>
      published(deps, run, image, use);
    const all = await deps.scan(settings, { reference, publish }, run.signal);
    const found = relevant(all, settings);
    say(`${service} (${reference}): ${summary(found)}`);
    if (found.length === 0) return undefined;
    for (const one of found.slice(0, LOGGED))
      say(`  ${one.severity} ${inWords(one)} ${one.title} ${one.url ?? ''}`.trimEnd());
    if (found.length > LOGGED) say(`  … and ${found.length - LOGGED} more`);
    if (settings.mode === 'report') return undefined;
    return `${settings.by} found in ${reference} ${summary(found)}; take newer packages or another base (scan.severity is '${settings.severity}')`;
  } catch (error) {
    if (run.signal.aborted || settings.mode === 'gate' || !(error instanceof TreehouseError)) throw error;
    say(`${service} (${reference}) was not scanned: ${error.message}`);
    return undefined;
  }
}

const LOGGED = 50;

/** In the registry under a tag that is gone afterwards: what is not scanned yet must not lie there as if it were. */
async function published<T>(
  deps: Deps,
  run: BuildRun,
  image: Scanned & { readonly service: string },
  use: (published: { registry: string; path: string; digest: string }) => Promise<T>,
): Promise<T> {
  const { registry } = deps;
  if (!registry) {
    throw new TreehouseError('build-failed', 'Clair fetches images from a registry, and TREEHOUSE_REGISTRY is none');
  }
  const { preview, commit } = run;
  const names = imageNames({ registry: registry.address, preview, service: image.service, commit, source: 'scan' });
  const tag = `${tagPrefix(preview)}scan-${run.build}`;
  const reference = `${registry.address}/${names.path}:${tag}`;
  try {
    await deps.engine.tag(image.info.id, reference);
    const digest = await deps.engine.push(reference, () => undefined, run.signal);
    return await use({ registry: registry.address, path: names.path, digest });
  } finally {
    await Promise.allSettled([deps.engine.removeImage(reference), registry.remove(names.path, tag)]);
  }
}
