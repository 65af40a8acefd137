/** Open files are few however many read, and running out of them costs one request, not the store. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readSync } from 'node:fs';
import { test } from 'node:test';
import { UnavailableError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import type { Digest } from '../../src/core/digest.ts';
import { BlobHandles } from '../../src/store/blob-handles.ts';
import { digestOf, putBlob, readAll, readBlob } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';
import { realFileSystem, type FileSystem } from '../../src/store/file-system.ts';
import { createFaultyFileSystem, systemError } from '../support/faulty-file-system.ts';

test('a hundred readers of a blob share one file', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
  const bytes = randomBytes(3000);
  const digest = await putBlob(opened.store, bytes);
  const before = faults.openFiles;
  const readers = await Promise.all(Array.from({ length: 100 }, () => opened.store.open(digest)));
  assert.equal(faults.openFiles, before + 1);
  const contents = await Promise.all(readers.map((reader) => readAll(reader!)));
  assert.ok(contents.every((content) => content.equals(bytes)));
  await Promise.all(readers.map((reader) => reader![Symbol.asyncDispose]()));
  await opened[Symbol.asyncDispose]();
  assert.equal(faults.openFiles, 0, 'all are closed with the store');
});

test("a reader tells its file's descriptor, which stays open until its reader is disposed of, whoever has the blob deleted", async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const bytes = randomBytes(3000);
  const digest = await putBlob(opened.store, bytes);
  const reader = await opened.store.open(digest);
  assert.ok(reader?.descriptor !== undefined);
  await opened.store.delete(digest);
  const target = Buffer.alloc(4000);
  assert.equal(readSync(reader.descriptor, target, 0, 4000, 0), 3000);
  assert.ok(target.subarray(0, 3000).equals(bytes));
  await reader[Symbol.asyncDispose]();
  const { descriptor } = reader;
  assert.throws(() => readSync(descriptor, target, 0, 4000, 0), { code: 'EBADF' });
});

test('files without readers are kept open up to a bound', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
  const digests: Digest[] = [];
  for (let i = 0; i < limits.store.idleFiles + 20; i++)
    digests.push(await putBlob(opened.store, randomBytes(10)));
  for (const digest of digests) await readBlob(opened.store, digest);
  assert.equal(faults.openFiles, limits.store.idleFiles);
  await opened.store.collect(0);
  assert.equal(faults.openFiles, 0, 'evicted blobs are not kept open');
});

test('no more files are open for readers than the limit says', async () => {
  const faults = createFaultyFileSystem();
  const handles = new BlobHandles(faults.fileSystem);
  const digests = Array.from({ length: limits.store.openFiles }, (_, i) => digestOf(Buffer.from(String(i))));
  const shared = [];
  for (const digest of digests) shared.push(await handles.acquire(digest, '/dev/null'));
  const one = digestOf(Buffer.from('one more'));
  await assert.rejects(handles.acquire(one, '/dev/null'), UnavailableError);
  await handles.release(shared[0]!);
  shared[0] = await handles.acquire(one, '/dev/null');
  assert.equal(faults.mostOpenFiles, limits.store.openFiles);
  await Promise.all(shared.map((handle) => handles.release(handle)));
  await handles.close();
  assert.equal(faults.openFiles, 0);
});

test('an idle file that cannot be closed concerns nobody who opens another', async () => {
  const handles = new BlobHandles({
    ...realFileSystem,
    async open(...given) {
      const handle = await realFileSystem.open(...given);
      const close = handle.close.bind(handle);
      handle.close = async () => {
        await close();
        throw systemError('EIO');
      };
      return handle;
    },
  });
  for (let i = 0; i <= limits.store.idleFiles; i++)
    await handles.release(await handles.acquire(digestOf(Buffer.from(String(i))), '/dev/null'));
  assert.equal(handles.open, limits.store.idleFiles);
  await handles.close();
  assert.equal(handles.open, 0);
});

test('when the process is out of files, idle ones make room, and without any the request is told to come back', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
  const { store } = opened;
  const [first, second] = [await putBlob(store, randomBytes(10)), await putBlob(store, randomBytes(20))];
  await readBlob(store, first);
  const idle = faults.openFiles;
  assert.equal(idle, 1);
  faults.opens = 0;
  await assert.rejects(store.open(second), (error) => {
    assert.ok(error instanceof UnavailableError);
    assert.match(error.message, /too many files are open/);
    return true;
  });
  assert.equal(faults.openFiles, 0, 'the idle one was given up');
  assert.ok(store.stat(second), 'it is still held');
  faults.opens = undefined;
  assert.equal((await readBlob(store, second))?.length, 20);
  assert.equal((await store.collect(0)).length, 2, 'the failed opening holds nothing');
});

test(
  'a file that cannot be closed keeps no other from being removed, or made anew',
  { timeout: 10_000 },
  async () => {
    await using folder = await temporaryFolder();
    let failing = false;
    const fileSystem: FileSystem = {
      ...realFileSystem,
      async open(...given) {
        const handle = await realFileSystem.open(...given);
        const close = handle.close.bind(handle);
        handle.close = async () => {
          await close();
          if (failing) throw systemError('EIO');
        };
        return handle;
      },
    };
    await using opened = await openStoreIn(folder.path, { fileSystem });
    const contents = [randomBytes(3000), randomBytes(4000)];
    for (const bytes of contents) await readBlob(opened.store, await putBlob(opened.store, bytes));
    failing = true;
    assert.equal((await opened.store.collect(0)).length, 2);
    failing = false;
    for (const bytes of contents) {
      const digest = await putBlob(opened.store, bytes);
      assert.deepEqual(await readBlob(opened.store, digest), bytes);
    }
    // Nor the last reader, nor the store, from being done with it.
    const reader = await opened.store.open(digestOf(contents[0] as Buffer));
    await opened.store.delete(digestOf(contents[0] as Buffer));
    failing = true;
    await reader?.[Symbol.asyncDispose]();
    await opened.store[Symbol.asyncDispose]();
  },
);

test('a blob that is deleted while somebody opens it is no altered one: its other readers go on', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const bytes = randomBytes(3000);
  const digest = digestOf(bytes);
  for (let round = 0; round < 20; round++) {
    if (opened.store.stat(digest) === undefined) await putBlob(opened.store, bytes);
    await using reader = await opened.store.open(digest);
    assert.ok(reader);
    const opening = opened.store.open(digest);
    for (let turn = 0; turn < round % 10; turn++) await Promise.resolve();
    await opened.store.delete(digest);
    await (await opening)?.[Symbol.asyncDispose]();
    assert.deepEqual(await readAll(reader), bytes, `round ${round}`);
  }
});
