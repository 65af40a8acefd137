/**
 * The one LevelDB of a node: a few tables of bytes, each a key prefix. Every value carries a checksum, because LevelDB
 * does not look at its own when it reads: a damaged record is a missing record, said once as a fact. What `write` resolved
 * survives `kill -9`; with `sync` also power loss.
 */
import { statfs } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { Level } from 'level';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import { diskFull, isDiskFull } from './storage-full.ts';

export const tables = {
  meta: 'm',
  blobs: 'b',
  pins: 'p',
  private: 'x',
  pages: 'g',
  bodies: 'y',
  wheels: 'w',
  origins: 'o',
  documents: 'd',
  /** Of a publisher: pages in no record yet, how to ask for pages, past records' changes, pages that may go. */
  changed: 'c',
  validators: 'v',
  history: 'h',
  retired: 'r',
  /** Of a follower: heads, records, what is believed. */
  follow: 'f',
} as const;

type Table = (typeof tables)[keyof typeof tables];

export interface LevelWrite {
  readonly table: Table;
  readonly key: Uint8Array;
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined;
}

export interface LevelDatabase extends AsyncDisposable {
  get(table: Table, key: Uint8Array): Promise<Buffer | undefined>;
  /** All or nothing. Throws StorageFullError. */
  write(writes: readonly LevelWrite[], options?: { sync?: boolean }): Promise<void>;
  /** A table by ascending keys, or those of them that begin with `prefix`, some entries at a time. */
  entries(
    table: Table,
    prefix?: Uint8Array,
  ): AsyncGenerator<readonly (readonly [key: Buffer, value: Buffer])[]>;
}

export type RawLevel = Level<Buffer, Buffer>;

/** Types of `level` know nothing of LevelDB's own `sync`. */
interface SyncOption {
  readonly sync: boolean;
}

const ENTRIES_AT_ONCE = 1000;

function seal(key: Buffer, value: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + 4);
  sealed.set(value);
  sealed.writeUInt32BE(crc32(value, crc32(key)), value.length);
  return sealed;
}

function unseal(key: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < 4) return undefined;
  const value = sealed.subarray(0, -4);
  return sealed.readUInt32BE(value.length) === crc32(value, crc32(key)) ? value : undefined;
}

const keyOf = (table: Table, key: Uint8Array): Buffer => Buffer.concat([Buffer.from(table), key]);

/** All keys that begin so; not all of its bytes may be 255. */
function keysFrom(start: Buffer): { gte: Buffer; lt: Buffer } {
  const last = start.findLastIndex((byte) => byte < 255);
  const end = Buffer.from(start.subarray(0, last + 1));
  end[last] = (end[last] ?? 0) + 1;
  return { gte: start, lt: end };
}

const isCorruption = (error: unknown): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === 'LEVEL_CORRUPTION';

export function openRawLevel(path: string): RawLevel {
  // 1,000 open files is LevelDB's default; a catalog of 2 MiB tables needs fewer, and sockets and blobs need theirs.
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', maxOpenFiles: 200 };
  return new Level<Buffer, Buffer>(path, options);
}

/** `raw` must be open; it is closed with the result. */
export function wrapLevel(raw: RawLevel, path: string, facts: FactEmitter): LevelDatabase {
  /** It is being closed and opened anew. */
  let reopening: Promise<void> | undefined;
  /** A write failed. LevelDB may refuse all further ones until it is opened anew. */
  let failed = false;
  let closed = false;
  const damaged = new Set<Table>();

  const tell = (table: Table): void => {
    if (damaged.has(table)) return;
    damaged.add(table);
    const name = Object.entries(tables).find(([, prefix]) => prefix === table)?.[0] ?? table;
    facts.emit('storage:repaired', { message: `damaged entries of ${name} in ${path} count as missing` });
  };

  async function reopen(): Promise<void> {
    try {
      await raw.close();
      await raw.open();
      failed = false;
    } catch (error) {
      throw isDiskFull(error) ? diskFull(path, error) : error;
    } finally {
      reopening = undefined;
    }
  }

  const reopened = (): Promise<void> => (reopening ??= reopen());
  /** Where opening it anew failed (a disk quota, of which `statfs` knows nothing), whoever comes next tries again. */
  const isReady = (): boolean => closed || (reopening === undefined && raw.status === 'open');

  async function reopenWhenRoom(): Promise<void> {
    // Opening writes files: on a full disk it would fail and take reading with it.
    const { bavail, bsize } = await statfs(path);
    if (bavail * bsize >= limits.store.reopenFreeBytes && failed) await reopened();
  }

  return {
    async get(table, key) {
      while (!isReady()) await reopened();
      const fullKey = keyOf(table, key);
      try {
        const sealed = await raw.get(fullKey);
        if (sealed === undefined) return undefined;
        const value = unseal(fullKey, sealed);
        if (value === undefined) tell(table);
        return value;
      } catch (error) {
        if (!isCorruption(error)) throw error;
        tell(table);
        return undefined;
      }
    },
    async write(writes, options) {
      if (writes.length === 0) return;
      while (!isReady()) await reopened();
      if (failed) await reopenWhenRoom();
      const batch = writes.map((write) => {
        const key = keyOf(write.table, write.key);
        return write.value === undefined
          ? ({ type: 'del', key } as const)
          : ({ type: 'put', key, value: seal(key, write.value) } as const);
      });
      try {
        await raw.batch(batch, { sync: options?.sync ?? false } as SyncOption);
      } catch (error) {
        failed = true;
        throw isDiskFull(error) ? diskFull(path, error) : error;
      }
    },
    async *entries(table, prefix = new Uint8Array()) {
      while (!isReady()) await reopened();
      const range = { ...keysFrom(keyOf(table, prefix)), highWaterMarkBytes: ENTRIES_AT_ONCE * 200 };
      const iterator = raw.iterator(range);
      try {
        for (;;) {
          const raw = await iterator.nextv(ENTRIES_AT_ONCE);
          if (raw.length === 0) return;
          const good: [Buffer, Buffer][] = [];
          for (const [key, sealed] of raw) {
            const value = unseal(key, sealed);
            if (value === undefined) tell(table);
            else good.push([key.subarray(1), value]);
          }
          yield good;
        }
      } catch (error) {
        if (!isCorruption(error)) throw error;
        tell(table);
      } finally {
        await iterator.close();
      }
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      await reopening?.catch(() => undefined);
      await raw.close();
    },
  };
}
