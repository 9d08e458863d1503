/** Says on the forge what differs from what was said. Each step may be repeated: whatever is cut off is found again. */
import { createHash } from 'node:crypto';
import { type Forge, ForgeFault } from '../domain/forge.ts';
import type { Commit } from '../domain/names.ts';
import type { PreviewKey } from '../domain/preview.ts';
import type { Said, SaidBook, SaidComment, SaidDeployment } from '../domain/said.ts';
import { TreehouseError } from '../errors.ts';
import { markerOf } from './comment.ts';
import type { Wanted, WantedComment, WantedDeployment } from './wanted.ts';

/** Whatever is said, by the permission that it takes. */
export type Feature = 'statuses' | 'deployments' | 'comments';

/** One thing to say. `digest` is of all of it: the same again need not be tried where it was refused. */
export interface Saying {
  readonly feature: Feature;
  readonly subject: string;
  readonly digest: string;
  say(): Promise<void>;
}

export interface SayInput {
  readonly preview: PreviewKey;
  readonly wanted: Wanted;
  readonly said: Said;
  readonly signal: AbortSignal;
}

export interface SayDeps {
  readonly forge: Forge;
  readonly book: SaidBook;
  now(): number;
  /** Milliseconds after which what was made is found by everyone who asks. */
  readonly settlesMs: number;
}

/** What is to be said, in this order; none where all was. */
export function sayings(deps: SayDeps, input: SayInput): readonly Saying[] {
  return [...commitSayings(deps, input), ...deploymentSaying(deps, input), ...commentSayings(deps, input)];
}

export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}

/** Forgets final words that will not change any more. */
export async function forgetOld({ book }: SayDeps, { preview, wanted, said }: SayInput): Promise<void> {
  for (const [commit, { isPending }] of said.commits) {
    if (!isPending && !wanted.commits.has(commit)) await book.noteCommit(preview.id, commit, undefined);
  }
}

function commitSayings({ forge, book }: SayDeps, input: SayInput): readonly Saying[] {
  const { preview, wanted, said, signal } = input;
  return [...wanted.commits].flatMap(([commit, report]): Saying[] => {
    const digest = digestOf(report);
    if (said.commits.get(commit)?.digest === digest) return [];
    const say = async (): Promise<void> => {
      const isPending = report.state === 'pending';
      // Before: a word that is said and not noted would wait for ever for its last.
      if (isPending) await book.noteCommit(preview.id, commit, { digest: '', isPending });
      await forge.report(preview.repository, commit, report, signal);
      await book.noteCommit(preview.id, commit, { digest, isPending });
    };
    return [{ feature: 'statuses', subject: commit, digest, say }];
  });
}

function deploymentSaying(deps: SayDeps, input: SayInput): readonly Saying[] {
  const { wanted, said } = input;
  const isSaid =
    said.deployments?.length === wanted.deployments.length &&
    wanted.deployments.every(({ commit, report }) =>
      said.deployments?.some((one) => one.commit === commit && one.digest === digestOf(report)),
    );
  if (isSaid && !wanted.isLast) return [];
  const digest = digestOf([wanted.environment, wanted.deployments]);
  const say = () => sayDeployments(deps, input);
  return [{ feature: 'deployments', subject: 'deployments', digest, say }];
}

async function sayDeployments(deps: SayDeps, input: SayInput): Promise<void> {
  const { forge, book } = deps;
  const { preview, wanted, said, signal } = input;
  const { id, repository } = preview;
  const { environment } = wanted;
  let there = (said.deployments ?? []).filter(isMade);
  let asked = (said.deployments ?? []).filter((one) => !isMade(one));
  const note = () => book.noteDeployments(id, [...there, ...asked]);
  const of = (commit: Commit) => there.find((one) => one.commit === commit);
  const isMissing = wanted.deployments.some(({ commit }) => !of(commit));
  // Asked before one is made: what was made last and not noted is there.
  if (said.deployments === undefined || isMissing || asked.length > 0 || wanted.isLast) {
    const found = await forge.deployments(repository, environment, signal);
    there = [...there, ...found.filter((one) => !there.some((known) => known.id === one.id)).map(idAndCommit)];
    asked = asked.filter(({ commit, askedAt }) => !of(commit) && isFresh(deps, askedAt));
  }
  for (const { commit, report } of wanted.deployments) {
    // One that may be on its way is waited for.
    if (of(commit) || asked.some((one) => one.commit === commit)) continue;
    const before = asked;
    asked = [...before, { commit, askedAt: deps.now() }];
    await note();
    const made = await forge.deploy(repository, { environment, commit, description: report.description }, signal);
    there = [idAndCommit(made), ...there];
    asked = before;
    await note();
  }
  const late = () => notKnownYet(`whether ${environment} has its deployment`);
  if (wanted.deployments.some(({ commit }) => !of(commit))) throw late();
  try {
    const kept = new Set(wanted.deployments.map(({ commit }) => of(commit)?.id));
    // What serves no more goes first, so that at no time two are active.
    for (const one of there.filter((other) => !kept.has(other.id))) {
      await forge.reportDeployment(repository, one.id, { state: 'inactive', description: 'Serves no more' }, signal);
    }
    for (const { commit, report } of activeLast(wanted.deployments)) {
      const one = of(commit);
      const digest = digestOf(report);
      if (!one || one.digest === digest) continue;
      await forge.reportDeployment(repository, one.id, report, signal);
      there = there.map((other) => (other === one ? { ...one, digest } : other));
      await note();
    }
    for (const one of there.filter((other) => !kept.has(other.id))) {
      await forge.removeDeployment(repository, one.id, signal);
      there = there.filter((other) => other !== one);
      await note();
    }
  } catch (error) {
    // Somebody may have removed one: what is there is asked for again.
    if (error instanceof TreehouseError && error.kind === 'terminal') await book.noteDeployments(id, undefined);
    throw error;
  }
  if (asked.length > 0) throw late();
  if (wanted.isLast) await forge.removeEnvironment(repository, environment, signal);
  await note();
}

type MadeDeployment = SaidDeployment & { readonly id: number };

function isMade(one: SaidDeployment): one is MadeDeployment {
  return one.id !== undefined;
}

function idAndCommit({ id, commit }: MadeDeployment): MadeDeployment {
  return { id, commit };
}

/** What was asked for a moment ago may be there, and not be found yet. */
function isFresh({ now, settlesMs }: SayDeps, askedAt: number | undefined): boolean {
  return askedAt !== undefined && now() < askedAt + settlesMs;
}

function notKnownYet(what: string): ForgeFault {
  return new ForgeFault(`${what} is not known yet`, { kind: 'transient' });
}

function activeLast(wanted: readonly WantedDeployment[]): readonly WantedDeployment[] {
  const isActive = ({ report }: WantedDeployment) => report.state === 'success';
  return [...wanted.filter((one) => !isActive(one)), ...wanted.filter(isActive)];
}

function commentSayings(deps: SayDeps, input: SayInput): readonly Saying[] {
  return input.wanted.comments.flatMap((one): Saying[] => {
    const digest = digestOf(one.body);
    if (input.said.comments.get(one.pullRequest)?.digest === digest) return [];
    const say = () => sayComment(deps, input, one, digest);
    return [{ feature: 'comments', subject: `comment on #${one.pullRequest}`, digest, say }];
  });
}

async function sayComment(
  deps: SayDeps,
  { preview, said, signal }: SayInput,
  { pullRequest, body, isEdit }: WantedComment,
  digest: string,
): Promise<void> {
  const { forge, book } = deps;
  const { id, repository } = preview;
  const was = said.comments.get(pullRequest);
  const note = (comment: SaidComment) => book.noteComment(id, pullRequest, comment);
  if (was?.id !== undefined && (await forge.editComment(repository, was.id, body, signal))) {
    return note({ id: was.id, digest });
  }
  const found = await forge.findComment(repository, pullRequest, markerOf(id), signal);
  if (found && (found.body === body || (await forge.editComment(repository, found.id, body, signal)))) {
    return note({ id: found.id, digest });
  }
  if (isFresh(deps, was?.askedAt)) throw notKnownYet(`whether #${pullRequest} has its comment`);
  if (isEdit) return note({ digest });
  await note({ askedAt: deps.now() });
  const made = await forge.addComment(repository, pullRequest, body, signal);
  await note({ id: made.id, digest });
}
