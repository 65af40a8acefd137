/** Makes a log's root and proofs from its tiles, wherever those are: the few that are needed are read, each once. */
import { type Digest, digestFromBytes } from '../digest.ts';
import { nodeHash } from '../index-map/tree-hash.ts';
import { EMPTY_ROOT } from './checkpoint.ts';
import { hashInTile, placeOf, type Tile, tilePath } from './tiles.ts';
import { consistencyFolds, type Fold, inclusionFolds, rangeFold } from './tree-nodes.ts';
import type { TreeProof } from './tree-proofs.ts';

/** The tile's hashes, exactly `width` of them. */
export type ReadTile = (tile: Tile) => Promise<Uint8Array>;

/** What the tiles were read from is not checked: compare the root with a signed one. */
export async function logRoot(size: number, readTile: ReadTile): Promise<Digest> {
  if (size === 0) return EMPTY_ROOT;
  const [root] = await hashFolds([rangeFold(0, size)], size, readTile);
  return digestFromBytes(root as Uint8Array);
}

/** @throws RangeError unless `index` is a leaf of the tree */
export async function proveInclusion(index: number, size: number, readTile: ReadTile): Promise<TreeProof> {
  if (!(index >= 0 && index < size)) throw new RangeError(`a log of ${size} leaves has no leaf ${index}`);
  return hashFolds(inclusionFolds(index, size), size, readTile);
}

/** @throws RangeError unless 0 <= from <= to */
export async function proveConsistency(from: number, to: number, readTile: ReadTile): Promise<TreeProof> {
  if (!(from >= 0 && from <= to)) throw new RangeError(`a log of ${to} leaves was never one of ${from}`);
  return hashFolds(consistencyFolds(from, to), to, readTile);
}

async function hashFolds(folds: readonly Fold[], size: number, readTile: ReadTile): Promise<Uint8Array[]> {
  const tiles = new Map<string, Promise<Uint8Array>>();
  const read = (tile: Tile): Promise<Uint8Array> => {
    const path = tilePath(tile);
    const data = tiles.get(path) ?? readTile(tile);
    tiles.set(path, data);
    return data;
  };
  const hashOf = async (fold: Fold): Promise<Uint8Array> => {
    const hashes = await Promise.all(
      fold.map(async (node) => {
        const place = placeOf(node, size);
        return hashInTile(place, await read(place.tile));
      }),
    );
    return hashes.reduceRight((right, left) => nodeHash(left, right));
  };
  return Promise.all(folds.map(hashOf));
}
