/**
 * What the store knows of every blob it holds, in memory and without objects: 100,000 blobs take about 13 MB. Two orders:
 * of use (what is evicted first is at the back) and of arrival (newest first). The catalog has the same on disk.
 */
import type { Digest } from '../core/digest.ts';
import { DigestTable } from './digest-table.ts';
import { SlotList } from './slot-list.ts';

/** A blob's file when its bytes were last known to be right. All 0: never checked by this catalog. */
export interface FileMark {
  readonly inode: number;
  readonly modifiedAt: number;
  /** Also moves when somebody sets `modifiedAt` back. */
  readonly changedAt: number;
}

export interface BlobRecord extends FileMark {
  readonly size: number;
  readonly addedAt: number;
  readonly lastUsedAt: number;
}

const COLUMNS = ['size', 'addedAt', 'lastUsedAt', 'inode', 'modifiedAt', 'changedAt'] as const;

export const NEVER_CHECKED: FileMark = { inode: 0, modifiedAt: 0, changedAt: 0 };

export class BlobIndex {
  readonly #table = new DigestTable();
  readonly #used = new SlotList();
  readonly #added = new SlotList();
  #columns = Object.fromEntries(COLUMNS.map((name) => [name, new Float64Array(0)])) as Record<
    (typeof COLUMNS)[number],
    Float64Array<ArrayBuffer>
  >;
  /** 1 for slots in use. */
  #live = new Uint8Array(0);
  #bytes = 0;

  get size(): number {
    return this.#table.size;
  }

  /** Of all blobs. */
  get bytes(): number {
    return this.#bytes;
  }

  has(digest: Digest): boolean {
    return this.#table.has(digest);
  }

  get(digest: Digest): BlobRecord | undefined {
    const slot = this.#table.find(digest);
    return slot < 0 ? undefined : this.#record(slot);
  }

  /** As newest and last used. `digest` must not be there yet. */
  add(digest: Digest, record: BlobRecord): void {
    const slot = this.#insert(digest, record);
    this.#used.pushFront(slot);
    this.#added.pushFront(slot);
  }

  /** For filling at start: no order until `sort`. */
  addUnsorted(digest: Digest, record: BlobRecord): void {
    this.#insert(digest, record);
  }

  /** Puts all in the order of their times. */
  sort(): void {
    const slots = Uint32Array.from(this.#slots());
    const { lastUsedAt, addedAt } = this.#columns;
    this.#used.reset(slots.sort((a, b) => lastUsedAt[b]! - lastUsedAt[a]! || addedAt[b]! - addedAt[a]!));
    this.#added.reset(slots.sort((a, b) => addedAt[b]! - addedAt[a]!));
  }

  remove(digest: Digest): BlobRecord | undefined {
    const slot = this.#table.remove(digest);
    if (slot < 0) return undefined;
    const record = this.#record(slot);
    this.#used.remove(slot);
    this.#added.remove(slot);
    this.#live[slot] = 0;
    this.#bytes -= record.size;
    return record;
  }

  touch(digest: Digest, now: number): boolean {
    const slot = this.#table.find(digest);
    if (slot < 0) return false;
    this.#columns.lastUsedAt[slot] = now;
    this.#used.remove(slot);
    this.#used.pushFront(slot);
    return true;
  }

  mark(digest: Digest, mark: FileMark): void {
    const slot = this.#table.find(digest);
    if (slot < 0) return;
    for (const name of ['inode', 'modifiedAt', 'changedAt'] as const) this.#columns[name][slot] = mark[name];
  }

  /** Least recently used first; the one just given may be removed. */
  *leastRecentlyUsed(): Generator<{ digest: Digest; size: number }> {
    for (const slot of this.#used.fromBack()) {
      yield { digest: this.#table.digestAt(slot), size: this.#columns.size[slot]! };
    }
  }

  /** Newest first, as of now; what goes meanwhile is left out. */
  *newest(): Generator<Digest> {
    for (const slot of Uint32Array.from(this.#added.fromFront())) {
      if (this.#live[slot] === 1) yield this.#table.digestAt(slot);
    }
  }

  #insert(digest: Digest, record: BlobRecord): number {
    const slot = this.#table.insert(digest);
    const { capacity } = this.#table;
    if (this.#live.length < capacity) {
      this.#used.grow(capacity);
      this.#added.grow(capacity);
      const live = new Uint8Array(capacity);
      live.set(this.#live);
      this.#live = live;
      for (const name of COLUMNS) {
        const column = new Float64Array(capacity);
        column.set(this.#columns[name]);
        this.#columns[name] = column;
      }
    }
    for (const name of COLUMNS) this.#columns[name][slot] = record[name];
    this.#live[slot] = 1;
    this.#bytes += record.size;
    return slot;
  }

  #record(slot: number): BlobRecord {
    const { size, addedAt, lastUsedAt, inode, modifiedAt, changedAt } = this.#columns;
    return {
      size: size[slot]!,
      addedAt: addedAt[slot]!,
      lastUsedAt: lastUsedAt[slot]!,
      inode: inode[slot]!,
      modifiedAt: modifiedAt[slot]!,
      changedAt: changedAt[slot]!,
    };
  }

  *#slots(): Generator<number> {
    for (let slot = 0; slot < this.#live.length; slot++) if (this.#live[slot] === 1) yield slot;
  }
}
