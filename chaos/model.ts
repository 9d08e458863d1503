/**
 * What should be, as a person would say it who knows GitHub and has never seen Treehouse's code: this file imports nothing of
 * it. Pure.
 */

export type Quality = 'good' | 'bad';

/** A commit on some branch. */
export interface ModelCommit {
  readonly id: string;
  /** What its page says, and no other's. */
  readonly text: string;
  /** A bad one cannot be built or fails its tests: what served before goes on. */
  readonly quality: Quality;
}

interface PullRequest {
  open: boolean;
  /** The branch's head when it was closed. */
  endedOn: string | undefined;
}

interface ModelBranch {
  head: ModelCommit | undefined;
  readonly pullRequests: Map<number, PullRequest>;
  /** What may serve while the head is bad, undefined for nothing: which of several that came at once was live is not to be foreseen. */
  before: ReadonlySet<string | undefined>;
}

/** What a branch's host is to answer. */
export type Expected =
  /** Nothing of it exists. */
  | { readonly kind: 'gone' }
  /** Exactly this page. */
  | { readonly kind: 'serves'; readonly commit: ModelCommit }
  /** One of these pages, or for undefined none, since its head is bad. */
  | { readonly kind: 'before'; readonly texts: ReadonlySet<string | undefined> };

export interface Model {
  readonly names: readonly string[];
  head(branch: string): ModelCommit | undefined;
  openPullRequest(branch: string): number | undefined;
  /** Pull requests that ended on what the branch is at now. */
  endedHere(branch: string): readonly number[];
  pushed(branch: string, commit: ModelCommit): void;
  deleted(branch: string): void;
  opened(branch: string, number: number): void;
  closed(branch: string, number: number): void;
  expected(branch: string): Expected;
  /** The branch was seen to serve this page, or none, when everything had come to rest. */
  settled(branch: string, text: string | undefined): void;
}

const NOTHING: ReadonlySet<undefined> = new Set([undefined]);

export function createModel(names: readonly string[]): Model {
  const branches = new Map<string, ModelBranch>(
    names.map((name) => [name, { head: undefined, pullRequests: new Map(), before: NOTHING }]),
  );
  const of = (name: string): ModelBranch => {
    const found = branches.get(name);
    if (!found) throw new Error(`the model has no branch ${name}`);
    return found;
  };
  const wanted = (one: ModelBranch): boolean => {
    if (!one.head) return false;
    const all = [...one.pullRequests.values()];
    return all.some((pull) => pull.open) || !all.some((pull) => pull.endedOn === one.head?.id);
  };

  return {
    names,
    head: (name) => of(name).head,
    openPullRequest: (name) => [...of(name).pullRequests].find(([, pull]) => pull.open)?.[0],
    endedHere: (name) =>
      [...of(name).pullRequests].filter(([, pull]) => pull.endedOn === of(name).head?.id).map(([number]) => number),
    pushed(name, commit) {
      const one = of(name);
      if (one.head?.quality === 'good' && wanted(one)) one.before = new Set([...one.before, one.head.text]);
      one.head = commit;
    },
    deleted(name) {
      const one = of(name);
      one.head = undefined;
      one.pullRequests.clear();
      one.before = new Set([...one.before, undefined]);
    },
    opened(name, number) {
      of(name).pullRequests.set(number, { open: true, endedOn: undefined });
    },
    closed(name, number) {
      const one = of(name);
      const head = one.head;
      one.pullRequests.set(number, { open: false, endedOn: head?.id });
      // It may be opened again before anyone looked.
      one.before = new Set([...one.before, ...(head?.quality === 'good' ? [head.text] : []), undefined]);
    },
    expected(name) {
      const one = of(name);
      if (!one.head || !wanted(one)) return { kind: 'gone' };
      if (one.head.quality === 'good') return { kind: 'serves', commit: one.head };
      return { kind: 'before', texts: one.before };
    },
    settled(name, text) {
      const one = of(name);
      one.before = new Set([text]);
    },
  };
}
