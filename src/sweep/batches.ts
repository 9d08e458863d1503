/** Many questions, few at once. */
const SIDE_BY_SIDE = 8;

/** The answers in the order of the items. @throws what the first threw, once all that were asked beside it have ended. */
export async function batches<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += SIDE_BY_SIDE) {
    const asked = items.slice(at, at + SIDE_BY_SIDE).map(ask);
    await Promise.allSettled(asked);
    answers.push(...(await Promise.all(asked)));
  }
  return answers;
}
