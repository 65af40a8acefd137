/** The flight on the real store: what is on disk after a fetch, a stop in the middle, wrong bytes, and a full quota. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import type { OpenedFile } from '../../src/mirror/mirror.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';
import { createFaultyFileSystem } from '../support/faulty-file-system.ts';
import {
  createFileNode,
  digestOf,
  type FileNode,
  type Got,
  opened as openedFile,
  readAll,
  refOf,
  same,
  someBytes,
} from './file-node.ts';

const whole = someBytes(700 * 1024, 41);
const digest = digestOf(whole);

/** With real files the clock alone does not bring things to an end: real turns of the event loop are let pass, too. */
async function get(node: FileNode): Promise<Got> {
  let over = false;
  const reading = readAll(node, node.clock, refOf(whole)).finally(() => (over = true));
  reading.catch(() => undefined);
  for (let turn = 0; !over && turn < 20_000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (turn % 50 === 49) await node.clock.advance(10);
  }
  return reading;
}

async function until(node: Pick<FileNode, 'clock'>, condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition() && turn < 20_000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (turn % 50 === 49) await node.clock.advance(10);
  }
  assert.ok(condition());
}

test('fetched, kept, and there after a restart', async () => {
  await using folder = await temporaryFolder();
  {
    await using opened = await openStoreIn(folder.path);
    await using node = createFileNode({ script: { bytes: whole }, store: opened.store, clock: opened.clock });
    same((await get(node)).bytes, whole);
    await until(node, () => opened.store.stat(digest) !== undefined);
  }
  await using again = await openStoreIn(folder.path);
  await using node = createFileNode({ offline: true, store: again.store, clock: again.clock });
  const got = await get(node);
  same(got.bytes, whole);
  assert.equal(got.answer.kind === 'opened' && got.answer.file.source, 'disk');
});

test('stopped in the middle: the next start goes on at the byte reached, and remembers who sent what', async () => {
  await using folder = await temporaryFolder();
  {
    await using opened = await openStoreIn(folder.path);
    await using node = createFileNode({
      script: { bytes: whole, stallAt: 400_000 },
      store: opened.store,
      clock: opened.clock,
    });
    let file: OpenedFile | undefined;
    void node.openFile(refOf(whole)).then((answer) => (file = openedFile(answer)));
    await until(node, () => file?.available === 400_000 - limits.gateway.heldBackTail);
    assert.ok(opened.store.totals().partialBytes < 400_000, 'some of it is still in memory');
  }
  await using again = await openStoreIn(folder.path);
  await using node = createFileNode({ script: { bytes: whole }, store: again.store, clock: again.clock });
  same((await get(node)).bytes, whole);
  assert.equal(node.upstream.requests[0]?.offset, 400_000);
  await until(node, () => node.facts('blob:fetched').length > 0);
  assert.deepEqual(node.facts('blob:fetched')[0]?.bytes, { peer: 0, upstream: whole.length });
});

test('wrong bytes leave nothing behind', async () => {
  const wrong = whole.slice();
  wrong[600_000] = (wrong[600_000] ?? 0) ^ 1;
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  await using node = createFileNode({ script: { bytes: wrong }, store: opened.store, clock: opened.clock });
  const got = await get(node);
  assert.notEqual(got.bytes.length, whole.length);
  await until(node, () => node.flights === 0);
  assert.equal(opened.store.totals().blobs, 0);
  assert.equal(opened.store.totals().partialBytes, 0);
});

test('a quota that is too small passes the file through', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path, { quotaBytes: 100_000 });
  await using node = createFileNode({ script: { bytes: whole }, store: opened.store, clock: opened.clock });
  same((await get(node)).bytes, whole);
  const { store }: { store: BlobStore } = opened;
  assert.equal(store.totals().blobs + store.totals().partials, 0);
});

for (const code of ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM']) {
  test(`a disk that says ${code} in the middle passes the file through`, async () => {
    await using folder = await temporaryFolder();
    const faults = createFaultyFileSystem();
    await using opened = await openStoreIn(folder.path, { fileSystem: faults.fileSystem });
    await using node = createFileNode({ script: { bytes: whole }, store: opened.store, clock: opened.clock });
    Object.assign(faults, { code, free: 100_000 });
    const got = await get(node);
    assert.equal(got.error, undefined);
    same(got.bytes, whole);
    assert.equal(opened.store.stat(digest), undefined);
    assert.ok(opened.told.some(({ name }) => name === 'storage:full'));
  });
}
