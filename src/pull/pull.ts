/** A compose file of what runs: its images by digest, its files inside, its secrets by name. */
import path from 'node:path';
import { type LiveBuild, liveBuild } from '../domain/live.ts';
import type { ObservedNetwork } from '../domain/observed.ts';
import type { Engine, Gateway, Registry } from '../domain/ports.ts';
import type { PreviewRecord } from '../domain/preview.ts';
import type { RunningService, RunningStack } from '../domain/running.ts';
import { parseSecretFile } from '../domain/secrets.ts';
import type { SecretUse } from '../domain/stack.ts';
import { composeOf } from './compose-of.ts';
import { embedder } from './embed.ts';
import type { EmbeddedFile, LeftOut, PulledImage, PulledService } from './parts.ts';

export interface PullDeps {
  readonly engine: Pick<Engine, 'observe'>;
  readonly gateway: Pick<Gateway, 'routesOf'>;
  /** Looks at the live build's containers and images. */
  look(live: LiveBuild, networks: readonly ObservedNetwork[]): Promise<RunningStack>;
  readonly registry: Pick<Registry, 'address' | 'digest'> | undefined;
  /** Folder of the checkouts, absolute. */
  readonly builds: string;
}

export type Pulled =
  | { readonly kind: 'file'; readonly text: string }
  | { readonly kind: 'nothing-runs' }
  | { readonly kind: 'no-service'; readonly name: string; readonly known: readonly string[] };

/** @param wanted services, with all that they need; empty: all of them */
export async function pull(deps: PullDeps, record: PreviewRecord, wanted: readonly string[]): Promise<Pulled> {
  const [stack, routes] = await Promise.all([deps.engine.observe(record.id), deps.gateway.routesOf(record.id)]);
  const live = liveBuild(stack, routes);
  const running = live && (await deps.look(live, stack.networks));
  if (!live || !running || running.services.length === 0) return { kind: 'nothing-runs' };
  const known = running.services.map((one) => one.name);
  const unknown = wanted.find((one) => !known.includes(one));
  if (unknown !== undefined) return { kind: 'no-service', name: unknown, known };
  const { take } = embedder();
  const services: PulledService[] = [];
  for (const facts of withNeeded(wanted, running.services)) {
    const checkout = path.join(deps.builds, record.id, facts.build);
    const files: EmbeddedFile[] = [];
    const secrets: SecretUse[] = [];
    const leftOut: LeftOut[] = [];
    for (const mount of facts.mounts) {
      if (mount.kind !== 'bind') continue;
      const { source, target } = mount;
      const inside = path.relative(checkout, source);
      const secret = secretOf(source);
      if (inside !== '..' && !inside.startsWith('../')) {
        const embedded = await take(checkout, inside, target);
        files.push(...embedded.files);
        leftOut.push(...embedded.leftOut);
      } else if (secret) secrets.push({ ...secret, target });
      else leftOut.push({ path: undefined, target, why: 'it is of the host' });
    }
    services.push({ facts, image: await imageOf(deps.registry, facts), files, secrets, leftOut });
  }
  const { networks } = running;
  const text = composeOf({
    preview: record,
    commit: live.commit,
    services,
    networks,
    registry: deps.registry?.address,
  });
  return { kind: 'file', text };
}

/** In the order of `all`. */
function withNeeded(wanted: readonly string[], all: readonly RunningService[]): readonly RunningService[] {
  if (wanted.length === 0) return all;
  const needed = new Set(wanted);
  // A set that grows while it is gone through is gone through to its end.
  for (const name of needed) {
    for (const { service } of all.find((one) => one.name === name)?.after ?? []) needed.add(service);
  }
  return all.filter((one) => needed.has(one.name));
}

/** A file in the host's memory; its name says what it is. */
function secretOf(source: string): ReturnType<typeof parseSecretFile> {
  return /^\/(?:run|dev\/shm)\/treehouse-\d+\//.test(source) ? parseSecretFile(path.basename(source)) : undefined;
}

/** By the digest under which a registry has it, or by its id, which only this engine knows. */
async function imageOf(registry: PullDeps['registry'], { image }: RunningService): Promise<PulledImage> {
  const own = registry === undefined ? undefined : `${registry.address}/`;
  const repository = image.reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const isNamed = (one: string) => one.startsWith(`${repository}@`);
  for (const reference of [...image.digests].sort((a, b) => Number(isNamed(b)) - Number(isNamed(a)))) {
    if (own === undefined || !reference.startsWith(own)) return { reference };
    const [place = '', digest = ''] = reference.slice(own.length).split('@');
    const found = await registry?.digest(place, digest).catch(() => undefined);
    if (found !== undefined) return { reference };
  }
  return {
    reference: image.id,
    missing:
      `No registry has this image, ${image.reference}: on Treehouse's host docker save ${image.id} writes it, ` +
      'for docker load on yours; or put the name of one that you have.',
  };
}
