/**
 * A change of one map while it is worked out. The map and its store stay as they are until the commit; changed bins beyond a
 * bound wait in the store, where nothing uses them yet.
 */
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../../core/digest.ts';
import { InvalidIndexMapError } from '../../core/errors.ts';
import type { LeafChanges } from '../../core/index-map/leaf-changes.ts';
import type { MerkleTree, TreePlan } from '../../core/index-map/merkle-tree.ts';
import { limits } from '../../core/limits.ts';
import type { BinShelf, NewBin } from './bin-shelf.ts';
import type { StagedChange } from './index-maps.ts';

/** The map as it was when the change began. */
export interface StagedMap {
  readonly name: string;
  readonly tree: MerkleTree;
  /** Names in it. */
  readonly count: () => Promise<number>;
  /** Throws when the map is another one by now. */
  check(): void;
  take(plan: TreePlan, count: number): void;
}

/** Looked up before others have their turn: some 5 ms. */
const BINS_AT_ONCE = 2048;

export class Staging {
  readonly #shelf: BinShelf;
  readonly #map: StagedMap;
  readonly #added = new Map<number, Buffer>();
  readonly #changed: LeafChanges;
  readonly #counts = new Map<number, number>();
  #bins: NewBin[] = [];
  #waiting = 0;

  /** @param leaves of bins that the store must have, where none are added. */
  constructor(shelf: BinShelf, map: StagedMap, leaves?: LeafChanges) {
    this.#shelf = shelf;
    this.#map = map;
    this.#changed = leaves ?? this.#added;
  }

  async add(bins: readonly NewBin[]): Promise<void> {
    for (const bin of bins) {
      if (this.#map.tree.hasLeaf(bin.number, bin.hash)) continue;
      this.#added.set(bin.number, bin.hash);
      this.#counts.set(bin.number, bin.count);
      this.#bins.push(bin);
      this.#waiting += bin.bytes.length;
    }
    if (this.#waiting <= limits.indexMap.stagedBytes) return;
    await this.#shelf.put(this.#bins);
    this.#bins = [];
    this.#waiting = 0;
  }

  async done(root?: Digest): Promise<StagedChange> {
    const { tree, name, check, take } = this.#map;
    check();
    const plan = await tree.planInTurns(this.#changed, setImmediate);
    check();
    if (root !== undefined && plan.root !== root)
      throw new InvalidIndexMapError(
        'DELTA_WRONG_ROOT',
        `what was given for the index map ${name} leads to the root ${plan.root}, not to the signed ${root}`,
      );
    const bins = this.#bins;
    const changed = this.#changed;
    const count = await this.#newCount();
    check();
    return {
      root: plan.root,
      count,
      bins: [...changed.keys()],
      commit: () =>
        this.#shelf.commit(
          {
            name,
            bins,
            changed,
            check: async () => {
              await this.#checkComplete(bins);
              check();
            },
          },
          () => take(plan, count),
        ),
    };
  }

  async #newCount(): Promise<number> {
    const { tree, name } = this.#map;
    let count = await this.#map.count();
    let looked = 0;
    for (const [number, hash] of this.#changed) {
      const now = this.#counts.get(number) ?? this.#shelf.count(number, hash);
      if (now === undefined) throw incomplete(name, number);
      count += now - (this.#shelf.count(number, tree.leaf(number)) ?? 0);
      if (++looked % BINS_AT_ONCE === 0) await setImmediate();
    }
    return count;
  }

  /** What waited in the store may have been dropped since. */
  async #checkComplete(bins: readonly NewBin[]): Promise<void> {
    const held = new Set(bins.map(({ number }) => number));
    let looked = 0;
    for (const [number, hash] of this.#changed) {
      if (++looked % BINS_AT_ONCE === 0) await setImmediate();
      if (!held.has(number) && this.#shelf.count(number, hash) === undefined)
        throw incomplete(this.#map.name, number);
    }
  }
}

function incomplete(name: string, number: number): InvalidIndexMapError {
  return new InvalidIndexMapError(
    'LEAVES_INCOMPLETE',
    `bin ${number} of the new index map ${name} is not here: add what is missing and stage it again`,
  );
}
