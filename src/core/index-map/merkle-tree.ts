/**
 * The Merkle tree (RFC 6962) over the 65,536 leaf hashes, all nodes in one 4 MiB buffer as in a heap: 1 is the root, the
 * children of n are 2n and 2n + 1, leaf i is node 65,536 + i. A change is planned first (its root is known, the tree is as
 * before) and taken over later; between the two the tree must not change. A whole tree is 65,535 hashes, 60 ms: `InTurns` lets others have
 * theirs meanwhile.
 */
import { type Digest, digestFromBytes } from '../digest.ts';
import { InvalidIndexMapError } from '../errors.ts';
import { EMPTY_LEAF } from './index-bin.ts';
import { BINS } from './index-entry.ts';
import { type LeafChanges, packedChanges } from './leaf-changes.ts';
import { occupiedLeaves } from './leaf-scan.ts';
import { HASH_BYTES, hashPair, nodeHash } from './tree-hash.ts';

export const LEAVES_BYTES = BINS * HASH_BYTES;
/** From a leaf to below the root. */
export const PATH_HASHES = 16;

/** Beyond so many changed leaves a plan is a whole tree. */
const FEW = 2048;
/** Nodes hashed before others have their turn: some milliseconds. */
const NODES_AT_ONCE = 8192;

/** Resolves when others had their turn. */
export interface Turn {
  (): Promise<void>;
}

export interface TreePlan {
  readonly root: Digest;
  /** Of the changed nodes, or all of them. */
  readonly nodes: ReadonlyMap<number, Uint8Array> | Buffer;
}

export class MerkleTree {
  static readonly bytes = 2 * LEAVES_BYTES;
  #nodes: Buffer;

  private constructor(nodes: Buffer) {
    this.#nodes = nodes;
  }

  /** @throws InvalidIndexMapError LEAVES_MALFORMED when they are not exactly 65,536 hashes */
  static fromLeaves(leaves: Uint8Array): MerkleTree {
    checkLeaves(leaves);
    const nodes = Buffer.alloc(2 * LEAVES_BYTES);
    nodes.set(leaves, LEAVES_BYTES);
    hashAll(nodes);
    return new MerkleTree(nodes);
  }

  static ofEqualLeaves(leaf: Uint8Array): MerkleTree {
    const nodes = Buffer.alloc(2 * LEAVES_BYTES);
    let hash = leaf;
    for (let first = BINS; first >= 1; first >>= 1) {
      nodes.fill(hash, first * HASH_BYTES, 2 * first * HASH_BYTES);
      hash = nodeHash(hash, hash);
    }
    return new MerkleTree(nodes);
  }

  copy(): MerkleTree {
    return new MerkleTree(Buffer.from(this.#nodes));
  }

  root(): Digest {
    return digestFromBytes(this.#node(1));
  }

  /** A copy. */
  leaf(number: number): Buffer {
    return Buffer.from(this.#node(BINS + number));
  }

  hasLeaf(number: number, hash: Uint8Array): boolean {
    const at = (BINS + number) * HASH_BYTES;
    return this.#nodes.compare(hash, 0, HASH_BYTES, at, at + HASH_BYTES) === 0;
  }

  /** All leaf hashes as they are until the next {@link take}. */
  leavesNow(): Buffer {
    return this.#nodes.subarray(LEAVES_BYTES);
  }

  /** A copy of all leaf hashes, 2 MiB. */
  leaves(): Buffer {
    return Buffer.from(this.#nodes.subarray(LEAVES_BYTES));
  }

  /** The 16 hashes beside the way from a leaf to the root, the leaf's neighbour first. A copy. */
  path(number: number): Buffer {
    const path = Buffer.alloc(PATH_HASHES * HASH_BYTES);
    for (let level = 0, n = BINS + number; level < PATH_HASHES; level++, n >>= 1)
      path.set(this.#node(n ^ 1), level * HASH_BYTES);
    return path;
  }

  /** At most 16 hashes a changed leaf. */
  plan(changed: LeafChanges): TreePlan {
    return changed.size > FEW ? this.#planWhole(changed) : this.#planFew(changed);
  }

  async planInTurns(changed: LeafChanges, turn: Turn): Promise<TreePlan> {
    if (changed.size <= FEW) return this.#planFew(changed);
    const nodes = this.#withLeaves(changed);
    await hashAllInTurns(nodes, turn);
    return wholePlan(nodes);
  }

  take({ nodes }: TreePlan): void {
    if (Buffer.isBuffer(nodes)) this.#nodes = nodes;
    else for (const [n, hash] of nodes) this.#nodes.set(hash, n * HASH_BYTES);
  }

  #planFew(changed: LeafChanges): TreePlan {
    return planFew(changed, (n) => this.#node(n));
  }

  #planWhole(changed: LeafChanges): TreePlan {
    const nodes = this.#withLeaves(changed);
    hashAll(nodes);
    return wholePlan(nodes);
  }

  #withLeaves(changed: LeafChanges): Buffer {
    const nodes = Buffer.from(this.#nodes);
    for (const [number, hash] of changed) nodes.set(hash, (BINS + number) * HASH_BYTES);
    return nodes;
  }

  #node(n: number): Buffer {
    return this.#nodes.subarray(n * HASH_BYTES, (n + 1) * HASH_BYTES);
  }
}

/** `before`: each node as it is without the change. */
function planFew(changed: LeafChanges, before: (n: number) => Uint8Array): TreePlan {
  const nodes = new Map<number, Uint8Array>();
  const get = (n: number): Uint8Array => nodes.get(n) ?? before(n);
  let parents = new Set<number>();
  for (const [number, hash] of changed) {
    nodes.set(BINS + number, hash);
    parents.add((BINS + number) >> 1);
  }
  for (let level = 0; level < PATH_HASHES; level++) {
    const above = new Set<number>();
    for (const n of parents) {
      nodes.set(n, nodeHash(get(2 * n), get(2 * n + 1)));
      above.add(n >> 1);
    }
    parents = above;
  }
  return { root: digestFromBytes(get(1)), nodes };
}

/** Of parts of a tree without names, by their height above the leaves. */
const emptyNodes: readonly Uint8Array[] = Array.from({ length: PATH_HASHES }).reduce<Uint8Array[]>(
  (below) => [...below, nodeHash(below.at(-1) as Uint8Array, below.at(-1) as Uint8Array)],
  [EMPTY_LEAF],
);
/** `clz32` of a leaf's number in the heap. */
const LEAF_ZEROS = Math.clz32(BINS);

/** Without the tree. @throws InvalidIndexMapError LEAVES_MALFORMED when they are not exactly 65,536 hashes */
export async function rootOfLeaves(leaves: Uint8Array, turn: Turn): Promise<Digest> {
  checkLeaves(leaves);
  let below = Buffer.from(leaves.buffer, leaves.byteOffset, leaves.length);
  const occupied = occupiedLeaves(below);
  if (occupied.length <= FEW) {
    const empty = (n: number): Uint8Array => emptyNodes[Math.clz32(n) - LEAF_ZEROS] as Uint8Array;
    return planFew(packedChanges(below, occupied), empty).root;
  }
  const nodes = Buffer.allocUnsafe(LEAVES_BYTES / 2);
  // Each level over the one below: a node is written behind where its children were read.
  for (let count = BINS / 2; count >= 1; count /= 2) {
    for (let n = 0; n < count; n++) {
      hashPair(below, 2 * n * HASH_BYTES, nodes, n * HASH_BYTES);
      if (n % NODES_AT_ONCE === NODES_AT_ONCE - 1) await turn();
    }
    below = nodes;
  }
  return digestFromBytes(nodes.subarray(0, HASH_BYTES));
}

/** @throws InvalidIndexMapError LEAVES_MALFORMED when they are not exactly 65,536 hashes */
export function checkLeaves(leaves: Uint8Array): void {
  if (leaves.length !== LEAVES_BYTES)
    throw new InvalidIndexMapError(
      'LEAVES_MALFORMED',
      `the leaf hashes of an index map have ${LEAVES_BYTES} bytes, not ${leaves.length}`,
    );
}

function wholePlan(nodes: Buffer): TreePlan {
  return { root: digestFromBytes(nodes.subarray(HASH_BYTES, 2 * HASH_BYTES)), nodes };
}

function hashAll(nodes: Buffer): void {
  hashNodes(nodes, BINS - 1, 1);
}

async function hashAllInTurns(nodes: Buffer, turn: Turn): Promise<void> {
  for (let last = BINS - 1; last >= 1; last -= NODES_AT_ONCE) {
    hashNodes(nodes, last, Math.max(1, last - NODES_AT_ONCE + 1));
    await turn();
  }
}

function hashNodes(nodes: Buffer, last: number, first: number): void {
  for (let n = last; n >= first; n--) hashPair(nodes, 2 * n * HASH_BYTES, nodes, n * HASH_BYTES);
}
