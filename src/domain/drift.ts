/** Whether a preview that should be is as it should be: what a webhook that never came, or a crash, left undone. Pure. */
import { isServing, type LiveBuild, liveBuild } from './live.ts';
import { type Commit, shortCommit } from './names.ts';
import type { ObservedStack } from './observed.ts';
import type { Route } from './ports.ts';
import { hasFailed, type PreviewKey, type PreviewRecord } from './preview.ts';

/** @returns why it is to be looked at; undefined where all is well, or as well as it can be. */
export function driftOf(seen: {
  readonly key: PreviewKey;
  /** What it should serve. */
  readonly commit: Commit;
  readonly record: PreviewRecord | undefined;
  readonly stack: ObservedStack | undefined;
  readonly routes: readonly Route[];
}): string | undefined {
  const { key, commit, record, stack, routes } = seen;
  const short = shortCommit(commit);
  if (!record) return `the branch is at ${short}, and nothing is known of its preview`;
  if (record.state === 'removed') return `the branch is at ${short}, and its preview was removed`;
  const live = stack && liveBuild(stack, routes);
  const leftover = stack && leftoverOf(stack, live);
  if (leftover !== undefined) return `${leftover} is left of a build that does not serve`;
  // Who visits it finds it closed, and wakes it.
  if (live && record.state === 'asleep' && (live.commit === commit || hasFailed(record, commit))) {
    return live.containers.some((one) => one.running) ? 'it sleeps, and not all of it is stopped' : undefined;
  }
  if (live?.commit === commit) {
    if (!isServing({ live, routes }, key)) return `it has ${short}, and not all of it answers where it should`;
    return record.state === 'live' ? undefined : `it serves ${short}, and is known as ${record.state}`;
  }
  if (hasFailed(record, commit)) {
    if (!live || isServing({ live, routes }, key)) return undefined;
    return `it serves ${shortCommit(live.commit)}, since ${short} failed, and not all of it answers where it should`;
  }
  return live
    ? `it serves ${shortCommit(live.commit)}, and the branch is at ${short}`
    : `the branch is at ${short}, and nothing serves it`;
}

/** Whether a build that runs is of a commit that is not the branch's any more: it is told, and ends. */
export function staleBuild(record: PreviewRecord | undefined, commit: Commit): string | undefined {
  const { attempt } = record ?? {};
  if (!attempt || attempt.outcome !== undefined || attempt.commit === commit) return undefined;
  return `it builds ${shortCommit(attempt.commit)}, and the branch is at ${shortCommit(commit)}`;
}

/** Something of a build that neither serves nor is a part of what does. */
function leftoverOf(stack: ObservedStack, live: LiveBuild | undefined): string | undefined {
  const keep = new Set(live?.containers.map((one) => one.id));
  const container = stack.containers.find((one) => !keep.has(one.id));
  if (container) return `container ${container.name}`;
  const joined = new Set(live?.containers.flatMap((one) => [...one.networks.keys()]));
  const network = stack.networks.find((one) => one.build !== live?.build && !joined.has(one.name));
  return network && `network ${network.name}`;
}
