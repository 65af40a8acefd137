/** The map of projects, its bins, root and deltas, written from docs/protocol.md alone: imports nothing from `src/`. */
import { encode } from '@ipld/dag-cbor';
import { leafHash, nodeHash, sha256 } from './signed-log.ts';

export interface Entry {
  readonly name: string;
  readonly serial: number;
  /** SHA-256 of the canonical page, and its bytes. */
  readonly digest: Uint8Array;
  readonly length: number;
}

export const BINS = 65_536;
export const binOf = (name: string): number => sha256(Buffer.from(name)).readUInt16BE(0);
const cbor = (value: unknown): Buffer => Buffer.from(encode(value));
const row = ({ name, serial, digest, length }: Entry): unknown[] => [name, serial, digest, length];
const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  compare(a.name, b.name);
/** ASCII. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The bins that are not empty, and what follows from them. */
export class ProjectMap {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly bins = new Map<number, Buffer>();
  readonly #levels: Map<number, Buffer>[];

  constructor(entries: ReadonlyMap<string, Entry>, forged: ReadonlyMap<number, Buffer> = new Map()) {
    this.entries = entries;
    const byBin = Map.groupBy(entries.values(), ({ name }) => binOf(name));
    for (const [bin, list] of byBin) this.bins.set(bin, cbor({ e: list.sort(byName).map(row) }));
    for (const [bin, bytes] of forged) this.bins.set(bin, bytes);
    this.#levels = levelsOf(new Map([...this.bins].map(([bin, bytes]) => [bin, leafHash(bytes)])));
  }

  get root(): Buffer {
    return this.#levels.at(-1)?.get(0) ?? emptyAt(16);
  }

  /** All leaf hashes, side by side. */
  get leaves(): Buffer {
    const bytes = Buffer.alloc(32 * BINS);
    for (let bin = 0; bin < BINS; bin++) bytes.set(this.#levels[0]?.get(bin) ?? emptyAt(0), 32 * bin);
    return bytes;
  }

  bin(number: number): Buffer {
    return this.bins.get(number) ?? EMPTY;
  }

  /** The map proof of a bin: 16 hashes from the bottom up, and the bin. */
  prove(bin: number): Buffer {
    const path = Array.from(
      { length: 16 },
      (_, level) => this.#levels[level]?.get((bin >> level) ^ 1) ?? emptyAt(level),
    );
    return Buffer.concat([...path, this.bin(bin)]);
  }
}

export function deltaBetween(before: ProjectMap, after: ProjectMap): Buffer {
  const set = [...after.entries.values()].filter((entry) => before.entries.get(entry.name) !== entry);
  const del = [...before.entries.keys()].filter((name) => !after.entries.has(name));
  return encodeDelta(set, del);
}

export const encodeDelta = (set: readonly Entry[], del: readonly string[]): Buffer =>
  cbor({ set: set.toSorted(byName).map(row), del: del.toSorted(compare) });

/** A bin that no honest publisher would sign: far above 64 KiB, of one name again and again. */
export const hugeBin = (entry: Entry): Buffer => cbor({ e: Array.from({ length: 2000 }, () => row(entry)) });

const EMPTY = cbor({ e: [] });
const empties: Buffer[] = [leafHash(EMPTY)];
function emptyAt(level: number): Buffer {
  while (empties.length <= level) empties.push(nodeHash(empties.at(-1)!, empties.at(-1)!));
  return empties[level]!;
}

/** Level by level, what differs from the tree of empty bins. */
function levelsOf(leaves: Map<number, Buffer>): Map<number, Buffer>[] {
  const levels = [leaves];
  for (let level = 0; level < 16; level++) {
    const below = levels[level]!;
    const hashOf = (at: number): Buffer => below.get(at) ?? emptyAt(level);
    const parents = new Set([...below.keys()].map((at) => at >> 1));
    levels.push(new Map([...parents].map((at) => [at, nodeHash(hashOf(2 * at), hashOf(2 * at + 1))])));
  }
  return levels;
}
