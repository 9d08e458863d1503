/** Stage 2: the compose file, or a template for it, becomes the stack that policy allows. */
import { cp } from 'node:fs/promises';
import path from 'node:path';
import type { Stack } from '../domain/stack.ts';
import { chooseTemplate } from '../plan/template.ts';
import { planTree } from '../plan/tree.ts';
import { findComposeFiles } from '../policy/sources.ts';
import type { DrawnIn } from '../supply/drawn.ts';
import type { BuildRun } from './build-run.ts';
import type { ConvergeDeps } from './deps.ts';
import { refused } from './refused.ts';

export interface Planned {
  readonly stack: Stack;
  /** Every image that it draws in; none is refused by its name. */
  readonly drawn: DrawnIn;
}

/** @throws {TreehouseError} `nothing-to-run`, `compose-unreadable` or `refused-by-policy`, each saying what to change. */
export async function planStack(
  deps: Pick<ConvergeDeps, 'composer' | 'registry' | 'templates'>,
  run: BuildRun,
): Promise<Planned> {
  const say = run.lines('plan', 'treehouse');
  const root = run.checkout;
  if ((await findComposeFiles(root)).length === 0) {
    const template = await chooseTemplate(root);
    await cp(path.join(deps.templates, template), root, { recursive: true, force: false, errorOnExist: false });
    say(`no compose file: taken for a ${template} project (templates/${template})`);
  }
  say(`reading ${(await findComposeFiles(root)).join(' and ')}`);
  const result = await planTree({
    composer: deps.composer,
    root,
    images: run.repository.images,
    policy: run.repository.policy,
    idle: run.repository.idle,
    registry: deps.registry?.address,
    signal: run.signal,
  });
  if (result.kind === 'refused') throw refused(result.refusals);
  for (const change of result.stack.changes) {
    await run.emit({ type: 'change', path: change.path, message: change.message });
    say(`${change.path}: ${change.message}`);
  }
  return result;
}
