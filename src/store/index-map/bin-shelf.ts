/** Where the bins of all maps lie: what a map needs of its store. Bins are found by number and leaf hash. */

import type { LeafChanges } from '../../core/index-map/leaf-changes.ts';
import type { MerkleTree, TreePlan } from '../../core/index-map/merkle-tree.ts';

export interface NewBin {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly hash: Buffer;
  /** Names in it. */
  readonly count: number;
}

/** Bins as they were when it was made; dispose of it soon. */
export interface BinReader extends Disposable {
  /** Verified. @throws UnavailableError when it is missing or damaged */
  read(number: number, hash: Uint8Array): Promise<Uint8Array>;
  /** All bins of a map with these leaf hashes that are not empty, in order. */
  readAll(leaves: Buffer): AsyncIterable<{ readonly number: number; readonly bytes: Uint8Array }>;
}

export interface BinShelf {
  /** In place of taking a plan into a tree that is the map's own: where trees are shared between stores. */
  readonly nextTree?: (before: MerkleTree, plan: TreePlan) => MerkleTree;
  reader(): BinReader;
  /** Names in a bin; undefined when the bin is not here. */
  count(number: number, hash: Uint8Array): number | undefined;
  /** Written, and durable with the next commit. */
  put(bins: readonly NewBin[]): Promise<void>;
  /** After `bins` are written: map `name` has `changed`. `take` is called when it is durable, before anything else is done. */
  commit(change: ViewChange, take: () => void): Promise<void>;
}

export interface ViewChange {
  readonly name: string;
  readonly bins: readonly NewBin[];
  readonly changed: LeafChanges;
  /** Rejects when the change must not be made any more. */
  check(): Promise<void>;
}
