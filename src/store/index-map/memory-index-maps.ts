/**
 * Index maps in memory, for tests and the simulator: bins by their leaf hash, never dropped; trees and bins are shared with
 * the other stores of `shared`.
 */
import { digestFromBytes, type Digest } from '../../core/digest.ts';
import { StorageFullError, UnavailableError } from '../../core/errors.ts';
import { EMPTY_BIN, EMPTY_LEAF } from '../../core/index-map/index-bin.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { occupiedLeaves } from '../../core/index-map/leaf-scan.ts';
import { checkLeaves, LEAVES_BYTES, MerkleTree } from '../../core/index-map/merkle-tree.ts';
import { leafHash } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import type { BinReader, BinShelf, NewBin } from './bin-shelf.ts';
import type { IndexMaps } from './index-maps.ts';
import { SharedContent, type SharedBin } from '../shared-content.ts';
import { leafAt, MapView } from './map-view.ts';
import { newBins, packEntries } from './new-bins.ts';

export interface MemoryIndexMapsOptions {
  readonly shared?: SharedContent;
  /** Throws when nothing may be written any more. */
  readonly mayWrite?: () => void;
}

export function createMemoryIndexMaps({
  shared = new SharedContent(),
  mayWrite = () => {},
}: MemoryIndexMapsOptions = {}): IndexMaps {
  const bins = new Map<Digest, SharedBin>();
  const views = new Map<string, MapView>();
  const committed = new Set<string>();
  let queue: Promise<unknown> = Promise.resolve();
  const next = (work: () => void | Promise<void>): Promise<void> => {
    const result = queue.then(mayWrite).then(work);
    queue = result.catch(() => {});
    return result;
  };
  const keep = (fresh: readonly NewBin[]): void => {
    mayWrite();
    for (const { hash, bytes, count } of fresh) {
      const bin = shared.bin(digestFromBytes(hash), bytes, count);
      bins.set(bin.hash, bin);
    }
  };
  const empty = shared.bin(digestFromBytes(EMPTY_LEAF), EMPTY_BIN, 0);
  bins.set(empty.hash, empty);
  const read = async (number: number, hash: Uint8Array): Promise<Uint8Array> => {
    const bin = bins.get(digestFromBytes(hash));
    if (bin === undefined) throw new UnavailableError(`bin ${number} of the index map is missing`);
    return bin.bytes;
  };
  const reader = (): BinReader => ({
    read,
    async *readAll(leaves) {
      for (let number = 0; number < BINS; number++) {
        const hash = leafAt(leaves, number);
        if (!EMPTY_LEAF.equals(hash)) yield { number, bytes: await read(number, hash) };
      }
    },
    [Symbol.dispose]() {},
  });
  const shelf: BinShelf = {
    nextTree: (before, plan) => shared.next(before, plan),
    reader,
    count: (_number, hash) => bins.get(digestFromBytes(hash))?.count,
    put: async (fresh) => keep(fresh),
    commit: (change, take) =>
      next(async () => {
        await change.check();
        keep(change.bins);
        committed.add(change.name);
        take();
      }),
  };
  function view(name: string): MapView {
    if (name === '' || Buffer.byteLength(name) > 255)
      throw new TypeError(`"${name}" is no name for an index map: 1 to 255 bytes`);
    const known = views.get(name);
    if (known !== undefined) return known;
    if (views.size >= limits.indexMap.views)
      throw new StorageFullError(`no room for another index map: there are ${limits.indexMap.views}`);
    const made = new MapView(shelf, name, shared.emptyTree());
    views.set(name, made);
    return made;
  }
  return {
    view,
    views: () => [...committed],
    drop: (name) =>
      next(() => {
        const dropped = views.get(name);
        if (dropped) shared.release(dropped.replace(shared.emptyTree()));
        views.delete(name);
        committed.delete(name);
      }),
    async build(name, entries) {
      const target = view(name);
      const leaves = Buffer.alloc(LEAVES_BYTES);
      const fresh: NewBin[] = [];
      let number = 0;
      for await (const piece of await packEntries(entries))
        for (const { bytes, count } of piece) {
          const hash = leafHash(bytes);
          leafAt(leaves, number).set(hash);
          fresh.push({ number, bytes, hash, count });
          number++;
        }
      await next(() => {
        keep(fresh);
        committed.add(name);
        shared.release(target.replace(shared.tree(MerkleTree.fromLeaves(leaves))));
      });
    },
    bin: async (hash) => bins.get(hash)?.bytes,
    missing(leaves) {
      checkLeaves(leaves);
      const all = Buffer.from(leaves.buffer, leaves.byteOffset, leaves.length);
      return occupiedLeaves(all).filter((number) => !bins.has(digestFromBytes(leafAt(all, number))));
    },
    async add(received) {
      for (const batch of newBins(received)) keep(batch);
    },
    hold: () => ({ [Symbol.dispose]() {} }),
    async [Symbol.asyncDispose]() {},
  };
}
