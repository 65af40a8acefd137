/**
 * The base: all 65,536 bins in one file, written once and only read afterwards.
 *
 *   16 bytes "fondue index map", u32 format, u32 zero, 32 bytes SHA-256 of the table, 8 bytes zero
 *   table: 65,537 offsets (u48) of the bins and of the end, 65,536 numbers of names (u16), 65,536 leaf hashes
 *   the bins' CBOR, one after the other
 *
 * All numbers big-endian. The table is checked when the file is opened, a bin when it is read, against its leaf hash. One that
 * does not fit counts as missing from then on.
 */
import { hash } from 'node:crypto';
import { EMPTY_BIN, EMPTY_LEAF } from '../../core/index-map/index-bin.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { LEAVES_BYTES } from '../../core/index-map/merkle-tree.ts';
import { HASH_BYTES, leafHash } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import type { FileHandle, FileSystem } from '../file-system.ts';
import { type FileDamage, isOurs, sealHead } from './file-head.ts';
import { readAt, writeAt } from './positioned-io.ts';

const MAGIC = 'fondue index map';
const HEAD_BYTES = 64;
const OFFSET_BYTES = 6;
const COUNTS_AT = (BINS + 1) * OFFSET_BYTES;
const LEAVES_AT = COUNTS_AT + BINS * 2;
const TABLE_BYTES = LEAVES_AT + LEAVES_BYTES;

export interface StoredBin {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** `bins` gives all bins in order, in pieces. The file is durable (its name is not) and open when it resolves. */
export async function writeBase(
  fileSystem: FileSystem,
  path: string,
  bins: AsyncIterable<readonly StoredBin[]>,
): Promise<BaseFile> {
  const table = Buffer.alloc(TABLE_BYTES);
  const file = await fileSystem.open(path, 'w+', 0o600);
  try {
    let number = 0;
    let end = HEAD_BYTES + TABLE_BYTES;
    const waiting = Buffer.allocUnsafe(limits.indexMap.readAhead);
    let filled = 0;
    const flush = async (): Promise<void> => {
      await writeAt(file, waiting.subarray(0, filled), end - filled);
      filled = 0;
    };
    for await (const piece of bins)
      for (const { bytes, count } of piece) {
        table.writeUIntBE(end, number * OFFSET_BYTES, OFFSET_BYTES);
        table.writeUInt16BE(count, COUNTS_AT + number * 2);
        table.set(bytes === EMPTY_BIN ? EMPTY_LEAF : leafHash(bytes), LEAVES_AT + number * HASH_BYTES);
        if (filled + bytes.length > waiting.length) await flush();
        waiting.set(bytes, filled);
        filled += bytes.length;
        end += bytes.length;
        number++;
      }
    await flush();
    table.writeUIntBE(end, BINS * OFFSET_BYTES, OFFSET_BYTES);
    await writeAt(file, table, HEAD_BYTES);
    await writeAt(file, sealHead(MAGIC, hash('sha256', table, 'buffer')), 0);
    await file.sync();
    return new BaseFile(file, table);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What is wrong with the file, as text, where it is not a whole base. @throws ConfigurationError for a newer format */
export async function openBase(fileSystem: FileSystem, path: string): Promise<BaseFile | FileDamage> {
  const file = await fileSystem.open(path, 'r');
  try {
    const head = await readAt(file, HEAD_BYTES, 0);
    const id = isOurs(head, MAGIC, path);
    const table = await readAt(file, TABLE_BYTES, HEAD_BYTES);
    const damage = !id
      ? 'is not a base of index maps'
      : !hash('sha256', table, 'buffer').equals(id)
        ? 'has a table that does not fit its checksum'
        : (await file.stat()).size < table.readUIntBE(BINS * OFFSET_BYTES, OFFSET_BYTES)
          ? 'is cut short'
          : undefined;
    if (damage === undefined) return new BaseFile(file, table);
    await file.close();
    return { damage };
  } catch (error) {
    await file.close();
    throw error;
  }
}

export class BaseFile {
  readonly id: Buffer;
  readonly #file: FileHandle;
  readonly #table: Buffer;
  readonly #damaged = new Set<number>();
  /** Open addressing by the first bytes of the leaf hash: number + 1, or 0. */
  #byHash: Uint32Array | undefined;

  constructor(file: FileHandle, table: Buffer) {
    this.#file = file;
    this.#table = table;
    this.id = hash('sha256', table, 'buffer');
  }

  /** Not a copy. */
  get leaves(): Buffer {
    return this.#table.subarray(LEAVES_AT);
  }

  leaf(number: number): Buffer {
    return this.#table.subarray(LEAVES_AT + number * HASH_BYTES, LEAVES_AT + (number + 1) * HASH_BYTES);
  }

  has(number: number, hash: Uint8Array): boolean {
    return this.isLeaf(number, hash) && !this.#damaged.has(number);
  }

  isLeaf(number: number, hash: Uint8Array): boolean {
    const at = LEAVES_AT + number * HASH_BYTES;
    return this.#table.compare(hash, 0, HASH_BYTES, at, at + HASH_BYTES) === 0;
  }

  count(number: number): number {
    return this.#table.readUInt16BE(COUNTS_AT + number * 2);
  }

  /** Undefined when the bin turned out to be damaged. */
  async read(number: number): Promise<Uint8Array | undefined> {
    if (this.#damaged.has(number)) return undefined;
    const from = this.#offset(number);
    return this.#checked(number, await readAt(this.#file, this.#offset(number + 1) - from, from));
  }

  /** The bins from one number to before another, in `room` where that suffices; undefined for damaged ones. */
  async readRange(first: number, end: number, room: Buffer): Promise<(Uint8Array | undefined)[]> {
    const from = this.#offset(first);
    const length = this.bytesOf(first, end);
    const piece = await readAt(this.#file, length, from, length > room.length ? undefined : room);
    const bins: (Uint8Array | undefined)[] = [];
    for (let number = first; number < end; number++)
      bins.push(
        this.#checked(number, piece.subarray(this.#offset(number) - from, this.#offset(number + 1) - from)),
      );
    return bins;
  }

  bytesOf(first: number, end: number): number {
    return this.#offset(end) - this.#offset(first);
  }

  numberOf(hash: Uint8Array): number | undefined {
    const slots = (this.#byHash ??= this.#indexHashes());
    for (let at = slotOf(hash); ; at = (at + 1) % slots.length) {
      const number = (slots[at] ?? 0) - 1;
      if (number < 0) return undefined;
      if (this.isLeaf(number, hash)) return number;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #checked(number: number, bytes: Buffer): Uint8Array | undefined {
    if (this.isLeaf(number, EMPTY_LEAF)) return EMPTY_BIN;
    if (leafHash(bytes).equals(this.leaf(number))) return bytes;
    this.#damaged.add(number);
    return undefined;
  }

  #offset(number: number): number {
    return this.#table.readUIntBE(number * OFFSET_BYTES, OFFSET_BYTES);
  }

  #indexHashes(): Uint32Array {
    const slots = new Uint32Array(SLOTS);
    for (let number = 0; number < BINS; number++) {
      const leaf = this.leaf(number);
      let at = slotOf(leaf);
      // Equal bins (empty ones) need one slot only.
      while (slots[at] !== 0 && !this.leaf((slots[at] ?? 0) - 1).equals(leaf)) at = (at + 1) % SLOTS;
      if (slots[at] === 0) slots[at] = number + 1;
    }
    return slots;
  }
}

const SLOTS = 2 * BINS;

function slotOf(hash: Uint8Array): number {
  return Buffer.from(hash.buffer, hash.byteOffset, 4).readUInt32BE() % SLOTS;
}
