/** Does what was decided. Whatever goes wrong with one thing is said, and keeps no other from being done. */
import { type PreviewId, previewId } from '../domain/names.ts';
import type { Decision, Owner, SweepLine, Thing } from '../domain/sweep.ts';
import { messageOf, TreehouseError } from '../errors.ts';
import { previewOf } from './decide.ts';
import type { SweepDeps } from './deps.ts';
import { grouped } from './grouped.ts';
import { readForks, readHeads } from './observe.ts';
import { branchKey, couldBeOf, standings } from './standing.ts';

/** Seconds for a container to end by itself; its preview is gone, so there is little to save. */
const STOP_GRACE = 2;

type Removal = Extract<Decision, { action: 'remove' }>;

/** @returns a line for each decision, in their order. */
export async function carryOut(
  deps: SweepDeps,
  decisions: readonly Decision[],
  signal: AbortSignal,
): Promise<readonly SweepLine[]> {
  const lines = new Map<Decision, SweepLine>(decisions.map((one) => [one, lineOf(one)]));
  for (const one of decisions) {
    if (one.action !== 'hint') continue;
    await attempt(lines, one, async () => {
      signal.throwIfAborted();
      if (one.know) await deps.store.know(one.know);
      await deps.hints.hint(one.id);
    });
  }
  // By the preview whose converge must not run meanwhile.
  const slugs = new Map(deps.repositories().map((one) => [one.name, one.slug]));
  const removals = decisions.filter((one) => one.action === 'remove');
  for (const [id, group] of grouped(removals, (one) => previewOf(one.thing.owner, slugs))) {
    const removeAll = async (): Promise<void> => {
      for (const one of group) {
        await attempt(lines, one, () => {
          signal.throwIfAborted();
          return remove(deps, one.thing);
        });
      }
    };
    const leave = (why: string): void => {
      for (const one of group) lines.set(one, { ...lineOf(one), action: 'leave', why });
    };
    if (id === undefined) {
      await removeAll();
      continue;
    }
    const held = await deps.worker.hold(id, async () => {
      // Pushed again while the rest of the world was read: its next build may find these things useful.
      const doubt = await whyNot(deps, id, group, signal);
      if (doubt === undefined) await removeAll();
      else leave(doubt);
    });
    if (!held) leave(`${id} is being converged`);
  }
  return [...lines.values()];
}

/** A decision as it is shown. */
export function lineOf({ what, name, action, why }: Decision): SweepLine {
  return { what, name, action, why };
}

async function attempt(lines: Map<Decision, SweepLine>, one: Decision, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    lines.set(one, { ...lineOf(one), failed: messageOf(error) });
  }
}

/** Why the things of a preview are to stay after all; asks the remote once more. */
async function whyNot(
  deps: SweepDeps,
  id: PreviewId,
  group: readonly Removal[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const named = group.map((one) => repositoryOf(one.thing.owner)).find((one) => one !== undefined);
  const repository = deps.repositories().find((one) => (named === undefined ? couldBeOf(one, id) : one.name === named));
  if (!repository) return undefined;
  const { heads } = await readHeads(deps, repository, signal);
  if ('unread' in heads) return `nothing of ${repository.name} is touched: ${heads.unread}`;
  const found = [...heads].filter(([branch]) => previewId(repository.slug, branch) === id);
  const facts = await Promise.all(
    found.map(async ([branch]) => {
      return [branchKey(repository.name, branch), await deps.store.pullRequests(repository.name, branch)] as const;
    }),
  );
  const [aside, paths] = await Promise.all([deps.store.allAside(), deps.store.allPaths()]);
  const known = { pullRequests: new Map(facts), aside, paths, forks: await readForks(deps, [repository]) };
  const now = standings([{ repository, heads: new Map(found) }], known);
  return group.some((one) => now.of(one.thing.owner).kind !== 'absent') ? 'it is wanted again' : undefined;
}

function repositoryOf(owner: Owner): string | undefined {
  if (owner.kind === 'preview') return owner.key?.repository;
  return owner.kind === 'nobody' ? undefined : owner.repository;
}

async function remove(deps: SweepDeps, thing: Thing): Promise<void> {
  const { engine } = deps;
  switch (thing.what) {
    case 'route':
      if (thing.owner.kind === 'preview') await deps.gateway.setRoutes(thing.owner.id, []);
      return;
    case 'container':
      await engine.stop(thing.ref, STOP_GRACE);
      return engine.removeContainer(thing.ref);
    case 'network':
      return engine.removeNetwork(thing.ref);
    case 'volume':
      return engine.removeVolume(thing.ref);
    case 'image':
      await engine.removeImage(thing.ref);
      // The engine's refusal is no error to teardown, which comes again.
      if (await engine.image(thing.ref)) {
        throw new TreehouseError('engine-away', `removing ${thing.ref} failed: a container or an image needs it`, {
          kind: 'transient',
        });
      }
      return;
    default:
      await deps.places.find((one) => one.kinds.includes(thing.what))?.remove(thing);
  }
}
