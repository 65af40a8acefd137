/**
 * What many stores in one process hold of the same: bins, trees and blobs of nodes that are simulated together. Each is kept
 * once, under its hash, and never changes. Without it a tree alone would be 4 MiB for each node and publisher.
 */
import { hash as hashOf } from 'node:crypto';
import type { Digest } from '../core/digest.ts';
import { EMPTY_LEAF } from '../core/index-map/index-bin.ts';
import { MerkleTree, type TreePlan } from '../core/index-map/merkle-tree.ts';

export interface SharedBin {
  /** The one text of it: a key of its own for each store would weigh as much as the bin. */
  readonly hash: Digest;
  readonly bytes: Uint8Array;
  /** Names in it. */
  readonly count: number;
}

interface Value {
  readonly name: string;
  readonly bytes: Buffer;
  users: number;
}

/** What a hash and an entry of its own would save nothing on. */
const SMALL_VALUE = 512;

export interface SharedContentTotals {
  readonly bins: number;
  readonly blobs: number;
  readonly trees: number;
  readonly values: number;
  /** Of bins, blobs and values as they are, of trees with their inner nodes. */
  readonly bytes: number;
}

export class SharedContent {
  readonly #bins = new Map<Digest, SharedBin>();
  readonly #blobs = new Map<Digest, Uint8Array>();
  readonly #values = new Map<string, Value>();
  readonly #valueOf = new WeakMap<Uint8Array, Value>();
  readonly #trees = new Map<Digest, { readonly tree: MerkleTree; users: number }>();
  #bytes = 0;
  #empty: MerkleTree | undefined;

  /** Kept for good: bins are small, and old ones are asked for. `bytes` is copied when it is new. */
  bin(hash: Digest, bytes: Uint8Array, count: number): SharedBin {
    const known = this.#bins.get(hash);
    if (known !== undefined) return known;
    const bin = { hash, bytes: Uint8Array.from(bytes), count };
    this.#bins.set(hash, bin);
    this.#bytes += bytes.length;
    return bin;
  }

  /** Kept for good. `bytes` must not change any more. */
  blob(digest: Digest, bytes: Uint8Array): Uint8Array {
    const known = this.#blobs.get(digest);
    if (known !== undefined) return known;
    this.#blobs.set(digest, bytes);
    this.#bytes += bytes.length;
    return bytes;
  }

  /** A copy of a database's value, given back by {@link releaseValue}. Small ones are each store's own. */
  value(bytes: Uint8Array): Buffer {
    if (bytes.length < SMALL_VALUE) return Buffer.from(bytes);
    const name = hashOf('sha256', bytes, 'base64');
    let value = this.#values.get(name);
    if (value === undefined) {
      value = { name, bytes: Buffer.from(bytes), users: 0 };
      this.#values.set(name, value);
      this.#valueOf.set(value.bytes, value);
      this.#bytes += bytes.length;
    }
    value.users++;
    return value.bytes;
  }

  releaseValue(bytes: Uint8Array): void {
    const value = this.#valueOf.get(bytes);
    if (value === undefined || --value.users > 0) return;
    this.#valueOf.delete(bytes);
    this.#values.delete(value.name);
    this.#bytes -= bytes.length;
  }

  /** Of a map without names. Every tree that is given out is given back by {@link release}. */
  emptyTree(): MerkleTree {
    this.#empty ??= this.tree(MerkleTree.ofEqualLeaves(EMPTY_LEAF));
    return this.tree(this.#empty);
  }

  /** The one that is kept in place of an equal one. */
  tree(tree: MerkleTree): MerkleTree {
    return this.#use(tree.root(), () => tree);
  }

  /** `before` with the plan; a shared tree itself never changes. */
  next(before: MerkleTree, plan: TreePlan): MerkleTree {
    const after = this.#use(plan.root, () => {
      const copy = before.copy();
      copy.take(plan);
      return copy;
    });
    this.release(before);
    return after;
  }

  release(tree: MerkleTree): void {
    const root = tree.root();
    const entry = this.#trees.get(root);
    if (entry?.tree === tree && --entry.users === 0) this.#trees.delete(root);
  }

  totals(): SharedContentTotals {
    const [bins, blobs, trees] = [this.#bins.size, this.#blobs.size, this.#trees.size];
    return { bins, blobs, trees, values: this.#values.size, bytes: this.#bytes + trees * MerkleTree.bytes };
  }

  #use(root: Digest, make: () => MerkleTree): MerkleTree {
    const known = this.#trees.get(root) ?? { tree: make(), users: 0 };
    known.users++;
    this.#trees.set(root, known);
    return known.tree;
  }
}
