/** Bounded reads of whole things and of exact parts. */
import { InvalidContentError } from '../core/errors.ts';
import type { ByteSource } from '../store/blob-store.ts';

/** All of a stream, at most `limit` bytes; a longer one throws InvalidContentError and is left. */
export async function collect(
  body: AsyncIterable<Uint8Array>,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limit) throw new InvalidContentError(`${what} has more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** `length` bytes from `offset`; fewer only where the source ends. */
export async function readPart(
  source: Pick<ByteSource, 'read'>,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = await source.read(target.subarray(filled), offset + filled, { signal });
    if (got === 0) break;
    filled += got;
  }
  return target.subarray(0, filled);
}

/** All of a source, at most `limit` bytes. */
export async function readAll(
  source: Pick<ByteSource, 'read' | 'size'>,
  limit: number,
  what: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await readPart(source, 0, Math.min(source.size ?? limit + 1, limit + 1), signal);
  if (bytes.length > limit) throw new InvalidContentError(`${what} has more than ${limit} bytes`);
  return bytes;
}
