/**
 * The few hashes from which a log can be followed leaf by leaf: the roots of its perfect subtrees, the largest first, one
 * for each bit that is set in its size. A new follower has them from the inclusion proof of the last leaf.
 */
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { nodeHash } from '../index-map/tree-hash.ts';
import { EMPTY_ROOT } from './checkpoint.ts';
import { checkInclusion, type TreeHead, type TreeProof } from './tree-proofs.ts';

export interface CompactRange {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

export const EMPTY_RANGE: CompactRange = { size: 0, hashes: [] };

/** @throws InvalidLogError INCLUSION_FAILED */
export function rangeFromLastLeaf(tree: TreeHead, leaf: Digest, proof: TreeProof): CompactRange {
  checkInclusion(tree, tree.size - 1, leaf, proof);
  // On the last leaf's way every neighbour stands on the left; those of full subtrees come first.
  let hash: Uint8Array = digestToBytes(leaf);
  let joined = 0;
  for (let rest = tree.size - 1; rest % 2 === 1; rest = (rest - 1) / 2)
    hash = nodeHash(proof[joined++] as Uint8Array, hash);
  return { size: tree.size, hashes: [...proof.slice(joined).toReversed(), hash] };
}

export function appendLeaf({ size, hashes }: CompactRange, leaf: Digest): CompactRange {
  const left = [...hashes];
  let hash: Uint8Array = digestToBytes(leaf);
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2)
    hash = nodeHash(left.pop() as Uint8Array, hash);
  return { size: size + 1, hashes: [...left, hash] };
}

export function rangeRoot({ hashes }: CompactRange): Digest {
  if (hashes.length === 0) return EMPTY_ROOT;
  return digestFromBytes(hashes.reduceRight((right, left) => nodeHash(left, right)));
}

/** Whether a range that was kept has as many hashes as its size needs. */
export function isCompactRange({ size, hashes }: CompactRange): boolean {
  if (!Number.isSafeInteger(size) || size < 0) return false;
  const ones = size.toString(2).replaceAll('0', '').length;
  return hashes.length === ones && hashes.every((hash) => hash.length === 32);
}
