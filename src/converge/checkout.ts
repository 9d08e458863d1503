/** Stage 1: the commit in a folder of its own. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';

export async function checkout(deps: Pick<ConvergeDeps, 'git'>, run: BuildRun): Promise<void> {
  await Promise.all([deps.git.checkout(run.repository, run.commit, run.checkout, run.signal), sayWhat(deps, run)]);
  // git's pointer to its own folder differs from build to build: it would end every image's cache, and it names the host's paths.
  await rm(path.join(run.checkout, '.git'), { force: true });
}

async function sayWhat(deps: Pick<ConvergeDeps, 'git'>, run: BuildRun): Promise<void> {
  const info = await deps.git.describe(run.repository, run.commit);
  run.lines('checkout', 'git')(`${run.commit.slice(0, 12)} ${info.subject} (${info.author})`);
}
