/**
 * The map of one voter's newest accepted record, and how it becomes the next one. Must always hold: the map, the record it
 * belongs to and what is believed of it change together: all is written with what is needed to redo the map's change,
 * and then the map changes. After a kill between the two the change is made again.
 */
import { setImmediate } from 'node:timers/promises';
import { decode, encode } from '@ipld/dag-cbor';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import { decodeKnownBin, type IndexBin } from '../../core/index-map/index-bin.ts';
import { applyPart, decodeDelta, deltaByBinInTurns, EMPTY_DELTA } from '../../core/index-map/index-delta.ts';
import { binNumber } from '../../core/index-map/index-entry.ts';
import { answerOf } from '../../core/index-map/map-proof.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import { decodeRecord, type IndexRecord, isKnownRecord } from '../../core/log/record.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexMap, IndexMaps, StagedChange } from '../../store/index-map/index-maps.ts';
import type { BeliefBook, NewView } from './belief-book.ts';
import { differingBins, namesThatDiffer, turnsPartial } from './differing-names.ts';
import type { FollowState, StateWrite } from './follow-state.ts';
import type { ViewFacts } from './loaded-view.ts';
import { mergeDeltas } from './merge-deltas.ts';

/** An accepted record whose map is here. */
export interface MapHead {
  readonly record: IndexRecord;
  readonly bytes: Uint8Array;
  /** min(the record's, when it came). */
  readonly observedAt: number;
}

/** How the map is changed: deltas in a row, or all leaf hashes (the bins are here). */
export type MapChange =
  | { readonly kind: 'deltas'; readonly deltas: readonly Uint8Array[] }
  | { readonly kind: 'leaves'; readonly leaves: Uint8Array };

interface Undo {
  readonly leaves: Digest;
  /** From these leaf hashes to those of the record before. */
  readonly before: readonly (readonly [bin: number, hash: Uint8Array])[];
}

interface KeptView {
  readonly r: Uint8Array;
  readonly o: number;
}

type KeptChange = { readonly d: Uint8Array[] } | { readonly l: Uint8Array };

/** Compared before others have their turn: some milliseconds. */
const BINS_AT_ONCE = 64;
const NAMES_AT_ONCE = 512;
/** Of a larger change the leaves before are not kept for others. */
const UNDO_BINS = 8192;

export class FollowedMap {
  readonly slot: string;
  readonly map: IndexMap;
  readonly #maps: IndexMaps;
  readonly #state: FollowState;
  readonly #name: string;
  #head: MapHead | undefined;
  #undo: Undo[] = [];

  private constructor(deps: FollowedMapDeps) {
    this.slot = deps.slot;
    this.#maps = deps.maps;
    this.#state = deps.state;
    this.#name = encodeURIComponent(deps.origin);
    this.map = deps.maps.view(deps.view);
  }

  static async open(deps: FollowedMapDeps): Promise<FollowedMap> {
    const opened = new FollowedMap(deps);
    await opened.#load();
    return opened;
  }

  /** Undefined until there is a map. */
  get head(): MapHead | undefined {
    return this.#head;
  }

  /**
   * Resolves to the names whose belief may be another.
   * @throws InvalidIndexMapError DELTA_*, BIN_*, LEAVES_*: nothing is changed
   */
  async swap(
    book: BeliefBook,
    head: MapHead,
    facts: ViewFacts,
    change: MapChange,
    beforeSwap: (names: AsyncIterable<readonly string[]>) => Promise<void>,
  ): Promise<string[] | 'all'> {
    const { staged, ...next } = await this.#stage(head, change);
    await beforeSwap(next.touched());
    const stale = book.view(this.slot)?.stale ?? new Set<string>();
    const view: NewView = {
      ...next,
      slot: this.slot,
      facts,
      touched: () => alsoStale(next.touched(), stale, facts.stale),
    };
    const before = this.#leavesOf(staged.bins);
    const changed = await book.accept(view, {
      writes: [this.#headWrite(head), [`redo/${this.#name}`, encode(keptChange(change))]],
      commit: async () => {
        await staged.commit();
        this.#remember(head.record.leaves, before);
        this.#head = head;
      },
    });
    return changed;
  }

  /** It is fetched anew. */
  forget(): void {
    this.#head = undefined;
  }

  /** Of the newest records. */
  leaves(digest: Digest): Uint8Array | undefined {
    if (this.#head === undefined) return undefined;
    let at = this.#head.record.leaves;
    if (at !== digest && !this.#undo.some(({ leaves }) => leaves === digest)) return undefined;
    const leaves = this.map.leaves();
    for (const undo of this.#undo) {
      if (at === digest) break;
      for (const [bin, hash] of undo.before) leaves.set(hash, bin * HASH_BYTES);
      at = undo.leaves;
    }
    return at === digest ? leaves : undefined;
  }

  async #stage(
    { record }: MapHead,
    change: MapChange,
  ): Promise<Pick<NewView, 'touched' | 'turned' | 'after'> & { staged: StagedChange }> {
    const root = { root: record.mapRoot };
    if (change.kind === 'deltas') {
      const delta = mergeDeltas(change.deltas.map(decodeDelta));
      const parts = await deltaByBinInTurns(delta, setImmediate);
      const staged = await this.map.stage(delta, root);
      return {
        staged,
        // By bins: each is read once.
        touched: async function* () {
          for (const { set, del } of parts.values()) yield [...set.map(({ name }) => name), ...del];
        },
        turned: new Set(delta.turned),
        after: answersFrom(async (number) => {
          const part = parts.get(number) ?? EMPTY_DELTA;
          return applyPart(decodeKnownBin(await this.map.bin(number)), part);
        }),
      };
    }
    const { leaves } = change;
    const staged = await this.map.stageLeaves(leaves, root);
    const binOf = async (bin: number): Promise<Uint8Array> => {
      const hash = leaves.subarray(bin * HASH_BYTES, (bin + 1) * HASH_BYTES);
      return (await this.#maps.bin(digestFromBytes(hash))) as Uint8Array;
    };
    // The first map touches nothing: the rule keeps a basis instead.
    const bins = this.#head === undefined ? [] : differingBins([this.map.leaves(), leaves]);
    const turned = new Set<number>();
    for (const [at, bin] of bins.entries()) {
      if (at % BINS_AT_ONCE === 0) await setImmediate();
      if (turnsPartial(await this.map.bin(bin), await binOf(bin))) turned.add(bin);
    }
    const { map } = this;
    return {
      staged,
      touched: async function* () {
        for (const [at, bin] of bins.entries()) {
          if (at % BINS_AT_ONCE === 0) await setImmediate();
          yield namesThatDiffer([await map.bin(bin), await binOf(bin)]);
        }
      },
      turned,
      after: answersFrom(async (number) => decodeKnownBin(await binOf(number))),
    };
  }

  #headWrite({ bytes, observedAt }: MapHead): StateWrite {
    return [`view/${this.#name}`, encode({ r: bytes, o: observedAt } satisfies KeptView)];
  }

  /** Undefined where they are too many to keep, or nobody has asked for this map yet. */
  #leavesOf(bins: readonly number[]): Undo['before'] | undefined {
    if (this.#head === undefined || bins.length > UNDO_BINS) return undefined;
    return bins.map((bin) => [bin, this.map.leaf(bin)] as const);
  }

  /** Before the head becomes the one with these `leaves`. */
  #remember(leaves: Digest, before: Undo['before'] | undefined): void {
    const now = this.#head?.record.leaves;
    if (now === leaves) return;
    this.#undo =
      now === undefined || before === undefined
        ? []
        : [{ leaves: now, before }, ...this.#undo].slice(0, limits.follow.leavesKept - 1);
  }

  async #load(): Promise<void> {
    const kept = await this.#state.get(`view/${this.#name}`);
    if (kept === undefined) return;
    const { r: bytes, o: observedAt } = decode<KeptView>(kept);
    const { seq } = JSON.parse(Buffer.from(bytes).toString()) as { seq: number };
    const record = decodeRecord(bytes, seq);
    if (!isKnownRecord(record)) return;
    if (this.map.root() !== record.mapRoot && !(await this.#redo(record))) return;
    this.#head = { record, bytes, observedAt };
  }

  /** False: the map on disk is another one, and has to be fetched anew. */
  async #redo({ mapRoot }: IndexRecord): Promise<boolean> {
    const kept = await this.#state.get(`redo/${this.#name}`);
    if (kept === undefined) return false;
    const change = decode<KeptChange>(kept);
    try {
      const staged =
        'd' in change
          ? await this.map.stage(mergeDeltas(change.d.map(decodeDelta)), { root: mapRoot })
          : await this.map.stageLeaves(change.l, { root: mapRoot });
      await staged.commit();
      return true;
    } catch {
      return false;
    }
  }
}

export interface FollowedMapDeps {
  readonly slot: string;
  readonly origin: string;
  /** The map's name among the maps. */
  readonly view: string;
  readonly maps: IndexMaps;
  readonly state: FollowState;
}

function keptChange(change: MapChange): KeptChange {
  return change.kind === 'deltas' ? { d: [...change.deltas] } : { l: change.leaves };
}

/** Names of one bin stand together: the newest one stays at hand. */
function answersFrom(binOf: (number: number) => Promise<IndexBin>): NewView['after'] {
  let last: { readonly number: number; readonly bin: IndexBin } | undefined;
  return async (name) => {
    const number = binNumber(name as ProjectName);
    if (last?.number !== number) last = { number, bin: await binOf(number) };
    return answerOf(last.bin, name as ProjectName);
  };
}

/** And the names that are stale in one of the two only, each once. */
async function* alsoStale(
  touched: AsyncIterable<readonly string[]>,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
): AsyncGenerator<readonly string[]> {
  const turns = (name: string): boolean => before.has(name) !== after.has(name);
  for await (const names of touched) yield names.filter((name) => !turns(name));
  let batch: string[] = [];
  for (const names of [before, after])
    for (const name of names) {
      if (!turns(name)) continue;
      batch.push(name);
      if (batch.length < NAMES_AT_ONCE) continue;
      yield batch;
      batch = [];
    }
  yield batch;
}
