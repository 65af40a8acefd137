/** What leads from one map to another, whoever keeps them. */
import { InvalidIndexMapError } from '../../core/errors.ts';
import { decodeBin } from '../../core/index-map/index-bin.ts';
import { diffBins, type IndexDelta, joinDeltas } from '../../core/index-map/index-delta.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { limits } from '../../core/limits.ts';
import type { IndexMap } from './index-maps.ts';
import { leafAt } from './map-view.ts';

/** Digest, and the least that CBOR needs around it and a name. */
const ENTRY_BYTES = 38;

/** @throws InvalidIndexMapError DELTA_TOO_LARGE as soon as that is certain; neither map may change meanwhile */
export async function diffMaps(before: IndexMap, after: IndexMap): Promise<IndexDelta> {
  const [left, right] = [Buffer.from(before.leaves()), Buffer.from(after.leaves())];
  const parts: IndexDelta[] = [];
  let size = 0;
  for (let number = 0; number < BINS; number++) {
    if (leafAt(left, number).equals(leafAt(right, number))) continue;
    const [was, is] = await Promise.all([before.bin(number), after.bin(number)]);
    const part = diffBins(decodeBin(was, number), decodeBin(is, number), number);
    for (const { name } of part.set) size += ENTRY_BYTES + name.length;
    for (const name of part.del) size += 1 + name.length;
    if (size > limits.indexMap.deltaBytes)
      throw new InvalidIndexMapError(
        'DELTA_TOO_LARGE',
        `the delta between the index maps ${before.name} and ${after.name} is over ${limits.indexMap.deltaBytes} bytes: compare the leaves`,
      );
    parts.push(part);
  }
  return joinDeltas(parts);
}
