/** Bins that come into the store: received ones, checked, and whole maps made from entries. */
import { setImmediate } from 'node:timers/promises';
import { fitBin } from '../../core/index-map/fit-bin.ts';
import { checkBin, EMPTY_BIN, encodeBin } from '../../core/index-map/index-bin.ts';
import { BINS, type IndexEntry } from '../../core/index-map/index-entry.ts';
import { leafHash } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import type { StoredBin } from './base-file.ts';
import type { NewBin } from './bin-shelf.ts';
import { EntryPack } from './entry-pack.ts';

/** Others' turn after so many bins: some milliseconds. */
const BINS_AT_ONCE = 64;

/** In batches of about a megabyte. @throws InvalidIndexMapError BIN_* */
export function* newBins(bins: Iterable<readonly [number: number, bytes: Uint8Array]>): Generator<NewBin[]> {
  let batch: NewBin[] = [];
  let size = 0;
  for (const [number, bytes] of bins) {
    const count = checkBin(bytes, number);
    batch.push({ number, bytes, hash: leafHash(bytes), count });
    size += bytes.length;
    if (size < limits.indexMap.readAhead) continue;
    yield batch;
    [batch, size] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Reads all entries at once; the bins, all of them and in order, are encoded while they are read. */
export async function packEntries(
  entries: Iterable<IndexEntry> | AsyncIterable<IndexEntry>,
): Promise<AsyncGenerator<StoredBin[]>> {
  const pack = new EntryPack();
  for await (const entry of entries) pack.add(entry);
  return (async function* () {
    for (let first = 0; first < BINS; first += BINS_AT_ONCE) {
      const piece: StoredBin[] = [];
      for (let number = first; number < first + BINS_AT_ONCE; number++) {
        const bin = fitBin(pack.bin(number));
        const count = bin.entries.length;
        piece.push({ bytes: count === 0 ? EMPTY_BIN : encodeBin(bin), count });
      }
      yield piece;
      await setImmediate();
    }
  })();
}
