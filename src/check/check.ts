/** Says of a working tree what a push of it would meet, without an engine, a network or a running Treehouse. */
import { copyFile, cp, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { composeFile, serviceKey } from '../domain/compose-file.ts';
import type { Branch, BuildId, Commit, PreviewId, RepositoryName } from '../domain/names.ts';
import type { Composer, Repository } from '../domain/ports.ts';
import { soonestIdle } from '../domain/rest.ts';
import { type Change, type Exposure, everyService, type Refusal, type Seed, type Stack } from '../domain/stack.ts';
import { TreehouseError } from '../errors.ts';
import { chooseTemplate, type Template } from '../plan/template.ts';
import { planTree, type TreePlan } from '../plan/tree.ts';
import { findComposeFiles, NOT_YAML } from '../policy/sources.ts';

export interface CheckInput {
  readonly composer: Composer;
  /** A folder, or a compose file in one. */
  readonly tree: string;
  /** Folder of the templates: for trees without a compose file, and the seccomp profile. */
  readonly templates: string;
  /** Of the configuration, if one is named. */
  readonly rules: RepositoryRules;
  readonly signal: AbortSignal;
}

/** What an admin asks of a repository. */
export type RepositoryRules = Pick<Repository, 'images' | 'policy' | 'idle'>;

export interface CheckReport {
  readonly path: string;
  readonly accepted: boolean;
  /** `unreadable`: it did not come to a judgement. */
  readonly verdict: 'accepted' | 'refused' | 'unreadable';
  /** Where there is no compose file: what the tree is taken for. */
  readonly template?: Template;
  readonly refusals: readonly Refusal[];
  readonly changes: readonly Change[];
  /** What would run; none where it is refused. */
  readonly services: readonly { readonly name: string; readonly from: string; readonly role: 'app' | 'test' }[];
  readonly exposed: readonly Exposure[];
  /** Commands that fill new data, in their order. */
  readonly seeds: readonly Seed[];
  /** Milliseconds without a visit after which it sleeps, by the file and the configuration; null: never. */
  readonly idle: number | null;
  /** Every image that is drawn in, by name. */
  readonly images: readonly string[];
  /** The containers that would be made, in Compose's words, `$` doubled, for a preview named `check`; null where it is refused. */
  readonly model: unknown;
}

/** @throws `bad-config` where `tree` is neither. */
export async function checkTree(input: CheckInput): Promise<CheckReport> {
  const { root, files } = await treeOf(input.tree);
  try {
    if (files !== undefined || (await findComposeFiles(root)).length > 0)
      return reportOf(input, root, await plan(input, root, files));
    const template = await chooseTemplate(root);
    return { ...(await inTemplate(input, root, template)), path: root, template };
  } catch (error) {
    if (!(error instanceof TreehouseError)) throw error;
    if (error.code !== 'compose-unreadable' && error.code !== 'nothing-to-run') throw error;
    const refusals = [{ path: '.', rule: error.code, message: error.message }];
    return { ...NOTHING, path: root, verdict: 'unreadable', refusals };
  }
}

const NOTHING = {
  accepted: false,
  verdict: 'refused',
  refusals: [],
  changes: [],
  services: [],
  exposed: [],
  seeds: [],
  idle: null,
  images: [],
  model: null,
} as const;

async function treeOf(tree: string): Promise<{ readonly root: string; readonly files?: readonly string[] }> {
  const real = await realpath(tree).catch(() => undefined);
  if (real !== undefined && (await stat(real)).isDirectory()) return { root: real };
  if (real !== undefined && /\.ya?ml$/.test(real)) return { root: path.dirname(real), files: [path.basename(real)] };
  throw new TreehouseError(
    'bad-config',
    `'${tree}' is neither a folder nor a compose file: name a repository's working tree`,
  );
}

function plan(input: CheckInput, root: string, files?: readonly string[]): Promise<TreePlan> {
  const { composer, rules, signal } = input;
  return planTree({
    composer,
    root,
    images: rules.images,
    policy: rules.policy,
    idle: rules.idle,
    registry: undefined,
    signal,
    ...(files ? { files } : {}),
  });
}

/** Aside, since nothing is written into the tree: of the repository a template uses only the Dockerfile. */
async function inTemplate(input: CheckInput, root: string, template: Template): Promise<CheckReport> {
  const aside = await mkdtemp(path.join(tmpdir(), 'treehouse-check-'));
  try {
    await cp(path.join(input.templates, template), aside, { recursive: true });
    if (template === 'dockerfile') await copyFile(path.join(root, 'Dockerfile'), path.join(aside, 'Dockerfile'));
    return reportOf(input, root, await plan(input, aside));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function reportOf(input: CheckInput, root: string, result: TreePlan): CheckReport {
  if (result.kind === 'refused') {
    const { refusals, changes } = result;
    const isRead = refusals.some((one) => !one.message.startsWith(NOT_YAML));
    return { ...NOTHING, path: root, verdict: isRead ? 'refused' : 'unreadable', refusals, changes };
  }
  const { stack, drawn } = result;
  return {
    path: root,
    accepted: true,
    verdict: 'accepted',
    refusals: [],
    changes: stack.changes,
    services: everyService(stack).map((one) => ({
      name: one.name,
      from: one.image ?? `built from ${one.build?.context || '.'}`,
      role: one === stack.test?.service ? 'test' : 'app',
    })),
    exposed: stack.exposed,
    seeds: stack.seeds ?? [],
    idle: soonestIdle(input.rules.idle, stack.idle) ?? null,
    images: [...new Set(drawn.images.flatMap((one) => one.reference ?? []))].sort(),
    model: modelOf(stack, root, path.join(input.templates, 'isolation', 'seccomp.json')),
  };
}

/** As the containers of a build are described, with names that stand for what a push decides. */
function modelOf(stack: Stack, root: string, seccomp: string): unknown {
  const build = 'check' as BuildId;
  const whole = composeFile({
    instance: 'check',
    preview: { id: 'check' as PreviewId, repository: 'check/check' as RepositoryName, branch: 'check' as Branch },
    build,
    commit: '0'.repeat(40) as Commit,
    role: 'app',
    services: stack.services.map((service) => ({
      service,
      image: service.image ?? `${service.name}:check`,
      config: 'check',
      reserved: [],
    })),
    checkout: root,
    networks: new Map(Object.keys(stack.networks).map((key) => [key, `th-check-${key}`])),
    volumeName: (key) => `th-check_${key}`,
    seccomp,
  });
  const services = Object.entries(whole.services as Record<string, unknown>);
  const suffix = serviceKey('', build);
  return { ...whole, services: Object.fromEntries(services.map(([key, one]) => [key.slice(0, -suffix.length), one])) };
}
