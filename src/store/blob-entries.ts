/**
 * Blobs, pins and private marks in the catalog's database. An entry is a convenience: a blob without one is found again on
 * disk and hashed before its first serving, so entries are written without waiting for the disk. Pins and private marks
 * exist nowhere else: their writing waits for it.
 */
import { digestFromBytes, digestToBytes, type Digest } from '../core/digest.ts';
import type { BlobRecord } from './blob-index.ts';
import { tables, type LevelDatabase } from './level-database.ts';

const FIELDS = ['size', 'addedAt', 'lastUsedAt', 'inode', 'modifiedAt', 'changedAt'] as const;

function encode(record: BlobRecord): Buffer {
  const bytes = Buffer.allocUnsafe(FIELDS.length * 8);
  FIELDS.forEach((name, i) => bytes.writeDoubleBE(record[name], i * 8));
  return bytes;
}

function decode(bytes: Buffer): BlobRecord {
  const at = (i: number): number => bytes.readDoubleBE(i * 8);
  return {
    size: at(0),
    addedAt: at(1),
    lastUsedAt: at(2),
    inode: at(3),
    modifiedAt: at(4),
    changedAt: at(5),
  };
}

const DONE = new Uint8Array(0);

export class BlobEntries {
  readonly #db: LevelDatabase;

  constructor(db: LevelDatabase) {
    this.#db = db;
  }

  async *all(): AsyncGenerator<readonly [Digest, BlobRecord]> {
    for await (const batch of this.#db.entries(tables.blobs)) {
      for (const [key, value] of batch) {
        if (key.length === 32 && value.length === FIELDS.length * 8)
          yield [digestFromBytes(key), decode(value)];
      }
    }
  }

  /** An undefined record deletes. */
  write(records: Iterable<readonly [Digest, BlobRecord | undefined]>): Promise<void> {
    const writes = Array.from(records, ([digest, record]) => ({
      table: tables.blobs,
      key: digestToBytes(digest),
      value: record && encode(record),
    }));
    return this.#db.write(writes);
  }

  async set(table: 'pins' | 'private'): Promise<Digest[]> {
    const digests: Digest[] = [];
    for await (const batch of this.#db.entries(tables[table])) {
      for (const [key] of batch) if (key.length === 32) digests.push(digestFromBytes(key));
    }
    return digests;
  }

  put(table: 'pins' | 'private', digest: Digest): Promise<void> {
    return this.#db.write([{ table: tables[table], key: digestToBytes(digest), value: DONE }], {
      sync: true,
    });
  }

  unpin(digest: Digest): Promise<void> {
    return this.#db.write([{ table: tables.pins, key: digestToBytes(digest), value: undefined }], {
      sync: true,
    });
  }
}
