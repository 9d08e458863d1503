/** Says of a working tree what a push of it would meet, without an engine, a network or a running Treehouse. */
import { copyFile, cp, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Composer, Repository } from '../domain/ports.ts';
import { type Change, type Exposure, everyService, type Refusal } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';
import { chooseTemplate, type Template } from '../plan/template.ts';
import { planTree, type TreePlan } from '../plan/tree.ts';
import { findComposeFiles } from '../policy/sources.ts';

export interface CheckInput {
  readonly composer: Composer;
  /** A folder. */
  readonly tree: string;
  /** Folder of the templates for trees without a compose file. */
  readonly templates: string;
  /** Of the configuration, if one is named. */
  readonly rules: RepositoryRules;
  readonly signal: AbortSignal;
}

/** What an admin asks of a repository. */
export type RepositoryRules = Pick<Repository, 'images' | 'policy'>;

export interface CheckReport {
  readonly path: string;
  readonly verdict: 'accepted' | 'refused';
  /** Where there is no compose file: what the tree is taken for. */
  readonly template?: Template;
  readonly refusals: readonly Refusal[];
  readonly changes: readonly Change[];
  /** What would run; none where it is refused. */
  readonly services: readonly { readonly name: string; readonly from: string; readonly role: 'app' | 'test' }[];
  readonly exposed: readonly Exposure[];
  /** Every image that is drawn in, by name. */
  readonly images: readonly string[];
}

/** @throws `bad-config` where `tree` is no folder. */
export async function checkTree(input: CheckInput): Promise<CheckReport> {
  const root = await folder(input.tree);
  try {
    if ((await findComposeFiles(root)).length > 0) return reportOf(root, await plan(input, root));
    const template = await chooseTemplate(root);
    return { ...(await inTemplate(input, root, template)), path: root, template };
  } catch (error) {
    if (!(error instanceof TreehouseError)) throw error;
    if (error.code !== 'compose-unreadable' && error.code !== 'nothing-to-run') throw error;
    return { ...NOTHING, path: root, refusals: [{ path: '.', rule: error.code, message: error.message }] };
  }
}

const NOTHING = { verdict: 'refused', refusals: [], changes: [], services: [], exposed: [], images: [] } as const;

async function folder(tree: string): Promise<string> {
  const root = await realpath(tree).catch(() => undefined);
  if (root !== undefined && (await stat(root)).isDirectory()) return root;
  throw new TreehouseError('bad-config', `'${tree}' is not a folder: name a repository's working tree`);
}

function plan(input: CheckInput, root: string): Promise<TreePlan> {
  const { composer, rules, signal } = input;
  return planTree({ composer, root, images: rules.images, policy: rules.policy, registry: undefined, signal });
}

/** Aside, since nothing is written into the tree: of the repository a template uses only the Dockerfile. */
async function inTemplate(input: CheckInput, root: string, template: Template): Promise<CheckReport> {
  const aside = await mkdtemp(path.join(tmpdir(), 'treehouse-check-'));
  try {
    await cp(path.join(input.templates, template), aside, { recursive: true });
    if (template === 'dockerfile') await copyFile(path.join(root, 'Dockerfile'), path.join(aside, 'Dockerfile'));
    return reportOf(root, await plan(input, aside));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function reportOf(root: string, result: TreePlan): CheckReport {
  if (result.kind === 'refused') {
    return { ...NOTHING, path: root, refusals: result.refusals, changes: result.changes };
  }
  const { stack, drawn } = result;
  return {
    path: root,
    verdict: 'accepted',
    refusals: [],
    changes: stack.changes,
    services: everyService(stack).map((one) => ({
      name: one.name,
      from: one.image ?? `built from ${one.build?.context || '.'}`,
      role: one === stack.test?.service ? 'test' : 'app',
    })),
    exposed: stack.exposed,
    images: [...new Set(drawn.images.flatMap((one) => one.reference ?? []))].sort(),
  };
}
