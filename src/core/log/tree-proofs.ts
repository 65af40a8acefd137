/** Checks RFC 6962 proofs. A proof holds only with exactly the hashes it needs, so there is one proof for one fact. */
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { InvalidLogError } from '../errors.ts';
import { nodeHash } from '../index-map/tree-hash.ts';
import { EMPTY_ROOT } from './checkpoint.ts';
import { splitPoint } from './tree-nodes.ts';

/** Hashes of 32 bytes, the one beside the leaf (or beside the smaller tree) first. */
export type TreeProof = readonly Uint8Array[];

/** A tree's size and root. */
export interface TreeHead {
  readonly size: number;
  readonly root: Digest;
}

/** @throws InvalidLogError INCLUSION_FAILED unless leaf `index` of the tree has this hash */
export function checkInclusion(tree: TreeHead, index: number, leaf: Digest, proof: TreeProof): void {
  const valid =
    Number.isSafeInteger(index) &&
    index >= 0 &&
    index < tree.size &&
    proof.every((hash) => hash.length === 32);
  const root = valid
    ? includedRoot(0, tree.size, index, digestToBytes(leaf), proof, proof.length)
    : undefined;
  if (root === undefined || digestFromBytes(root) !== tree.root)
    throw new InvalidLogError(
      'INCLUSION_FAILED',
      `the proof that leaf ${index} is in the log of ${tree.size} leaves does not lead to its root ${tree.root}`,
    );
}

/** @throws InvalidLogError CONSISTENCY_FAILED unless `tree` begins with all leaves of `older` */
export function checkConsistency(older: TreeHead, tree: TreeHead, proof: TreeProof): void {
  const holds =
    older.size <= tree.size &&
    proof.every((hash) => hash.length === 32) &&
    (older.size === 0 ? proof.length === 0 && older.root === EMPTY_ROOT : leadsOn(older, tree, proof));
  if (!holds)
    throw new InvalidLogError(
      'CONSISTENCY_FAILED',
      `the proof that the log of ${tree.size} leaves (root ${tree.root}) begins with that of ${older.size} (root ${older.root}) fails`,
    );
}

function leadsOn(older: TreeHead, tree: TreeHead, proof: TreeProof): boolean {
  const roots = consistentRoots(0, tree.size, older.size, digestToBytes(older.root), proof, proof.length);
  return (
    roots !== undefined &&
    digestFromBytes(roots.old) === older.root &&
    digestFromBytes(roots.all) === tree.root
  );
}

/** The root of [low, high) that the first `count` hashes of the proof imply. Deeper than 53 it cannot go. */
function includedRoot(
  low: number,
  high: number,
  index: number,
  leaf: Uint8Array,
  proof: TreeProof,
  count: number,
): Uint8Array | undefined {
  if (low + 1 === high) return count === 0 ? leaf : undefined;
  const beside = proof[count - 1];
  if (beside === undefined) return undefined;
  const middle = low + splitPoint(high - low).k;
  const isLeft = index < middle;
  const below = isLeft
    ? includedRoot(low, middle, index, leaf, proof, count - 1)
    : includedRoot(middle, high, index, leaf, proof, count - 1);
  if (below === undefined) return undefined;
  return isLeft ? nodeHash(below, beside) : nodeHash(beside, below);
}

interface Roots {
  readonly old: Uint8Array;
  readonly all: Uint8Array;
}

function consistentRoots(
  low: number,
  high: number,
  from: number,
  old: Uint8Array,
  proof: TreeProof,
  count: number,
): Roots | undefined {
  if (from === high) {
    if (low === 0) return count === 0 ? { old, all: old } : undefined;
    const common = proof[0];
    return count === 1 && common !== undefined ? { old: common, all: common } : undefined;
  }
  const beside = proof[count - 1];
  if (beside === undefined) return undefined;
  const middle = low + splitPoint(high - low).k;
  if (from <= middle) {
    const below = consistentRoots(low, middle, from, old, proof, count - 1);
    return below && { old: below.old, all: nodeHash(below.all, beside) };
  }
  const below = consistentRoots(middle, high, from, old, proof, count - 1);
  return below && { old: nodeHash(beside, below.old), all: nodeHash(beside, below.all) };
}
