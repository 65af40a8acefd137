/** Yields the results of promises as they come. A rejection ends it. Promises that are left behind are heard, not lost. */
export async function* inCompletionOrder<T>(promises: Iterable<Promise<T>>): AsyncGenerator<T> {
  const pending = new Map<Promise<T>, Promise<{ from: Promise<T>; value: T }>>();
  for (const promise of promises) {
    const tagged = promise.then((value) => ({ from: promise, value }));
    tagged.catch(() => undefined);
    pending.set(promise, tagged);
  }
  while (pending.size > 0) {
    const { from, value } = await Promise.race(pending.values());
    pending.delete(from);
    yield value;
  }
}
