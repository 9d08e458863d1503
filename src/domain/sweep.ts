/** What a sweep finds and what it says of it: the words that its parts share. */
import type { Branch, PreviewId, RepositoryName } from './names.ts';
import type { ObservedStack } from './observed.ts';
import type { PreviewKey } from './preview.ts';

/** What Treehouse leaves in the world, in the order in which it can be taken away. */
export const KINDS = [
  'route',
  'container',
  'network',
  'volume',
  'image',
  'tag',
  'secrets',
  'folder',
  'pin',
  'link',
  'key',
  'mirror',
] as const;
export type Kind = (typeof KINDS)[number];

/** Whose a thing is, by its labels or its name. */
export type Owner =
  /** `key` where the thing itself says it. */
  | { readonly kind: 'preview'; readonly id: PreviewId; readonly key?: PreviewKey }
  | { readonly kind: 'branch'; readonly repository: RepositoryName; readonly branch: Branch }
  | { readonly kind: 'repository'; readonly repository: RepositoryName }
  | { readonly kind: 'nobody' };

export interface Thing {
  readonly what: Kind;
  /** For people. */
  readonly name: string;
  /** By which its place finds it; another thing of the same name has another one where the place has ids. */
  readonly ref: string;
  readonly owner: Owner;
}

/** What is on the engine. */
export interface Inventory {
  readonly stacks: ReadonlyMap<PreviewId, ObservedStack>;
  readonly things: readonly Thing[];
}

/** Somewhere that things of previews lie. */
export interface Place {
  /** For people, as in "the registry could not be read". */
  readonly name: string;
  /** What it has. */
  readonly kinds: readonly Kind[];
  /**
   * All that is this Treehouse's there. Of a preview for which `isWanted` is true it may give others' things too, where telling
   * them apart costs something: they stay in any case.
   */
  find(isWanted: (id: PreviewId) => Promise<boolean>): Promise<readonly Thing[]>;
  /** Takes away one that `find` gave; nothing where it is gone already. */
  remove(thing: Thing): Promise<void>;
}

interface Said {
  readonly what: Kind | 'preview' | 'repository' | 'pull requests' | 'place';
  readonly name: string;
  readonly why: string;
}

/**
 * `hint`: its preview is to be looked at. `remove`: it belongs to nothing, for longer than the grace time. `wait`: it belongs to
 * nothing, but not for long. `leave`: something speaks against touching it. `note`: it is remembered, and nothing else.
 */
export type Decision =
  /** `know`: the preview is one that should be. */
  | (Said & { readonly action: 'hint'; readonly id: PreviewId; readonly know: PreviewKey | undefined })
  | (Said & { readonly action: 'remove'; readonly thing: Thing })
  | (Said & { readonly action: 'wait' | 'leave' | 'note' });

/** A decision, and what came of it. */
export interface SweepLine extends Said {
  readonly action: Decision['action'];
  /** Why it could not be done. */
  readonly failed?: string;
}

export interface SweepReport {
  /** Whether nothing was done. */
  readonly dryRun: boolean;
  readonly lines: readonly SweepLine[];
}

/** Looks at the whole world, and brings into order what does not belong, unless it is a dry run. */
export type Sweep = (options: { readonly dryRun: boolean }) => Promise<SweepReport>;
