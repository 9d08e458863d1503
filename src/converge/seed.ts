/** Stage 7, where the data is new: it is filled before anybody sees it. */

import { labelsFor, seedMarkName } from '../domain/compose-file.ts';
import { LABEL } from '../domain/labels.ts';
import type { ObservedContainer } from '../domain/observed.ts';
import type { Seed } from '../domain/stack.ts';
import { isUsable } from '../domain/start-plan.ts';
import { TreehouseError } from '../errors.ts';
import { timeLimit } from '../time-limit.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { missing } from './start.ts';

/** Seconds that one seed may run, as long as a test. */
const SEED_LIMIT = 15 * 60;

type Deps = Pick<ConvergeDeps, 'engine' | 'instance'>;

/**
 * Runs the seeds one after the other, then notes in the engine that they ended well: without that mark nothing of the build is
 * ever served, and what it filled is made anew.
 * @returns the containers as they are now. @throws `seed-failed`
 */
export async function runSeeds(
  deps: Deps,
  run: BuildRun,
  seeds: readonly Seed[],
  containers: readonly ObservedContainer[],
): Promise<readonly ObservedContainer[]> {
  for (const seed of seeds) {
    const container = containers.find((one) => one.service === seed.service) ?? missing(seed.service);
    await runSeed(deps, run, seed, container);
  }
  const now = await Promise.all(containers.map(async (one) => (await deps.engine.container(one.id)) ?? one));
  for (const seed of seeds) {
    const container = now.find((one) => one.service === seed.service);
    if (!container || !isUsable(container, false)) throw failed(seed, 'the service does not run well since');
  }
  run.signal.throwIfAborted();
  await deps.engine.createVolume(
    seedMarkName(run.preview, deps.instance, run.build),
    labelsFor(deps.instance, run.preview, 'seeded', { [LABEL.seed]: run.build }),
  );
  return now;
}

async function runSeed(deps: Deps, run: BuildRun, seed: Seed, container: ObservedContainer): Promise<void> {
  run.lines('seed', 'treehouse')(`in ${seed.service}: ${seed.command.join(' ')}`);
  const late = failed(seed, `it took longer than ${SEED_LIMIT / 60} minutes`);
  const limit = timeLimit(run.signal, SEED_LIMIT * 1000, late);
  try {
    const code = await deps.engine.exec(container.id, seed.command, run.lines('seed', seed.service), limit.signal);
    if (code !== 0) throw failed(seed, `it exited with code ${code}`);
  } catch (error) {
    throw limit.reached() ? late : error;
  } finally {
    limit.clear();
  }
}

function failed(seed: Seed, why: string): TreehouseError {
  const command = seed.command.join(' ');
  const shown = command.length > 200 ? `${command.slice(0, 200)}…` : command;
  return new TreehouseError(
    'seed-failed',
    `the seed of service '${seed.service}' failed: ${why} (${shown}); what it filled is taken back`,
  );
}
