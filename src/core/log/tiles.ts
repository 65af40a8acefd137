/**
 * C2SP tlog-tiles: how a log is cut into files that any web server can serve. A tile has up to 256 hashes of one level
 * (in steps of 8); an entry bundle has the entries of one tile of level 0. A tile never changes but for growing; each
 * width it had at a signed size has its own path until it is full.
 */
import { InvalidLogError } from '../errors.ts';
import { HASH_BYTES, nodeHash } from '../index-map/tree-hash.ts';
import type { TreeNode } from './tree-nodes.ts';

export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;
/** An entry's length has two bytes. */
const ENTRY_BYTES = 0xffff;

export interface Tile {
  /** 0 to 63, or the entries themselves. */
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 256; 256 is full. */
  readonly width: number;
}

/** `tile/0/x001/x234/067.p/8`: below a log's prefix. */
export function tilePath({ level, index, width }: Tile): string {
  const groups: string[] = [];
  for (let rest = index, last = true; last || rest > 0; rest = Math.floor(rest / 1000), last = false)
    groups.unshift(`${last ? '' : 'x'}${String(rest % 1000).padStart(3, '0')}`);
  return `tile/${level}/${groups.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** Undefined when it is no tile's path; there is one path for a tile. */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  if (match === null) return undefined;
  const [, levelText = '', indexText = '', widthText] = match;
  const level = levelText === 'entries' ? 'entries' : Number(levelText);
  const tile: Tile = {
    level,
    index: Number(indexText.replaceAll(/[x/]/g, '')),
    width: widthText === undefined ? TILE_WIDTH : Number(widthText),
  };
  const inRange =
    (level === 'entries' || level <= 63) &&
    tile.width >= 1 &&
    tile.width <= TILE_WIDTH &&
    Number.isSafeInteger(tile.index);
  return inRange && tilePath(tile) === path ? tile : undefined;
}

/** The tiles that a log grown from `oldSize` to `newSize` leaves has new, lower levels first; bundles have the paths of level 0. */
export function newTiles(oldSize: number, newSize: number): Tile[] {
  const tiles: Tile[] = [];
  let [before, now] = [oldSize, newSize];
  for (let level = 0; now > 0; level++) {
    if (before !== now) {
      for (let index = Math.floor(before / TILE_WIDTH); index < Math.floor(now / TILE_WIDTH); index++)
        tiles.push({ level, index, width: TILE_WIDTH });
      const width = now % TILE_WIDTH;
      if (width > 0) tiles.push({ level, index: Math.floor(now / TILE_WIDTH), width });
    }
    before = Math.floor(before / TILE_WIDTH);
    now = Math.floor(now / TILE_WIDTH);
  }
  return tiles;
}

export interface PlaceInTile {
  /** As wide as the tree of `size` leaves has it. */
  readonly tile: Tile;
  /** Hashes of the tile that make the node. */
  readonly from: number;
  readonly count: number;
}

/** Where the hash of a node stands in a tree of `size` leaves. */
export function placeOf({ level, index }: TreeNode, size: number): PlaceInTile {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const first = index * count;
  const tileIndex = Math.floor(first / TILE_WIDTH);
  const hashes = Math.floor(size / TILE_WIDTH ** tileLevel);
  const width = Math.min(TILE_WIDTH, hashes - tileIndex * TILE_WIDTH);
  return { tile: { level: tileLevel, index: tileIndex, width }, from: first % TILE_WIDTH, count };
}

/** The hash of the node at a place. @throws InvalidLogError TILE_MALFORMED when the tile has not its width */
export function hashInTile({ tile, from, count }: PlaceInTile, data: Uint8Array): Uint8Array {
  if (data.length !== tile.width * HASH_BYTES || from + count > tile.width)
    malformed(`${tilePath(tile)} has ${data.length} bytes where ${tile.width * HASH_BYTES} belong`);
  return joinHashes(data.subarray(from * HASH_BYTES, (from + count) * HASH_BYTES));
}

/** The root of a power of two of hashes side by side. */
export function joinHashes(hashes: Uint8Array): Uint8Array {
  if (hashes.length === HASH_BYTES) return hashes;
  const half = hashes.length / 2;
  return nodeHash(joinHashes(hashes.subarray(0, half)), joinHashes(hashes.subarray(half)));
}

export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > ENTRY_BYTES) malformed(`an entry has ${entry.length} bytes, over ${ENTRY_BYTES}`);
      const head = Buffer.alloc(2);
      head.writeUInt16BE(entry.length);
      return [head, entry];
    }),
  );
}

/** @throws InvalidLogError TILE_MALFORMED unless it is `width` entries and nothing else */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < buffer.length;) {
    const end = at + 2 <= buffer.length ? at + 2 + buffer.readUInt16BE(at) : Infinity;
    if (end > buffer.length) malformed(`an entry bundle is cut off at byte ${at}`);
    entries.push(buffer.subarray(at + 2, end));
    at = end;
  }
  if (entries.length !== width)
    malformed(`an entry bundle has ${entries.length} entries where ${width} belong`);
  return entries;
}

function malformed(what: string): never {
  throw new InvalidLogError('TILE_MALFORMED', `in a log, ${what}`);
}
