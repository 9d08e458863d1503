/** Several streams as one, each no faster than it is read. */

export async function* merged<T>(...streams: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  type Next = { readonly stream: AsyncGenerator<T>; readonly result: IteratorResult<T> };
  const ask = (stream: AsyncGenerator<T>): Promise<Next> => stream.next().then((result) => ({ stream, result }));
  const open = new Map(streams.map((stream) => [stream, ask(stream)]));
  while (open.size > 0) {
    const { stream, result } = await Promise.race(open.values());
    if (result.done) {
      open.delete(stream);
      continue;
    }
    yield result.value;
    open.set(stream, ask(stream));
  }
}
