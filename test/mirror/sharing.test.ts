/** What peers may read, and what the network is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../../src/core/facts.ts';
import type { Digest } from '../../src/core/digest.ts';
import { announce } from '../../src/mirror/announce.ts';
import { createShelf } from '../../src/mirror/shelf.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { digestOf, someBytes } from './file-node.ts';

function setUp() {
  const facts = createFactEmitter();
  const clock = createFakeClock();
  const store = createMemoryBlobStore({ clock, facts, quotaBytes: 1e6 });
  const told: string[] = [];
  const network = {
    advertise: (digest: Digest) => void told.push(`+${digest}`),
    withdraw: (digest: Digest) => void told.push(`-${digest}`),
  };
  return { facts, clock, store, told, network };
}

async function put(
  store: BlobStore,
  seed: number,
  visibility: 'public' | 'private' = 'public',
): Promise<Digest> {
  const bytes = someBytes(1000, seed);
  await using partial = await store.openPartial(digestOf(bytes));
  await partial.append(bytes, 'https://x');
  await partial.commit({ visibility });
  return digestOf(bytes);
}

test('a public blob is on the shelf; a private one and one that is not there look the same', async () => {
  const { store } = setUp();
  const shelf = createShelf(store);
  const open = await put(store, 1);
  const secret = await put(store, 2, 'private');
  assert.equal(shelf.size(open), 1000);
  assert.deepEqual([...shelf.shared()], [open]);
  for (const none of [secret, digestOf(someBytes(5))]) {
    assert.equal(shelf.size(none), undefined);
    assert.equal(await shelf.open(none), undefined);
  }
  await using reader = await shelf.open(open);
  const target = new Uint8Array(1000);
  assert.equal(await reader?.read(target, 0), 1000);
  assert.deepEqual(target, someBytes(1000, 1));
});

test('a partial is not on the shelf', async () => {
  const { store } = setUp();
  const bytes = someBytes(1000, 3);
  await using partial = await store.openPartial(digestOf(bytes));
  await partial.append(bytes, 'https://x');
  const shelf = createShelf(store);
  assert.equal(shelf.size(digestOf(bytes)), undefined);
  assert.equal(await shelf.open(digestOf(bytes)), undefined);
});

test('a peer that reads marks no use', async () => {
  const { store, clock } = setUp();
  const digest = await put(store, 4);
  const before = store.stat(digest)?.lastUsedAt;
  await clock.advance(5000);
  await using reader = await createShelf(store).open(digest);
  assert.ok(reader);
  assert.equal(store.stat(digest)?.lastUsedAt, before);
});

test('a blob that becomes private while it is opened is not given', async () => {
  const { store } = setUp();
  const digest = await put(store, 5);
  const opening = createShelf({
    ...store,
    open: async (one) => {
      await store.markVisibility(one, 'private');
      return store.open(one);
    },
  }).open(digest);
  assert.equal(await opening, undefined);
});

test('a blob reported corrupt is checked by the store itself', async () => {
  const checked: Digest[] = [];
  const { store } = setUp();
  const digest = await put(store, 6);
  createShelf({ ...store, verify: async (one) => (checked.push(one), 'good') }).reportCorrupt(digest);
  assert.deepEqual(checked, [digest]);
});

test('what comes is announced, what goes is withdrawn, and a private blob never is', async () => {
  const { facts, store, told, network } = setUp();
  using announcing = announce({ facts, network });
  const one = await put(store, 7);
  await put(store, 8, 'private');
  const two = await put(store, 9);
  await store.markVisibility(two, 'private');
  await store.delete(one);
  facts.emit('blob:corrupt', { digest: one });
  assert.deepEqual(told, [`+${one}`, `+${two}`, `-${two}`, `-${one}`, `-${one}`]);
  announcing[Symbol.dispose]();
  await put(store, 10);
  assert.equal(told.length, 5);
});
