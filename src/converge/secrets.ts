/** Where the stages meet the secrets room: what services ask for, laid before their containers are made, and taken away after. */
import { forkNumber } from '../domain/names.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { PreviewKey } from '../domain/preview.ts';
import { type KnownSecrets, layerOf, serviceFolder } from '../domain/secrets.ts';
import { everyService, type Stack } from '../domain/stack.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

/** As early as the plan is known: whatever is printed from here on can be redacted, and what is missing is said at once. */
export async function fetchSecrets(
  deps: Pick<ConvergeDeps, 'secrets'>,
  run: BuildRun,
  stack: Stack,
): Promise<KnownSecrets> {
  const services = everyService(stack);
  const fork = forkNumber(run.preview.branch) !== undefined;
  return deps.secrets.fetch({ preview: run.preview, services, fork }, run.signal);
}

/** Containers that start again find their files, though the host was restarted. @returns what redacts their values. */
export async function laySecretsAgain(
  deps: Pick<ConvergeDeps, 'engine' | 'secrets'>,
  preview: PreviewKey,
  containers: readonly ObservedContainer[],
  signal: AbortSignal,
): Promise<KnownSecrets['redact']> {
  const mounting = await Promise.all(
    containers.map(async ({ id, service }) => ({ service, mounts: (await deps.engine.facts(id)).mounts })),
  );
  return deps.secrets.layAgain(preview, mounting, signal);
}

/** Removes the files that no container mounts. */
export async function sweepSecrets(deps: Pick<ConvergeDeps, 'engine' | 'secrets'>, preview: PreviewKey): Promise<void> {
  const laid = await deps.secrets.laid(preview.id);
  if (laid.length === 0) return;
  const { containers } = await deps.engine.observe(preview.id);
  const mounted = new Set(containers.map((one) => serviceFolder(layerOf(one.build, one.role), one.service)));
  await deps.secrets.remove(
    preview.id,
    laid.filter((one) => !mounted.has(one)),
  );
}
