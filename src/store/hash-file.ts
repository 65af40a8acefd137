/** Hashes a file in slices, so that others get their turn in between. */
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { FileHandle } from './file-system.ts';
import type { HasherFactory } from './hasher.ts';

/** Gives [start, end) to `consume`, which keeps nothing of it; resolves to where the file ended, if before `end`. */
export async function feedRange(
  handle: FileHandle,
  { start, end }: { readonly start: number; readonly end: number },
  consume: (bytes: Uint8Array) => void | Promise<void>,
  signal?: AbortSignal,
): Promise<number> {
  const slice = Buffer.allocUnsafe(Math.min(limits.store.hashSlice, Math.max(1, end - start)));
  for (let offset = start; offset < end;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(slice, 0, Math.min(slice.length, end - offset), offset);
    if (bytesRead === 0) return offset;
    const bytes = slice.subarray(0, bytesRead);
    await consume(bytes);
    offset += bytesRead;
  }
  return end;
}

/** The SHA-256 of the first `size` bytes; undefined when there are fewer. */
export async function hashFile(
  handle: FileHandle,
  size: number,
  createHasher: HasherFactory,
  signal?: AbortSignal,
): Promise<Digest | undefined> {
  const hasher = createHasher();
  const end = await feedRange(handle, { start: 0, end: size }, (bytes) => hasher.update(bytes), signal);
  return end === size ? hasher.digest() : undefined;
}
