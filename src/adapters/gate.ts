/** Many may pass at once, or one alone: work that must not find something half removed, and the removal. */

export interface Gate {
  /** Beside others; waits while somebody has it alone. */
  pass<T>(work: () => Promise<T>): Promise<T>;
  /** Alone, if nobody passes now; others then wait. @returns false, undone, where somebody does. */
  ifFree(work: () => Promise<void>): Promise<boolean>;
}

export function createGate(): Gate {
  let inside = 0;
  let closed: Promise<void> | undefined;
  return {
    async pass(work) {
      while (closed) await closed;
      inside += 1;
      try {
        return await work();
      } finally {
        inside -= 1;
      }
    },
    async ifFree(work) {
      if (inside > 0 || closed) return false;
      const mine = work();
      const opened = mine.then(
        () => undefined,
        () => undefined,
      );
      closed = opened.finally(() => {
        closed = undefined;
      });
      await mine;
      return true;
    },
  };
}
