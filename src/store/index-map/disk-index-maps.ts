/**
 * Index maps on disk. In memory: 4 MiB of tree a map, the base's table (2.5 MiB), where the overlay's bins lie, and a bounded cache
 * of bins; everything else is read when it is asked for. Changes are made one after the other; reading waits for none of
 * them. When the overlay has grown, a new generation is written behind the changes' backs.
 */
import { LRUCache } from 'lru-cache';
import { type Digest, digestToBytes } from '../../core/digest.ts';
import { StorageFullError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { BINS, type IndexEntry } from '../../core/index-map/index-entry.ts';
import { checkLeaves, MerkleTree } from '../../core/index-map/merkle-tree.ts';
import type { LeafChanges } from '../../core/index-map/leaf-changes.ts';
import { limits } from '../../core/limits.ts';
import { type FileSystem, realFileSystem } from '../file-system.ts';
import { diskFull, isDiskFull } from '../storage-full.ts';
import type { BinReader, BinShelf, NewBin, ViewChange } from './bin-shelf.ts';
import {
  type CarriedView,
  compactedBins,
  differences,
  type Rewritten,
  rewriteGeneration,
} from './compact.ts';
import { type Generation, keyOf } from './generation.ts';
import type { IndexMaps } from './index-maps.ts';
import { emptyTree, leafAt, MapView } from './map-view.ts';
import { newBins, packEntries } from './new-bins.ts';
import { type MapPlace, openNewestGeneration, removeGeneration } from './open-generation.ts';

export interface DiskIndexMapsDeps {
  /** A folder of its own; made when absent. */
  readonly path: string;
  readonly facts: FactEmitter;
  readonly fileSystem?: FileSystem;
  /** When a new base is written; for tests. */
  readonly due?: OverlayDue;
}

interface OverlayDue {
  readonly touched: number;
  readonly bytes: number;
}

const DUE: OverlayDue = {
  touched: limits.indexMap.overlayShare * BINS,
  bytes: limits.indexMap.overlayBytes,
};

/** @throws ConfigurationError when the folder was made by a newer program */
export async function openDiskIndexMaps({
  path,
  facts,
  fileSystem = realFileSystem,
  due = DUE,
}: DiskIndexMapsDeps): Promise<IndexMaps> {
  const onDamage = (message: string): void => facts.emit('storage:repaired', { message });
  const place = { fileSystem, path, onDamage };
  const { generation, views } = await openNewestGeneration(place);
  const maps = new DiskIndexMaps(place, facts, generation, due);
  if (views.size > 0) {
    const base = MerkleTree.fromLeaves(generation.base.leaves);
    for (const [name, changed] of views) {
      const tree = base.copy();
      tree.take(tree.plan(changed));
      maps.adopt(name, tree, changed.keys());
    }
  }
  return maps;
}

class DiskIndexMaps implements IndexMaps, BinShelf {
  readonly #place: MapPlace;
  readonly #facts: FactEmitter;
  readonly #views = new Map<string, MapView>();
  /** Those that the overlay knows. */
  readonly #committed = new Set<string>();
  readonly #cache = new LRUCache<string, Uint8Array>({
    maxSize: limits.indexMap.cacheBytes,
    sizeCalculation: (bytes) => bytes.length + 128,
  });
  #generation: Generation;
  /** Bins that a map has or had otherwise than the base. */
  readonly #touched = new Set<number>();
  /** Beyond these a new generation is due. */
  #dueAt: OverlayDue = { touched: 0, bytes: 0 };
  readonly #due: OverlayDue;
  #holds = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(place: MapPlace, facts: FactEmitter, generation: Generation, due: OverlayDue) {
    this.#due = due;
    this.#place = place;
    this.#facts = facts;
    this.#generation = generation;
    this.#setDue(0, 0);
  }

  /** While opening: a map that the overlay has. */
  adopt(name: string, tree: MerkleTree, touched: Iterable<number>): void {
    this.#views.set(name, new MapView(this, name, tree));
    this.#committed.add(name);
    for (const number of touched) this.#touched.add(number);
  }

  view(name: string): MapView {
    if (name === '' || Buffer.byteLength(name) > 255)
      throw new TypeError(`"${name}" is no name for an index map: 1 to 255 bytes`);
    const known = this.#views.get(name);
    if (known !== undefined) return known;
    if (this.#views.size >= limits.indexMap.views)
      throw new StorageFullError(`no room for another index map: there are ${limits.indexMap.views}`);
    const made = new MapView(this, name, emptyTree());
    this.#views.set(name, made);
    return made;
  }

  views(): string[] {
    return [...this.#committed];
  }

  async drop(name: string): Promise<void> {
    await this.#next(async () => {
      if (this.#committed.has(name)) await this.#generation.log.commit([{ kind: 'drop', name }]);
      this.#committed.delete(name);
      this.#views.get(name)?.replace(emptyTree());
      this.#views.delete(name);
    });
  }

  async build(name: string, entries: Iterable<IndexEntry> | AsyncIterable<IndexEntry>): Promise<void> {
    const view = this.view(name);
    const bins = await packEntries(entries);
    await this.#next(async () => {
      const others = this.#carried().filter((other) => other.name !== name);
      this.#swap(await rewriteGeneration(this.#place, this.#generation, others, bins, name), others);
      this.#committed.add(name);
      view.replace(MerkleTree.fromLeaves(this.#generation.base.leaves));
    });
  }

  async bin(hash: Digest): Promise<Uint8Array | undefined> {
    const key = keyOf(digestToBytes(hash));
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    using lease = this.#lease();
    return await lease.generation.readByHash(digestToBytes(hash));
  }

  missing(leaves: Uint8Array): number[] {
    checkLeaves(leaves);
    const all = Buffer.from(leaves.buffer, leaves.byteOffset, leaves.length);
    const missing: number[] = [];
    for (let number = 0; number < BINS; number++)
      if (this.count(number, leafAt(all, number)) === undefined) missing.push(number);
    return missing;
  }

  async add(bins: Iterable<readonly [number: number, bytes: Uint8Array]>): Promise<void> {
    for (const batch of newBins(bins)) await this.put(batch);
    for (const view of this.#views.values()) view.recountIfLacking();
  }

  hold(): Disposable {
    this.#holds++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holds--;
        this.#compactWhenDue();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#next(async () => {
      await this.#generation.close();
      this.#cache.clear();
    });
    await this.#closed;
  }

  reader(): BinReader {
    const { generation, ...lease } = this.#lease();
    return {
      ...lease,
      read: async (number, hash) => {
        const key = keyOf(hash);
        const cached = this.#cache.get(key);
        if (cached !== undefined) return cached;
        const bytes = await generation.read(number, hash);
        this.#cache.set(key, bytes);
        return bytes;
      },
      readAll: (leaves) => generation.readAll(leaves),
    };
  }

  count(number: number, hash: Uint8Array): number | undefined {
    return this.#generation.count(number, hash);
  }

  async put(bins: readonly NewBin[]): Promise<void> {
    await this.#next(async () => {
      const more = bins.reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (this.#generation.log.bytes + more > limits.indexMap.overlayBytesMax)
        throw new StorageFullError(
          `the overlay of the index maps has reached ${limits.indexMap.overlayBytesMax} bytes`,
        );
      await this.#generation.put(bins);
    });
    this.#compactWhenDue();
  }

  async commit({ name, bins, changed, check }: ViewChange, take: () => void): Promise<void> {
    await this.#next(async () => {
      await check();
      const known = this.#committed.has(name);
      if (known && changed.size === 0) return;
      const differing = known ? changed : this.#differing(name, changed);
      await this.#generation.commit(bins, { kind: 'map', name, fromBase: !known, changed: differing });
      this.#committed.add(name);
      for (const number of differing.keys()) this.#touched.add(number);
      take();
    });
    this.#compactWhenDue();
  }

  #differing(name: string, changed: LeafChanges): LeafChanges {
    const leaves = this.view(name).leaves();
    for (const [number, hash] of changed) leafAt(leaves, number).set(hash);
    return differences(this.#generation, leaves);
  }

  #compactWhenDue(): void {
    if (!this.#isDue()) return;
    this.#next(async () => {
      if (!this.#isDue()) return;
      const views = this.#carried();
      const old = this.#generation;
      this.#swap(await rewriteGeneration(this.#place, old, views, compactedBins(old, views)), views);
    }).catch((error: unknown) => {
      // The overlay goes on growing; the next try is when it has grown by as much again.
      this.#setDue(this.#touched.size, this.#generation.log.bytes);
      const message = `the index maps could not be compacted: ${(error as Error).message}`;
      this.#facts.emit(error instanceof StorageFullError ? 'storage:full' : 'program:failed', { message });
    });
  }

  #isDue(): boolean {
    if (this.#holds > 0 || this.#closed !== undefined) return false;
    return this.#touched.size > this.#dueAt.touched || this.#generation.log.bytes > this.#dueAt.bytes;
  }

  #setDue(touched: number, bytes: number): void {
    this.#dueAt = { touched: touched + this.#due.touched, bytes: bytes + this.#due.bytes };
  }

  #swap({ generation, whole }: Rewritten, views: readonly CarriedView[]): void {
    const old = this.#generation;
    this.#generation = generation;
    this.#touched.clear();
    for (const { leaves } of views)
      for (const number of differences(generation, leaves).keys()) this.#touched.add(number);
    this.#setDue(this.#touched.size, generation.log.bytes);
    // Counting a map anew looks up 65,536 bins.
    for (const [name, view] of this.#views) if (!whole.has(name)) view.recount();
    // Not waited for: a reader may be slow. Files that stay behind are removed when the maps are opened.
    old
      .close()
      .then(() => removeGeneration(this.#place, old.number))
      .catch(() => {});
  }

  #carried(): CarriedView[] {
    return [...this.#committed].map((name) => ({ name, leaves: this.view(name).leaves() }));
  }

  #lease(): Disposable & { readonly generation: Generation } {
    const generation = this.#generation;
    generation.enter();
    let left = false;
    return {
      generation,
      [Symbol.dispose]: () => {
        if (!left) generation.leave();
        left = true;
      },
    };
  }

  /** After all changes that were asked for before. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work).catch((error: unknown) => {
      throw isDiskFull(error) && !(error instanceof StorageFullError)
        ? diskFull(this.#place.path, error)
        : error;
    });
    this.#queue = result.catch(() => {});
    return result;
  }
}
