/**
 * A voter's log from where this node began to follow it: the leaf hashes since then, and of what was before the few nodes that the
 * first head's inclusion proof gave. From any size since then it proves inclusion and consistency to others. Must always
 * hold: what is appended leads to a root that the voter signed (who appends has checked it).
 */
import { type Digest, digestFromBytes, digestToBytes } from '../../core/digest.ts';
import { HASH_BYTES, nodeHash } from '../../core/index-map/tree-hash.ts';
import { appendLeaf, type CompactRange, rangeFromLastLeaf, rangeRoot } from '../../core/log/compact-range.ts';
import {
  consistencyFolds,
  type Fold,
  inclusionFolds,
  rangeFold,
  type TreeNode,
} from '../../core/log/tree-nodes.ts';
import type { TreeHead, TreeProof } from '../../core/log/tree-proofs.ts';

/** Whole subtrees of at least so many leaves are hashed once. */
const REMEMBERED_LEVEL = 6;
const FIRST_LEAVES = 64;

export class LogTail {
  /** Of the first leaf in `#leaves`: the last one of the head with which following began. */
  readonly first: number;
  /** Side by side: a leaf is 32 bytes here, and 130 as a buffer of its own. */
  #leaves: Buffer = Buffer.alloc(FIRST_LEAVES * HASH_BYTES);
  readonly #known = new Map<string, Uint8Array>();
  #range: CompactRange;

  /** @throws InvalidLogError INCLUSION_FAILED */
  constructor(head: TreeHead, last: Digest, proof: TreeProof) {
    this.#range = rangeFromLastLeaf(head, last, proof);
    this.first = head.size - 1;
    this.#leaves.set(digestToBytes(last));
    for (const [i, fold] of inclusionFolds(this.first, head.size).entries())
      this.#know(fold[0] as TreeNode, proof[i] as Uint8Array);
    for (const [i, node] of rangeFold(0, head.size).entries())
      this.#know(node, this.#range.hashes[i] as Uint8Array);
  }

  get size(): number {
    return this.#range.size;
  }

  get root(): Digest {
    return rangeRoot(this.#range);
  }

  /** From leaf `from` on, side by side. */
  leavesFrom(from: number): Uint8Array {
    const begin = Math.min(Math.max(from, this.first), this.size);
    return Buffer.from(this.#leaves.subarray(this.#placeOf(begin), this.#placeOf(this.size)));
  }

  leaf(index: number): Digest | undefined {
    const leaf = this.#bytesOf(index);
    return leaf && digestFromBytes(leaf);
  }

  /** The root that the log would have with these leaves more. */
  rootWith(leaves: readonly Digest[]): Digest {
    let range = this.#range;
    for (const leaf of leaves) range = appendLeaf(range, leaf);
    return rangeRoot(range);
  }

  append(leaves: readonly Digest[]): void {
    const end = this.#placeOf(this.size + leaves.length);
    if (end > this.#leaves.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#leaves.length));
      larger.set(this.#leaves);
      this.#leaves = larger;
    }
    for (const leaf of leaves) {
      this.#leaves.set(digestToBytes(leaf), this.#placeOf(this.size));
      this.#range = appendLeaf(this.#range, leaf);
    }
  }

  /** @throws RangeError for what is before the beginning or behind the end */
  proveInclusion(index: number, size = this.size): TreeProof {
    if (index < 0 || index >= size || size > this.size)
      throw new RangeError(`leaf ${index} of ${size} is not in a log of ${this.size}`);
    return inclusionFolds(index, size).map((fold) => this.#fold(fold));
  }

  /** @throws RangeError for what is before the beginning or behind the end */
  proveConsistency(from: number, to = this.size): TreeProof {
    if (from < 0 || from > to || to > this.size)
      throw new RangeError(`a log of ${this.size} does not lead from ${from} to ${to}`);
    return consistencyFolds(from, to).map((fold) => this.#fold(fold));
  }

  #fold(fold: Fold): Uint8Array {
    return fold.map((node) => this.#hash(node)).reduceRight((right, left) => nodeHash(left, right));
  }

  #hash(node: TreeNode): Uint8Array {
    const { level, index } = node;
    const known = this.#known.get(`${level}/${index}`);
    if (known !== undefined) return known;
    if (level === 0) {
      const leaf = this.#bytesOf(index);
      if (leaf === undefined)
        throw new RangeError(`leaf ${index} is not known: following began at ${this.first}`);
      return leaf;
    }
    if ((index + 1) * 2 ** level <= this.first)
      throw new RangeError(`leaves before ${this.first} are not known`);
    const hash = nodeHash(
      this.#hash({ level: level - 1, index: 2 * index }),
      this.#hash({ level: level - 1, index: 2 * index + 1 }),
    );
    if (level >= REMEMBERED_LEVEL) this.#know(node, hash);
    return hash;
  }

  #placeOf(index: number): number {
    return (index - this.first) * HASH_BYTES;
  }

  #bytesOf(index: number): Uint8Array | undefined {
    if (index < this.first || index >= this.size) return undefined;
    return this.#leaves.subarray(this.#placeOf(index), this.#placeOf(index + 1));
  }

  #know({ level, index }: TreeNode, hash: Uint8Array): void {
    this.#known.set(`${level}/${index}`, hash);
  }
}
