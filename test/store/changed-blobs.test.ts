/** Blobs that somebody changed, removed or put there behind the store's back. */
import assert from 'node:assert/strict';
import {
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { IntegrityError } from '../../src/core/errors.ts';
import type { Digest } from '../../src/core/digest.ts';
import { blobLayout } from '../../src/store/blob-layout.ts';
import { digestOf, putBlob, readAll, readBlob } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';

const pathIn = (dataDir: string, digest: Digest): string => blobLayout(dataDir).blob(digest, 'public');

/** The same length, one bit different. */
async function alter(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
}

test('after a restart an unchanged blob is served without hashing it', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(5000);
  {
    await using opened = await openStoreIn(folder.path);
    await putBlob(opened.store, bytes);
  }
  await using opened = await openStoreIn(folder.path);
  assert.deepEqual(await readBlob(opened.store, digestOf(bytes)), bytes);
  assert.equal(opened.hashedBytes(), 0);
});

test('a blob altered between two runs is never served, also when its times were set back', async () => {
  for (const setBack of [false, true]) {
    await using folder = await temporaryFolder();
    const bytes = randomBytes(5000);
    const digest = digestOf(bytes);
    const path = pathIn(folder.path, digest);
    {
      await using opened = await openStoreIn(folder.path);
      await putBlob(opened.store, bytes);
      // A whole second, which can be set again exactly.
      await utimes(path, 1_700_000_000, 1_700_000_000);
      await readBlob(opened.store, digest);
    }
    await alter(path);
    if (setBack) await utimes(path, 1_700_000_000, 1_700_000_000);

    await using opened = await openStoreIn(folder.path);
    assert.ok(opened.store.stat(digest));
    assert.equal(await opened.store.open(digest), undefined);
    assert.equal(opened.store.stat(digest), undefined);
    assert.deepEqual(opened.told, [{ name: 'blob:corrupt', fact: { digest } }]);
    assert.equal(opened.store.totals().corruptBlobs, 1);
    assert.equal(opened.store.totals().bytes, 0);
    await assert.rejects(stat(path), { code: 'ENOENT' });
    await putBlob(opened.store, bytes);
    assert.deepEqual(await readBlob(opened.store, digest), bytes);
  }
});

test('a blob that only looks changed is hashed once, and then remembered across restarts', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(5000);
  const digest = digestOf(bytes);
  const path = pathIn(folder.path, digest);
  {
    await using opened = await openStoreIn(folder.path);
    await putBlob(opened.store, bytes);
  }
  await copyFile(path, `${path}.copy`);
  await rename(`${path}.copy`, path);
  {
    await using opened = await openStoreIn(folder.path);
    assert.deepEqual(await readBlob(opened.store, digest), bytes);
    assert.deepEqual(await readBlob(opened.store, digest), bytes);
    assert.equal(opened.hashedBytes(), 5000);
  }
  await using opened = await openStoreIn(folder.path);
  assert.deepEqual(await readBlob(opened.store, digest), bytes);
  assert.equal(opened.hashedBytes(), 0);
});

test('a blob altered while the store runs is noticed at the next opening, with its file still open from before', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const digest = await putBlob(opened.store, randomBytes(5000));
  await readBlob(opened.store, digest);
  const path = pathIn(folder.path, digest);
  const before = await stat(path);
  // The kernel's file times move in steps of some ms.
  do await writeFile(path, randomBytes(5000));
  while ((await stat(path)).ctimeMs === before.ctimeMs);
  assert.equal(await opened.store.open(digest), undefined);
  assert.equal(opened.store.totals().corruptBlobs, 1);
});

test('a blob whose file was replaced while the store runs is hashed again', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const bytes = randomBytes(5000);
  const digest = await putBlob(opened.store, bytes);
  await readBlob(opened.store, digest);
  const path = pathIn(folder.path, digest);
  await writeFile(`${path}.new`, randomBytes(5000));
  await rename(`${path}.new`, path);
  assert.equal(await opened.store.open(digest), undefined);
  assert.equal(opened.told.at(-1)?.name, 'blob:corrupt');
});

test('a file removed behind our back is absence, with or without readers', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const { store } = opened;
  const bytes = randomBytes(5000);
  const [open, idle] = [await putBlob(store, bytes), await putBlob(store, randomBytes(100))];
  await readBlob(store, idle);
  await using reader = await store.open(open);
  await unlink(pathIn(folder.path, open));
  await unlink(pathIn(folder.path, idle));
  assert.equal(await store.open(open), undefined);
  assert.equal(await store.verify(idle), 'missing');
  assert.equal(store.stat(open), undefined);
  assert.equal(store.stat(idle), undefined);
  assert.equal(store.totals().bytes, 0);
  assert.ok(reader);
  assert.deepEqual(await readAll(reader), bytes, 'who has it open may read on');
  assert.deepEqual(
    opened.told.slice(-2).map(({ name, fact }) => [name, 'digest' in fact && fact.digest]),
    [
      ['blob:evicted', open],
      ['blob:evicted', idle],
    ],
  );
});

test('a reader never takes the end of a cut file for the end of the blob', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const digest = await putBlob(opened.store, randomBytes(5000));
  await using reader = await opened.store.open(digest);
  assert.ok(reader);
  await truncate(pathIn(folder.path, digest), 3000);
  assert.equal(await reader.read(Buffer.alloc(4000), 0), 3000);
  await assert.rejects(reader.read(Buffer.alloc(4000), 3000), IntegrityError);
});

test('verify hashes what looks unchanged too; readers of a bad blob fail from then on', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  const { store } = opened;
  const good = await putBlob(store, randomBytes(3000));
  const bad = await putBlob(store, randomBytes(5000));
  await store.pin(bad);
  const before = opened.hashedBytes();
  assert.equal(await store.verify(good), 'good');
  assert.equal(opened.hashedBytes() - before, 3000);
  await using reader = await store.open(bad);
  assert.ok(reader);
  await alter(pathIn(folder.path, bad));
  assert.equal(await store.verify(bad), 'corrupt');
  await assert.rejects(reader.read(Buffer.alloc(10), 0), IntegrityError);
  assert.equal(await store.open(bad), undefined);
  assert.equal(await store.verify(bad), 'missing');
  assert.deepEqual(store.pins(), [bad], 'it stays wanted');
});

test('without its catalog the store finds its blobs, hashes them before their first serving, and keeps private ones private', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(5000);
  let secret: Digest;
  {
    await using opened = await openStoreIn(folder.path);
    await putBlob(opened.store, bytes);
    secret = await putBlob(opened.store, randomBytes(100));
    await opened.store.markVisibility(secret, 'private');
  }
  await rm(join(folder.path, 'catalog'), { recursive: true });
  {
    await using opened = await openStoreIn(folder.path);
    assert.equal(opened.store.totals().blobs, 2);
    assert.equal(opened.store.totals().bytes, 5100);
    assert.equal(opened.store.stat(secret)?.visibility, 'private');
    assert.equal(opened.store.stat(digestOf(bytes))?.visibility, 'public');
    assert.deepEqual(await readBlob(opened.store, digestOf(bytes)), bytes);
    assert.equal(opened.hashedBytes(), 5000);
  }
  await using opened = await openStoreIn(folder.path);
  assert.deepEqual(await readBlob(opened.store, digestOf(bytes)), bytes);
  assert.equal(opened.hashedBytes(), 0);
});

test('a stranger file under the name of a digest is never served; other files are left alone', async () => {
  await using folder = await temporaryFolder();
  const wanted = digestOf(Buffer.from('wanted'));
  const layout = blobLayout(folder.path);
  {
    await using opened = await openStoreIn(folder.path);
    await putBlob(opened.store, randomBytes(10));
  }
  const foreign = [
    join(layout.folder(wanted, 'public'), 'notes.txt'),
    join(layout.folder(wanted, 'public'), `${wanted}.bak`),
    join(layout.partials, 'README'),
    join(folder.path, 'mine'),
  ];
  await mkdir(layout.folder(wanted, 'public'), { recursive: true });
  for (const path of foreign) await writeFile(path, 'keep me');
  await writeFile(layout.blob(wanted, 'public'), 'not wanted');
  await using opened = await openStoreIn(folder.path);
  assert.equal(opened.store.totals().blobs, 2);
  assert.equal(await opened.store.open(wanted), undefined);
  assert.equal(opened.store.totals().blobs, 1);
  await opened.store.collect(0);
  for (const path of foreign) assert.equal(await readFile(path, 'utf8'), 'keep me');
});

test('names of digests that lead nowhere, or stand in the wrong folder, do not keep the store from starting', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(100);
  const digest = digestOf(bytes);
  const wrong = join(blobLayout(folder.path).tree('public'), digest.startsWith('00') ? '11' : '00');
  await mkdir(wrong, { recursive: true });
  await writeFile(join(wrong, digest), bytes);
  await symlink('nowhere', join(wrong, `${basename(wrong)}${'a'.repeat(62)}`));
  const loop = `${basename(wrong)}${'b'.repeat(62)}`;
  await symlink(loop, join(wrong, loop));
  await using opened = await openStoreIn(folder.path);
  assert.equal(opened.store.totals().blobs, 0);
  assert.equal(await readBlob(opened.store, await putBlob(opened.store, bytes)).then((b) => b?.length), 100);
});

test('an entry without a file is dropped at the start', async () => {
  await using folder = await temporaryFolder();
  let digest: Digest;
  {
    await using opened = await openStoreIn(folder.path);
    digest = await putBlob(opened.store, randomBytes(10));
  }
  await unlink(pathIn(folder.path, digest));
  await using opened = await openStoreIn(folder.path);
  assert.equal(opened.store.stat(digest), undefined);
  assert.equal(opened.store.totals().blobs, 0);
});
