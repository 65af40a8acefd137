/** The files that nodes hold when the run begins: so many copies of each, as if they had been fetched before. */
import type { Randomness } from '../../core/clock.ts';
import type { MemoryBlobs } from '../../store/memory-blob-store.ts';
import { shuffle } from '../scenario/samplers.ts';
import type { UpstreamIndex } from './upstream-index.ts';

/** All copies of a file are one array. `now`: wall clock, ms. */
export function seedCopies(
  index: UpstreamIndex,
  disks: readonly { readonly blobs: MemoryBlobs }[],
  {
    copies,
    randomness,
    now,
  }: { readonly copies: number; readonly randomness: Randomness; readonly now: number },
): void {
  for (const name of index.names()) {
    for (const file of index.page(name)?.files ?? []) {
      const made = index.bytesOf(file);
      for (const { blobs } of shuffle(disks, randomness).slice(0, copies)) {
        const bytes = blobs.shared.blob(file.digest, made);
        blobs.blobs.set(file.digest, { bytes, addedAt: now, lastUsedAt: now, holders: 0 });
        blobs.added.add(file.digest);
      }
    }
  }
}
