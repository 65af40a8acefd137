/** The files of a log's tree: reads what is there at some size, and writes what one more leaf changes. */
import { InvalidLogError } from '../../core/errors.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import {
  decodeBundle,
  encodeBundle,
  joinHashes,
  newTiles,
  type Tile,
  TILE_WIDTH,
  tilePath,
} from '../../core/log/tiles.ts';
import type { LogFiles } from './log-files.ts';

/** The entry bundle that ends a log of `size` (at least 1) entries. */
export function lastBundle(size: number): Tile {
  const index = Math.floor((size - 1) / TILE_WIDTH);
  return { level: 'entries', index, width: size - index * TILE_WIDTH };
}

/** How many entries are stored, signed or not. */
export async function countEntries(files: LogFiles): Promise<number> {
  const isFull = (index: number): Promise<boolean> =>
    files.has(tilePath({ level: 'entries', index, width: TILE_WIDTH }));
  let [some, none] = [0, 1];
  while (await isFull(none - 1)) [some, none] = [none, none * 2];
  // The first `some` are full, bundle `none - 1` is not.
  none -= 1;
  while (some < none) {
    const middle = Math.floor((some + none) / 2);
    if (await isFull(middle)) some = middle + 1;
    else none = middle;
  }
  const widths = (await files.list(partialFolder({ level: 'entries', index: some }))).map(Number);
  return some * TILE_WIDTH + Math.max(0, ...widths.filter((width) => Number.isInteger(width)));
}

/** Those of the bundle that ends the log. @throws InvalidLogError LOG_DAMAGED, TILE_MALFORMED */
export async function readLastBundle(files: LogFiles, size: number): Promise<Uint8Array[]> {
  if (size === 0) return [];
  const tile = lastBundle(size);
  return decodeBundle(await readFile(files, tile), tile.width);
}

/** A tile of the log at some size before or now: the one of that width, or what it has grown into. @throws InvalidLogError LOG_DAMAGED */
export async function readTile(files: LogFiles, tile: Tile): Promise<Uint8Array> {
  const bytes = (await files.read(tilePath(tile))) ?? (await readFile(files, { ...tile, width: TILE_WIDTH }));
  return bytes.subarray(0, tile.width * HASH_BYTES);
}

export async function readEntry(files: LogFiles, index: number, size: number): Promise<Uint8Array> {
  const number = Math.floor(index / TILE_WIDTH);
  const width = Math.min(TILE_WIDTH, size - number * TILE_WIDTH);
  const bundle = await readFile(files, { level: 'entries', index: number, width });
  return decodeBundle(bundle, width)[index % TILE_WIDTH] as Uint8Array;
}

/** What makes entry `size - 1` part of the log, for good: the moment from which there can be no other. */
export async function writeLastBundle(
  files: LogFiles,
  size: number,
  entries: readonly Uint8Array[],
): Promise<void> {
  await files.write(tilePath(lastBundle(size)), encodeBundle(entries));
}

/** The tiles of the log of `size` leaves that the one before did not have, its last leaf being `leaf`. */
export async function writeNewTiles(files: LogFiles, size: number, leaf: Uint8Array): Promise<void> {
  let hash = leaf;
  for (const tile of newTiles(size - 1, size)) {
    const before = tile.width === 1 ? [] : [await readTile(files, { ...tile, width: tile.width - 1 })];
    const bytes = Buffer.concat([...before, hash]);
    await files.write(tilePath(tile), bytes);
    if (tile.width === TILE_WIDTH) hash = joinHashes(bytes);
  }
}

/** Partial tiles and bundles that became full with leaf `size - 1` are not needed any more. */
export async function dropPartials(files: LogFiles, size: number): Promise<void> {
  for (const tile of newTiles(size - 1, size)) {
    if (tile.width !== TILE_WIDTH) continue;
    const levels: Tile['level'][] = tile.level === 0 ? ['entries', 0] : [tile.level];
    for (const level of levels) {
      const folder = partialFolder({ ...tile, level });
      for (const name of await files.list(folder)) await files.remove(`${folder}/${name}`);
    }
  }
}

function partialFolder(tile: Omit<Tile, 'width'>): string {
  return `${tilePath({ ...tile, width: TILE_WIDTH })}.p`;
}

async function readFile(files: LogFiles, tile: Tile): Promise<Uint8Array> {
  const bytes = await files.read(tilePath(tile));
  if (bytes === undefined) throw new InvalidLogError('LOG_DAMAGED', `${tilePath(tile)} is missing`);
  return bytes;
}
