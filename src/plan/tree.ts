/** A repository's tree becomes the stack that policy allows, or what speaks against it: for a build, and for `treehouse check`. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PolicyRules } from '../domain/isolation.ts';
import type { Composer } from '../domain/ports.ts';
import type { Change, Refusal, Stack } from '../domain/stack.ts';
import type { ImageRules } from '../domain/supply.ts';
import { harden } from '../policy/harden.ts';
import { policyOf } from '../policy/policy.ts';
import { findComposeFiles, inspectSources } from '../policy/sources.ts';
import type { DrawnIn } from '../supply/drawn.ts';
import { judgeImages, readStackImages } from '../supply/judge.ts';
import { locator } from './locate.ts';

export interface TreeInput {
  readonly composer: Composer;
  /** The tree, absolute. */
  readonly root: string;
  readonly images: ImageRules | undefined;
  readonly policy: PolicyRules | undefined;
  /** Milliseconds without a visit after which its admin lets it sleep. */
  readonly idle: number | undefined;
  /** Address of Treehouse's own registry, if it is known. */
  readonly registry: string | undefined;
  /** Its compose files, relative to it, where they are not those that Compose would find. */
  readonly files?: readonly string[];
  readonly signal: AbortSignal;
}

export type TreePlan =
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[]; readonly changes: readonly Change[] }
  | {
      readonly kind: 'planned';
      readonly stack: Stack;
      /** Every image that it draws in; none is refused by its name. */
      readonly drawn: DrawnIn;
    };

/**
 * The tree must hold a compose file; see template.ts for one that does not.
 * @throws {TreehouseError} `compose-unreadable` where Compose cannot read it.
 */
export async function planTree(input: TreeInput): Promise<TreePlan> {
  const { composer, root, images, policy, idle, registry, signal } = input;
  const names = input.files ?? (await findComposeFiles(root));
  const sources = await inspectSources(root, names);
  const refused = async (refusals: readonly Refusal[], changes: readonly Change[] = []): Promise<TreePlan> => {
    const files = await Promise.all(
      sources.files.map(async (file) => ({
        name: path.relative(root, file),
        text: await readFile(file, 'utf8').catch(() => ''),
      })),
    );
    const locate = locator(files);
    return { kind: 'refused', refusals: refusals.map((one) => ({ ...one, ...locate(one.path) })), changes };
  };
  if (sources.refusals.length > 0) return refused(sources.refusals);
  const model = await composer.read({ ...sources, root, signal });
  const result = await harden(root, model, policyOf(policy, idle));
  if (result.kind === 'refused') return refused(result.refusals, result.changes);
  const drawn = await readStackImages(root, result.stack, sources.files);
  const faults = judgeImages(drawn, { rules: images, registry });
  if (faults.length > 0) return refused(faults, result.stack.changes);
  return { kind: 'planned', stack: result.stack, drawn };
}
