/**
 * Where leaf hashes differ, in blocks first: maps of neighbouring times differ in few of their 65,536 bins, and small ones are
 * empty in nearly all.
 */
import { EMPTY_LEAF } from './index-bin.ts';
import { BINS } from './index-entry.ts';
import { HASH_BYTES } from './tree-hash.ts';

/** Leaves of a block: 4 KiB, the cost of one comparison. */
const BLOCK = 128;
const BLOCK_BYTES = BLOCK * HASH_BYTES;

const emptyBlock = Buffer.alloc(BLOCK_BYTES, EMPTY_LEAF);

/** The bins in which two maps are not the same, ascending. */
export function differingLeaves(a: Buffer, b: Buffer): number[] {
  return scan(a, b, (at) => at);
}

/** The bins that have names, ascending. */
export function occupiedLeaves(leaves: Buffer): number[] {
  return scan(leaves, emptyBlock, (at) => at % BLOCK_BYTES);
}

/** `place`: where `b` has what belongs to a byte of `a`. */
function scan(a: Buffer, b: Buffer, place: (at: number) => number): number[] {
  const found: number[] = [];
  const equal = (at: number, bytes: number): boolean =>
    a.compare(b, place(at), place(at) + bytes, at, at + bytes) === 0;
  for (let block = 0; block < BINS; block += BLOCK) {
    if (equal(block * HASH_BYTES, BLOCK_BYTES)) continue;
    for (let number = block; number < block + BLOCK; number++)
      if (!equal(number * HASH_BYTES, HASH_BYTES)) found.push(number);
  }
  return found;
}
