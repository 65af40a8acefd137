/**
 * Index maps that are kept: one a voter, all views of one shared base (design/index, "Index map"). A bin that two of them
 * have is kept once. Implementations: `disk-index-maps.ts`, `memory-index-maps.ts`; contract suite
 * `test/store/index-map/index-maps-contract.ts`.
 */
import type { Digest } from '../../core/digest.ts';
import type { BinChanges } from '../../core/index-map/fit-bin.ts';
import type { IndexDelta } from '../../core/index-map/index-delta.ts';
import type { IndexEntry } from '../../core/index-map/index-entry.ts';
import type { MapAnswer, MapProof } from '../../core/index-map/map-proof.ts';
import type { ProjectName } from '../../core/project-name.ts';

export interface IndexMaps extends AsyncDisposable {
  /** The map of that name (at most 255 bytes of text, the caller's own); an empty one when there is none yet. */
  view(name: string): IndexMap;
  /** Names of the maps that were committed. */
  views(): string[];
  drop(name: string): Promise<void>;
  /** Makes the whole map anew. Entries in any order, each name once. Memory: about 75 bytes an entry while it runs. */
  build(name: string, entries: Iterable<IndexEntry> | AsyncIterable<IndexEntry>): Promise<void>;

  /** A bin (CBOR, without the leading 0x00) by its leaf hash, of whichever map; undefined when it is not here. */
  bin(hash: Digest): Promise<Uint8Array | undefined>;
  /** The bins that a map with these leaf hashes needs and that are not here, ascending. */
  missing(leaves: Uint8Array): number[];
  /** Keeps bins for a map that is not committed yet, or mends damaged ones. @throws InvalidIndexMapError BIN_* */
  add(bins: Iterable<readonly [number: number, bytes: Uint8Array]>): Promise<void>;
  /** Until it is disposed of, nothing that was added is dropped for not being used by a map (but by {@link build}). */
  hold(): Disposable;
}

/** One map. A reading sees one state of it, that of its beginning, however long it takes. */
export interface IndexMap {
  readonly name: string;
  root(): Digest;
  /** Names in the map. */
  readonly count: number;
  /** A copy of the 65,536 leaf hashes, 2 MiB. */
  leaves(): Uint8Array;
  /** A copy of one of them. */
  leaf(number: number): Uint8Array;
  /** CBOR without the leading 0x00. @throws UnavailableError when it is damaged on disk: see {@link IndexMaps.missing} */
  bin(number: number): Promise<Uint8Array>;
  get(name: ProjectName): Promise<MapAnswer>;
  prove(name: ProjectName): Promise<MapProof>;
  /** For all names of a bin. */
  proveBin(number: number): Promise<MapProof>;
  /** All entries, a bin at a time, in the order of bins. */
  entries(): AsyncIterable<readonly IndexEntry[]>;

  /**
   * As a follower: exactly what the delta says. `root` is what it must lead to.
   * @throws InvalidIndexMapError BIN_TOO_LARGE, DELTA_WRONG_ROOT
   */
  stage(delta: IndexDelta, options?: { root?: Digest }): Promise<StagedChange>;
  /** As a publisher: a bin that would be too large keeps its lowest serials. `delta` is what came of it. */
  change(changes: BinChanges): Promise<StagedChange & { readonly delta: IndexDelta }>;
  /** The map with these leaf hashes. @throws InvalidIndexMapError LEAVES_MALFORMED, LEAVES_INCOMPLETE, DELTA_WRONG_ROOT */
  stageLeaves(leaves: Uint8Array, options?: { root?: Digest }): Promise<StagedChange>;
}

/** A change that is worked out and not made. */
export interface StagedChange {
  readonly root: Digest;
  readonly count: number;
  /** Bins that change. */
  readonly bins: readonly number[];
  /** Durable when it resolves. Once, and only while the map is as it was when this was staged. */
  commit(): Promise<void>;
}
