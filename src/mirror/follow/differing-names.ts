/** For which names voters' maps differ: found by their leaf hashes, so that equal maps cost 65,536 comparisons. */
import { setImmediate } from 'node:timers/promises';
import { decodeKnownBin } from '../../core/index-map/index-bin.ts';
import { type IndexEntry, sameEntry } from '../../core/index-map/index-entry.ts';
import { differingLeaves } from '../../core/index-map/leaf-scan.ts';

/** Compared before others have their turn: some milliseconds. */
const BINS_AT_ONCE = 64;

export interface ComparedMap {
  leaves(): Uint8Array;
  bin(number: number): Promise<Uint8Array>;
}

/** The bins in which not all are the same, ascending. */
export function differingBins(all: readonly Uint8Array[]): number[] {
  const [first, ...others] = all.map((leaves) =>
    Buffer.from(leaves.buffer, leaves.byteOffset, leaves.length),
  );
  if (first === undefined) return [];
  const bins = others.map((leaves) => differingLeaves(first, leaves));
  return bins.length === 1 ? (bins[0] as number[]) : [...new Set(bins.flat())].sort((a, b) => a - b);
}

/** In the order of bins; some at a time, which may be none. */
export async function* differingNames(maps: readonly ComparedMap[]): AsyncGenerator<string[]> {
  for (const [at, bin] of differingBins(maps.map((map) => map.leaves())).entries()) {
    if (at % BINS_AT_ONCE === 0) await setImmediate();
    const bytes = await Promise.all(maps.map((map) => map.bin(bin)));
    yield namesThatDiffer(bytes);
  }
}

/** Of two versions of one bin, exactly one lacks names that did not fit. A partial bin is a map of two keys, others of one. */
export function turnsPartial(a: Uint8Array, b: Uint8Array): boolean {
  return a[0] !== b[0];
}

/** Of versions of one bin; all of its names where one of them is partial and another is not. */
export function namesThatDiffer(versions: readonly Uint8Array[]): string[] {
  const bins = versions.map(decodeKnownBin);
  const turned = bins.some(({ partial }) => partial !== bins[0]?.partial);
  const seen = new Map<string, IndexEntry[]>();
  for (const { entries } of bins)
    for (const entry of entries) seen.set(entry.name, [...(seen.get(entry.name) ?? []), entry]);
  return [...seen]
    .filter(([, entries]) => {
      const [first] = entries;
      return (
        turned ||
        entries.length !== bins.length ||
        entries.some((entry) => !sameEntry(entry, first as IndexEntry))
      );
    })
    .map(([name]) => name);
}
