/** Power loss cannot be played here; the order of what protects from it can be watched. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { test } from 'node:test';
import { createFactEmitter } from '../../src/core/facts.ts';
import { openDiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { realFileSystem, type FileHandle, type FileSystem } from '../../src/store/file-system.ts';
import { tables, type LevelDatabase } from '../../src/store/level-database.ts';
import { digestOf, putBlob } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';

function recordingFileSystem(): { fileSystem: FileSystem; done: string[] } {
  const done: string[] = [];
  const record = (handle: FileHandle, name: string): FileHandle =>
    new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          const result: unknown = await Reflect.apply(value, target, args);
          if (property === 'sync' || property === 'datasync') done.push(`fsync ${name}`);
          if (property === 'write' && done.at(-1) !== `write ${name}`) done.push(`write ${name}`);
          return result;
        };
      },
    });
  const fileSystem: FileSystem = {
    ...realFileSystem,
    open: async (path, flags, mode) =>
      record(await realFileSystem.open(path, flags, mode), basename(String(path))),
    async rename(from, to) {
      await realFileSystem.rename(from, to);
      done.push(`rename ${basename(String(from))} to ${basename(String(to))}`);
    },
  };
  return { fileSystem, done };
}

test('a blob is on the disk, under its name, before it is acknowledged or told of', async () => {
  await using folder = await temporaryFolder();
  const { fileSystem, done } = recordingFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem });
  await putBlob(opened.store, randomBytes(10));
  const bytes = randomBytes(5000);
  const digest = digestOf(bytes);
  done.length = 0;
  opened.facts.on('blob:added', () => done.push('told'));
  await putBlob(opened.store, bytes);
  done.push('acknowledged');
  const shard = digest.slice(0, 2);
  assert.deepEqual(
    // The very first blob of a folder makes the folder, too.
    done.filter((step) => step !== 'fsync public'),
    [
      `write ${digest}`,
      `fsync ${digest}`,
      `rename ${digest} to ${digest}`,
      `fsync ${shard}`,
      'told',
      'acknowledged',
    ],
  );
});

test('a folder that was just made lasts before a blob is named in it; many share that', async () => {
  await using folder = await temporaryFolder();
  const { fileSystem, done } = recordingFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem });
  done.length = 0;
  const first = randomBytes(100);
  await putBlob(opened.store, first);
  const made = done.indexOf('fsync public');
  assert.ok(made >= 0 && made < done.indexOf(`rename ${digestOf(first)} to ${digestOf(first)}`), done.join());
  done.length = 0;
  await Promise.all(Array.from({ length: 40 }, () => putBlob(opened.store, randomBytes(100))));
  const tree = done.filter((step) => step === 'fsync public').length;
  assert.ok(tree < 20, `${tree} times`);
});

test('what exists in the catalog only, pins and private marks, is written with fsync', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  await opened.store[Symbol.asyncDispose]();
  const lasting: string[] = [];
  const db: LevelDatabase = {
    ...opened.db,
    async write(writes, options) {
      await opened.db.write(writes, options);
      for (const { table, value } of writes) {
        if (options?.sync) lasting.push(value === undefined ? `not ${table}` : table);
      }
    },
  };
  const { clock, dataDir } = opened;
  await using store = await openDiskBlobStore({
    dataDir,
    db,
    clock,
    quotaBytes: 1e6,
    facts: createFactEmitter(),
  });
  const digest = digestOf(Buffer.from('x'));
  await store.pin(digest);
  await store.markVisibility(digest, 'private');
  await store.unpin(digest);
  assert.deepEqual(lasting, [tables.pins, tables.private, `not ${tables.pins}`]);
  await putBlob(store, randomBytes(10), 'private');
  assert.equal(lasting.at(-1), tables.private);
});
