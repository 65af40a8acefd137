/** The same items in the same order, at most so many at a time; never none. */
export async function* pieces<T>(
  batches: AsyncIterable<readonly T[]>,
  most: number,
): AsyncGenerator<readonly T[]> {
  let piece: T[] = [];
  for await (const batch of batches)
    for (const item of batch) {
      piece.push(item);
      if (piece.length < most) continue;
      yield piece;
      piece = [];
    }
  if (piece.length > 0) yield piece;
}
