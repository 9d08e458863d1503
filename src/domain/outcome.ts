/** What one converge came to, and so what the queue does next. */
export type Outcome =
  /** Observed equals desired, or it cannot until something changes. */
  | { readonly kind: 'done' }
  /** Trying again may help: after `afterMs`, or with a pause that grows with each try in a row. */
  | { readonly kind: 'again'; readonly cause: string; readonly afterMs?: number }
  /** Trying again cannot help; the next hint may. */
  | {
      readonly kind: 'terminal';
      readonly cause: string;
      /** Somebody ended it, which says nothing of the commit. */
      readonly isCancelled?: true;
    };

/** What a run of converge is told while it runs. */
export interface ConvergeContext {
  /** Aborted when Treehouse stops, or when the run lost its hold of the preview. */
  readonly signal: AbortSignal;
  /** Calls back whenever the preview is hinted at during the run; returns the function that ends it. */
  onNudge(listener: () => void): () => void;
}
