/** Small blobs are gathered in memory, and what many small commits wait for is shared. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { StorageFullError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { blobLayout } from '../../src/store/blob-layout.ts';
import type { BlobRecord } from '../../src/store/blob-index.ts';
import { realFileSystem, type FileSystem } from '../../src/store/file-system.ts';
import { FolderSyncs } from '../../src/store/folder-syncs.ts';
import { Gate } from '../../src/store/gate.ts';
import { JoinedWrites } from '../../src/store/joined-writes.ts';
import { digestOf, readAll, readBlob } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';
import { createFaultyFileSystem } from '../support/faulty-file-system.ts';

const partialsOf = (path: string): Promise<string[]> => readdir(blobLayout(path).partials);

describe('a partial that promises to be small', () => {
  it('touches no file before it is committed, and is the same blob then, after a restart too', async () => {
    await using folder = await temporaryFolder();
    const bytes = randomBytes(70_000);
    const digest = digestOf(bytes);
    {
      await using opened = await openStoreIn(folder.path);
      const { store } = opened;
      await using partial = await store.openPartial(digest, { size: bytes.length });
      await partial.append(bytes.subarray(0, 40_000), 'peer:a');
      await partial.append(bytes.subarray(40_000), 'peer:b');
      assert.deepEqual(await partialsOf(folder.path), []);
      assert.deepEqual(await readAll(partial), bytes);
      assert.deepEqual(partial.sent, [
        { start: 0, end: 40_000, source: 'peer:a' },
        { start: 40_000, end: 70_000, source: 'peer:b' },
      ]);
      assert.equal(store.totals().partialBytes, 70_000, 'it counts all the same');
      await partial.commit({ visibility: 'public' });
      assert.deepEqual(await readBlob(store, digest), bytes);
      assert.equal(opened.hashedBytes(), 70_000, 'hashed once, for the flight and for the commit');
    }
    await using again = await openStoreIn(folder.path);
    assert.deepEqual(await readBlob(again.store, digest), bytes);
    assert.equal(again.hashedBytes(), 0, 'known as unchanged');
    assert.deepEqual(await partialsOf(folder.path), []);
  });

  it('is kept with its senders when it is left, and forgets what was cut off', async () => {
    await using folder = await temporaryFolder();
    await using opened = await openStoreIn(folder.path);
    const bytes = randomBytes(10_000);
    const digest = digestOf(bytes);
    {
      await using partial = await opened.store.openPartial(digest, { size: bytes.length });
      await partial.append(bytes.subarray(0, 3000), 'peer:a');
      await partial.append(randomBytes(2000), 'peer:b');
      await partial.truncate(3000);
    }
    await using resumed = await opened.store.openPartial(digest, { size: bytes.length });
    assert.deepEqual(resumed.sent, [{ start: 0, end: 3000, source: 'peer:a' }]);
    await resumed.append(bytes.subarray(3000), 'peer:c');
    await resumed.commit({ visibility: 'public' });
    assert.deepEqual(await readBlob(opened.store, digest), bytes);
  });

  it('goes on as a file when it becomes larger than it promised', async () => {
    await using folder = await temporaryFolder();
    await using opened = await openStoreIn(folder.path);
    const bytes = randomBytes(5000);
    const digest = digestOf(bytes);
    await using partial = await opened.store.openPartial(digest, { size: 2000 });
    await partial.append(bytes.subarray(0, 1500), 'peer:a');
    await partial.append(bytes.subarray(1500), 'peer:b');
    assert.ok((await partialsOf(folder.path)).includes(digest));
    assert.deepEqual(await readAll(partial), bytes);
    assert.equal(await partial.actualDigest(), digest);
    await partial.commit({ visibility: 'public' });
    assert.deepEqual(await readBlob(opened.store, digest), bytes);
  });

  it('finds the disk full at its commit: its bytes can be read, and with room it is stored', async () => {
    await using folder = await temporaryFolder();
    const faults = createFaultyFileSystem();
    await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
    const { store } = opened;
    const bytes = randomBytes(1000);
    const digest = digestOf(bytes);
    await using partial = await store.openPartial(digest, { size: bytes.length });
    faults.free = 400;
    await partial.append(bytes, 'peer:a');
    await assert.rejects(partial.commit({ visibility: 'public' }), StorageFullError);
    assert.equal(store.stat(digest), undefined);
    assert.deepEqual(await partialsOf(folder.path), [], 'nothing half-written is left');
    assert.deepEqual(await readAll(partial), bytes);
    faults.free = undefined;
    await partial.commit({ visibility: 'public' });
    assert.deepEqual(await readBlob(store, digest), bytes);
    await partial[Symbol.asyncDispose]();
    assert.equal(faults.openFiles, 1, 'that of the reader just closed');
  });

  it('takes no more memory than there is for all of them', async () => {
    await using folder = await temporaryFolder();
    await using opened = await openStoreIn(folder.path);
    const { gatherMost: size, gatherBytes } = limits.store;
    const some = (i: number): Digest => i.toString(16).padStart(64, 'a') as Digest;
    const partials = [];
    for (let i = 0; i < gatherBytes / size; i++)
      partials.push(await opened.store.openPartial(some(i), { size }));
    assert.deepEqual(await partialsOf(folder.path), []);
    const more = await opened.store.openPartial(some(1e6), { size });
    assert.deepEqual(await partialsOf(folder.path), [some(1e6)]);
    await partials.pop()?.[Symbol.asyncDispose]();
    await more.discard();
    await using last = await opened.store.openPartial(some(1e6 + 1), { size });
    assert.deepEqual(await partialsOf(folder.path), [], 'given back');
    await last.discard();
    for (const partial of partials) await partial.discard();
  });
});

describe('what many commits share', () => {
  it('is one fsync of a folder for all who wait, begun after the last of them asked', async () => {
    const synced: string[] = [];
    const busy = Promise.withResolvers<void>();
    const { fileSystem } = createFaultyFileSystem();
    const open: typeof fileSystem.open = async (path) => {
      synced.push(String(path));
      if (synced.length === 1) await busy.promise;
      return { sync: async () => undefined, close: async () => undefined } as never;
    };
    const syncs = new FolderSyncs({ ...fileSystem, open }, new Gate(1));
    const first = syncs.sync('a');
    await new Promise(setImmediate);
    const others = [syncs.sync('a'), syncs.sync('b'), syncs.sync('a')];
    busy.resolve();
    await Promise.all([first, ...others]);
    assert.deepEqual(synced, ['a', 'a', 'b'], 'not the one under way: their renames may have come after it');
    await syncs.sync('a');
    assert.equal(synced.length, 4, 'and what was done is never taken for what is to come');
  });

  it('is one write of the catalog for all that come while another is under way, in order', async () => {
    const written: (readonly Digest[])[] = [];
    const going = Promise.withResolvers<void>();
    const writes = new JoinedWrites(async (entries) => {
      written.push(Array.from(entries, ([digest]) => digest));
      if (written.length === 1) await going.promise;
      if (written.length === 2) throw new Error('full');
    });
    const add = (name: string): Promise<void> =>
      writes.add([[name as Digest, undefined as BlobRecord | undefined]]);
    const first = add('1');
    await new Promise(setImmediate);
    const others = [add('2'), add('3')];
    going.resolve();
    await first;
    for (const other of others) await assert.rejects(other, /full/);
    await add('4');
    assert.deepEqual(written, [['1'], ['2', '3'], ['4']]);
  });
});

it('one that begins while an older one of its digest is being deleted does not lose its file to that', async () => {
  await using folder = await temporaryFolder();
  const gate = Promise.withResolvers<void>();
  let gated = false;
  const fileSystem: FileSystem = {
    ...realFileSystem,
    async unlink(path) {
      if (gated) await gate.promise;
      await realFileSystem.unlink(path);
    },
  };
  await using opened = await openStoreIn(folder.path, { fileSystem });
  const { store } = opened;
  const bytes = randomBytes(200);
  const digest = digestOf(bytes);
  {
    await using old = await store.openPartial(digest);
    await old.append(bytes.subarray(0, 100), 'peer:a');
  }
  gated = true;
  const collecting = store.collect(0);
  // More comes than was promised: it goes on as files.
  const begun = store.openPartial(digest, { size: 50 }).then(async (partial) => {
    await partial.append(bytes, 'peer:b');
    return partial;
  });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  gate.resolve();
  await collecting;
  await using partial = await begun;
  await partial.commit({ visibility: 'public' });
  assert.deepEqual(await readBlob(store, digest), bytes);
});
