/**
 * One map over a shelf of bins: its Merkle tree (4 MiB) is in memory, its bins are wherever the shelf has them. Always true:
 * the tree is that of the last durable commit, and no bin that does not fit its leaf hash is returned.
 */
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../../core/digest.ts';
import { type BinChanges, changeBin } from '../../core/index-map/fit-bin.ts';
import {
  checkBinSize,
  decodeKnownBin,
  EMPTY_LEAF,
  encodeBin,
  type IndexBin,
} from '../../core/index-map/index-bin.ts';
import {
  applyPart,
  deltaByBinInTurns,
  diffBins,
  type IndexDelta,
  joinDeltas,
} from '../../core/index-map/index-delta.ts';
import { binNumber, type IndexEntry } from '../../core/index-map/index-entry.ts';
import { answerOf, type MapAnswer, type MapProof } from '../../core/index-map/map-proof.ts';
import { type LeafChanges, packedChanges } from '../../core/index-map/leaf-changes.ts';
import { differingLeaves, occupiedLeaves } from '../../core/index-map/leaf-scan.ts';
import { checkLeaves, MerkleTree } from '../../core/index-map/merkle-tree.ts';
import { HASH_BYTES, leafHash } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { BinShelf, NewBin } from './bin-shelf.ts';
import type { IndexMap, StagedChange } from './index-maps.ts';
import { type StagedMap, Staging } from './staging.ts';

/** Bins whose names are counted before others have their turn: some 5 ms. */
const COUNTED_AT_ONCE = 2048;

export class MapView implements IndexMap {
  readonly name: string;
  readonly #shelf: BinShelf;
  #tree: MerkleTree;
  #version = 0;
  /** Undefined: to be counted. */
  #count: number | undefined;
  /** When it was counted, bins were missing. */
  #lacks = true;

  constructor(shelf: BinShelf, name: string, tree: MerkleTree) {
    this.#shelf = shelf;
    this.name = name;
    this.#tree = tree;
  }

  root(): Digest {
    return this.#tree.root();
  }

  get count(): number {
    this.#count ??= this.#countAll();
    return this.#count;
  }

  leaves(): Buffer {
    return this.#tree.leaves();
  }

  leaf(number: number): Buffer {
    return this.#tree.leaf(number);
  }

  async bin(number: number): Promise<Uint8Array> {
    using reader = this.#shelf.reader();
    return await reader.read(number, this.#tree.leaf(number));
  }

  async get(name: ProjectName): Promise<MapAnswer> {
    const number = binNumber(name);
    return answerOf(decodeKnownBin(await this.bin(number)), name);
  }

  prove(name: ProjectName): Promise<MapProof> {
    return this.proveBin(binNumber(name));
  }

  async proveBin(number: number): Promise<MapProof> {
    const path = this.#tree.path(number);
    return { bin: await this.bin(number), path };
  }

  async *entries(): AsyncGenerator<readonly IndexEntry[]> {
    using reader = this.#shelf.reader();
    for await (const { bytes } of reader.readAll(this.leaves())) {
      yield decodeKnownBin(bytes).entries;
    }
  }

  async stage(delta: IndexDelta, options: { root?: Digest } = {}): Promise<StagedChange> {
    const parts = await deltaByBinInTurns(delta, setImmediate);
    const change = this.#staging();
    for await (const group of groups([...parts.keys()])) {
      await change.add(
        await this.#changed(group, (bin, number) => applyPart(bin, parts.get(number) ?? { ...delta })),
      );
    }
    return await change.done(options.root);
  }

  async change(changes: BinChanges): Promise<StagedChange & { readonly delta: IndexDelta }> {
    const wanted = await deltaByBinInTurns({ ...changes, turned: [] }, setImmediate);
    const change = this.#staging();
    const parts: IndexDelta[] = [];
    for await (const group of groups([...wanted.keys()])) {
      const bins = await this.#changed(group, (bin, number) => {
        const after = changeBin(bin, wanted.get(number) ?? changes);
        parts.push(diffBins(bin, after, number));
        return after;
      });
      await change.add(bins);
    }
    // Of all names it takes 10 s, and is too large for anybody: made when it is asked for.
    return {
      ...(await change.done()),
      get delta() {
        return joinDeltas(parts);
      },
    };
  }

  async stageLeaves(leaves: Uint8Array, options: { root?: Digest } = {}): Promise<StagedChange> {
    checkLeaves(leaves);
    const wanted = Buffer.from(leaves);
    const changed = packedChanges(wanted, differingLeaves(this.#tree.leavesNow(), wanted));
    return await this.#staging(changed).done(options.root);
  }

  /** For the store: the map was made anew and is durable. Returns the tree that it had. */
  replace(tree: MerkleTree): MerkleTree {
    const before = this.#tree;
    this.#tree = tree;
    this.#version++;
    this.#count = undefined;
    return before;
  }

  /** For the store: bins came or went that may be this map's. */
  recount(): void {
    this.#count = undefined;
  }

  /** For the store: bins came. */
  recountIfLacking(): void {
    if (this.#lacks) this.#count = undefined;
  }

  async #changed(
    numbers: readonly number[],
    work: (bin: IndexBin, number: number) => IndexBin,
  ): Promise<NewBin[]> {
    return await Promise.all(
      numbers.map(async (number) => {
        const after = work(decodeKnownBin(await this.bin(number)), number);
        const bytes = encodeBin(after);
        checkBinSize(bytes, number);
        return { number, bytes, hash: leafHash(bytes), count: after.entries.length };
      }),
    );
  }

  #staging(leaves?: LeafChanges): Staging {
    const version = this.#version;
    const map: StagedMap = {
      name: this.name,
      tree: this.#tree,
      count: () => this.#countInTurns(),
      check: () => {
        if (this.#version !== version)
          throw new Error(`the index map ${this.name} changed since this change was staged: stage it again`);
      },
      take: (plan, count) => {
        if (this.#shelf.nextTree) this.#tree = this.#shelf.nextTree(this.#tree, plan);
        else this.#tree.take(plan);
        this.#version++;
        this.#count = count;
      },
    };
    return new Staging(this.#shelf, map, leaves);
  }

  #countAll(): number {
    const leaves = this.#tree.leavesNow();
    const { names, lacks } = this.#namesIn(occupiedLeaves(leaves), leaves);
    this.#lacks = lacks;
    return names;
  }

  async #countInTurns(): Promise<number> {
    if (this.#count !== undefined) return this.#count;
    const [version, leaves] = [this.#version, this.leaves()];
    const numbers = occupiedLeaves(leaves);
    let [count, isWhole] = [0, true];
    for (let at = 0; at < numbers.length; at += COUNTED_AT_ONCE) {
      const { names, lacks } = this.#namesIn(numbers.slice(at, at + COUNTED_AT_ONCE), leaves);
      count += names;
      isWhole &&= !lacks;
      await setImmediate();
    }
    if (isWhole && this.#version === version) [this.#count, this.#lacks] = [count, false];
    return count;
  }

  #namesIn(numbers: readonly number[], leaves: Buffer): { names: number; lacks: boolean } {
    let [names, lacks] = [0, false];
    for (const number of numbers) {
      const count = this.#shelf.count(number, leafAt(leaves, number));
      if (count === undefined) lacks = true;
      else names += count;
    }
    return { names, lacks };
  }
}

export function emptyTree(): MerkleTree {
  return MerkleTree.ofEqualLeaves(EMPTY_LEAF);
}

export function leafAt(leaves: Buffer, number: number): Buffer {
  return leaves.subarray(number * HASH_BYTES, (number + 1) * HASH_BYTES);
}

/** What is read from the cache lets nobody else have a turn. */
async function* groups(numbers: readonly number[]): AsyncGenerator<number[]> {
  const size = limits.indexMap.parallelReads;
  for (let at = 0; at < numbers.length; at += size) {
    yield numbers.slice(at, at + size);
    if (at % (8 * size) === 7 * size) await setImmediate();
  }
}
