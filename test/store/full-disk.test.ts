/** The disk, not the quota, is full. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { StorageFullError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { blobLayout } from '../../src/store/blob-layout.ts';
import { createLevelCatalog } from '../../src/store/level-catalog.ts';
import { digestOf, putBlob, readAll, readBlob } from '../contracts/blob-store.ts';
import { keptPage } from '../contracts/catalog.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';
import { createFaultyFileSystem, systemError } from '../support/faulty-file-system.ts';

test('a write that does not fit keeps what did fit, and the store goes on serving and, with room, storing', async () => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    await using folder = await temporaryFolder();
    const faults = createFaultyFileSystem();
    await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
    const { store } = opened;
    const held = await putBlob(store, randomBytes(500));
    const bytes = randomBytes(1000);
    await using partial = await store.openPartial(digestOf(bytes));
    await partial.append(bytes.subarray(0, 100), 'peer:a');
    Object.assign(faults, { code, free: 250 });
    const appends = [
      partial.append(bytes.subarray(100, 600), 'peer:a'),
      partial.append(bytes.subarray(600), 'peer:a'),
    ];
    const outcomes = await Promise.allSettled(appends);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof StorageFullError);
      assert.match(outcome.reason.message, /disk of .* is full/);
    }
    assert.equal(partial.length, 350);
    assert.deepEqual(await readAll(partial), bytes.subarray(0, 350));
    assert.equal(store.totals().partialBytes, 350);
    assert.equal((await readBlob(store, held))?.length, 500);
    await assert.rejects(partial.append(bytes.subarray(350), 'peer:a'), StorageFullError);
    assert.equal(opened.told.filter(({ name }) => name === 'storage:full').length, 1, 'said once');

    faults.free = undefined;
    await partial.append(bytes.subarray(350), 'peer:b');
    await partial.commit({ visibility: 'public' });
    assert.deepEqual(await readBlob(store, digestOf(bytes)), bytes);
  }
});

test('a commit whose fsync fails is no commit, and can be tried again', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
  const { store } = opened;
  const bytes = randomBytes(1000);
  await using partial = await store.openPartial(digestOf(bytes));
  await partial.append(bytes, 'peer:a');
  faults.beforeSync = () => {
    throw systemError('ENOSPC');
  };
  await assert.rejects(partial.commit({ visibility: 'public' }), StorageFullError);
  assert.equal(store.stat(digestOf(bytes)), undefined);
  faults.beforeSync = undefined;
  await partial.commit({ visibility: 'public' });
  assert.deepEqual(await readBlob(store, digestOf(bytes)), bytes);
});

test('a log that cannot be written costs the resumption, not the transfer', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
  const bytes = randomBytes(1000);
  {
    await using partial = await opened.store.openPartial(digestOf(bytes));
    await partial.append(bytes.subarray(0, 400), 'peer:a');
    faults.free = 5;
    await assert.rejects(partial.append(bytes.subarray(400), 'peer:b'), StorageFullError);
    assert.equal(partial.length, 405);
  }
  assert.equal(opened.store.totals().partials, 0);
  assert.equal(opened.store.totals().partialBytes, 0);
  assert.deepEqual(await readdir(blobLayout(folder.path).partials), []);
});

const [MOUNT, UMOUNT] = ['mount', 'umount'];

/** A file system of its own with 48 MiB; undefined where that takes more rights than we have. */
async function tinyDisk(): Promise<({ path: string } & AsyncDisposable) | undefined> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'tiny');
  await mkdir(path);
  try {
    execFileSync(MOUNT, ['-t', 'tmpfs', '-o', 'size=48m', 'fondue-test', path], { stdio: 'ignore' });
  } catch {
    await folder[Symbol.asyncDispose]();
    return undefined;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      execFileSync(UMOUNT, ['-l', path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

test(
  'on a real full file system the store and the catalog serve on, and write again when there is room',
  { timeout: 20_000 },
  async (t) => {
    const disk = await tinyDisk();
    if (disk === undefined) {
      t.skip('mounting a tmpfs needs root');
      return;
    }
    await using _ = disk;
    await using opened = await openStoreIn(disk.path);
    const { store, clock, db } = opened;
    const catalog = await createLevelCatalog(db, { clock });
    const flask = parseProjectName('flask');
    await catalog.putPage(flask, keptPage(1));
    const held = await putBlob(store, randomBytes(1_000_000));

    const bytes = randomBytes(60_000_000);
    const secret = digestOf(Buffer.from('secret'));
    {
      await using partial = await store.openPartial(digestOf(bytes));
      await assert.rejects(partial.append(bytes, 'peer:a'), StorageFullError);
      assert.ok(partial.length > 30_000_000 && partial.length < 50_000_000, String(partial.length));
      const back = Buffer.alloc(partial.length);
      assert.equal(await partial.read(back, 0), partial.length);
      assert.ok(back.equals(bytes.subarray(0, partial.length)));
      // The catalog cannot write now, and says so in the same words.
      await assert.rejects(catalog.putPage(flask, keptPage(2, randomBytes(500_000))), StorageFullError);
      await assert.rejects(store.markVisibility(secret, 'private'), StorageFullError);
      assert.equal(store.visibility(secret), 'private', 'it is private all the same');
      assert.equal((await catalog.page(flask))?.observedAt, 1);
      assert.equal((await readBlob(store, held))?.length, 1_000_000);
      await partial.discard();
    }
    const small = await putBlob(store, randomBytes(10_000));
    assert.equal((await readBlob(store, small))?.length, 10_000);
    await store.markVisibility(secret, 'private');
    const page = keptPage(3, randomBytes(300_000));
    await catalog.putPage(flask, page);
    assert.equal((await catalog.page(flask))?.observedAt, 3);
    await opened[Symbol.asyncDispose]();

    await using again = await openStoreIn(disk.path, { clock });
    assert.deepEqual(
      [...again.store.list()].map(({ size }) => size).toSorted((a, b) => a - b),
      [10_000, 1_000_000],
    );
    assert.equal(again.store.visibility(secret), 'private');
    const kept = await (await createLevelCatalog(again.db, { clock })).page(flask);
    assert.equal(kept?.observedAt, 3, 'what was written after the full disk survives a restart');
  },
);
