/** Many questions, few at once. */
const SIDE_BY_SIDE = 8;

/** The answers in the order of the items. */
export async function batches<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += SIDE_BY_SIDE) {
    answers.push(...(await Promise.all(items.slice(at, at + SIDE_BY_SIDE).map(ask))));
  }
  return answers;
}
