import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StorageFullError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { createMetadataMarks } from '../../src/mirror/metadata-marks.ts';
import { foo, timed } from './scripted-upstream.ts';
import {
  createWheelNode,
  digestOf,
  down,
  METADATA,
  putBlob,
  refTo,
  wheelOf,
  wheelWith,
} from './wheel-bench.ts';

const HASH = { sha256: digestOf(METADATA) };
const wheel = wheelWith(METADATA);
const ref = refTo(wheel, HASH);
const silent = refTo(wheel, undefined);
const OTHER = Buffer.from('Metadata-Version: 2.1\nName: foo\nVersion: 6.0\n');

test("the upstream's metadata is passed on, kept, and given from disk the next time", async () => {
  const node = createWheelNode();
  node.files.set(`${ref.url}.metadata`, METADATA);
  const first = await node.metadata(ref);
  assert.deepEqual(first, { kind: 'metadata', body: METADATA, digest: HASH.sha256, source: 'upstream' });
  node.files.clear();
  while (node.store.stat(HASH.sha256) === undefined) await turn();
  await turn();
  const second = await node.metadata(ref);
  assert.equal(second.kind === 'metadata' && second.source, 'disk');
  assert.equal(node.store.visibility(HASH.sha256), 'public');
});

test('metadata is given at its hash, not when it is stored, and asked for once by those who come meanwhile', async () => {
  const node = createWheelNode();
  node.files.set(`${ref.url}.metadata`, METADATA);
  const stored = Promise.withResolvers<void>();
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (...given) => {
    await stored.promise;
    return open(...given);
  };
  const first = await node.metadata(ref);
  const second = await node.metadata(ref);
  assert.equal(node.store.stat(HASH.sha256), undefined);
  assert.deepEqual(
    [first, second].map((answer) => answer.kind === 'metadata' && answer.body),
    [METADATA, METADATA],
  );
  assert.equal(node.asked.length, 1);
  stored.resolve();
  while (node.store.stat(HASH.sha256) === undefined) await turn();
});

for (const [what, metadata] of [
  ['is missing', undefined],
  ['has a wrong hash', OTHER],
  ['cannot be had (500)', down(500)],
] as const) {
  test(`where the upstream's metadata ${what}, the wheel's own is served, read by ranges`, async () => {
    const node = createWheelNode();
    if (metadata !== undefined) node.files.set(`${ref.url}.metadata`, metadata);
    node.files.set(ref.url, wheel);
    const answer = await node.metadata(ref);
    assert.deepEqual(answer.kind === 'metadata' && Buffer.from(answer.body), METADATA);
    const read = node.asked.filter((line) => line.startsWith(`${ref.url} `));
    assert.ok(read.length <= 2, read.join());
    assert.ok(read.every((line) => Number(line.split('-').at(-1)) < 100_000));
    assert.equal(node.mismatches(), metadata === OTHER ? 1 : 0);
  });
}

test('metadata of a held wheel is made from disk, without the network', async () => {
  const node = createWheelNode();
  await putBlob(node.store, wheel);
  const answer = await node.metadata(silent);
  assert.equal(answer.kind === 'metadata' && answer.source, 'disk');
  assert.deepEqual([node.asked, node.opened], [[], []]);
});

test('of an upstream that says nothing metadata is made by ranges, recorded, and stays the same', async () => {
  const node = createWheelNode();
  node.files.set(ref.url, wheel);
  assert.equal((await node.metadata(silent)).kind, 'metadata');
  assert.equal(await node.catalog.wheelMetadata(digestOf(wheel)), HASH.sha256);
  const marks = await createMetadataMarks(node.catalog).of(foo);
  assert.equal(marks.get(digestOf(wheel)), HASH.sha256);
  node.files.set(ref.url, wheelWith(OTHER));
  const again = await node.metadata(silent);
  assert.equal(again.kind === 'metadata' && again.digest, HASH.sha256);
});

test('an upstream without ranges is read through the whole wheel', async () => {
  const node = createWheelNode();
  node.ranges = false;
  node.files.set(ref.url, wheel);
  node.peers.set(digestOf(wheel), wheel);
  const answer = await node.metadata(silent);
  assert.deepEqual(answer.kind === 'metadata' && Buffer.from(answer.body), METADATA);
  assert.deepEqual(node.opened, [digestOf(wheel)]);
});

test('an upstream that ignores a range is left before it sends the whole wheel', async () => {
  const node = createWheelNode();
  node.ranges = false;
  node.files.set(ref.url, wheel);
  node.peers.set(digestOf(wheel), wheel);
  await node.metadata(silent);
  assert.equal(node.bodiesRead, 0);
});

test('while only peers have files, metadata with a hash comes from them by its own hash', async () => {
  const node = createWheelNode();
  node.files.set(`${ref.url}.metadata`, down());
  node.files.set(ref.url, down());
  node.peers.set(HASH.sha256, METADATA);
  const answer = await node.metadata(ref);
  assert.equal(answer.kind === 'metadata' && answer.source, 'peer');
  assert.equal(node.opened[0], HASH.sha256);
});

test('while only peers have the wheel, metadata is made of the whole of it', async () => {
  const node = createWheelNode();
  node.files.set(ref.url, down());
  node.peers.set(digestOf(wheel), wheel);
  const answer = await node.metadata(silent);
  assert.deepEqual(answer.kind === 'metadata' && Buffer.from(answer.body), METADATA);
});

test('metadata of private files is not asked of peers by its hash and is kept as private', async () => {
  const node = createWheelNode();
  node.files.set(`${ref.url}.metadata`, down());
  node.files.set(ref.url, wheel);
  node.peers.set(HASH.sha256, METADATA);
  const answer = await node.metadata({ ...ref, private: true });
  assert.equal(answer.kind, 'metadata');
  assert.deepEqual(node.opened, []);
  assert.equal(node.store.visibility(HASH.sha256), 'private');
});

test('where neither the upstream nor the wheel fit the hash it is unknown, and the mark is dropped', async () => {
  const node = createWheelNode();
  const odd = wheelWith(OTHER);
  const promised = refTo(odd, HASH);
  node.files.set(`${ref.url}.metadata`, OTHER);
  node.files.set(ref.url, odd);
  node.peers.set(digestOf(odd), odd);
  const { value } = await timed(node.clock, node.metadata(promised));
  assert.equal(value.kind, 'unknown');
  assert.equal((await createMetadataMarks(node.catalog).of(foo)).get(digestOf(odd)), 'unfit');
  assert.equal(node.store.stat(digestOf(OTHER)), undefined);
});

test('a wheel that is proven to hold none is absent, and the mark is dropped', async () => {
  const node = createWheelNode();
  const empty = wheelOf({ 'foo/data.bin': Buffer.alloc(100) });
  const promised = refTo(empty, undefined);
  node.files.set(ref.url, empty);
  node.peers.set(digestOf(empty), empty);
  assert.equal((await node.metadata(promised)).kind, 'absent');
  assert.deepEqual(node.opened, [digestOf(empty)]);
  assert.equal(await node.catalog.wheelMetadata(digestOf(empty)), 'none');
  assert.equal((await createMetadataMarks(node.catalog).of(foo)).get(digestOf(empty)), 'none');
});

test('a wheel that is proven to hold none is absent although the upstream advertises a hash', async () => {
  const node = createWheelNode();
  const empty = wheelOf({ 'foo/data.bin': Buffer.alloc(100) });
  node.peers.set(digestOf(empty), empty);
  assert.equal((await node.metadata(refTo(empty, HASH))).kind, 'absent');
  assert.equal((await createMetadataMarks(node.catalog).of(foo)).get(digestOf(empty)), 'none');
});

const huge = wheelWith(Buffer.concat([METADATA, Buffer.alloc(limits.file.metadataBytes + 1, ' ')]));
for (const [what, refused] of [
  ['METADATA is longer than we read', huge],
  ['the archive has something behind its end', Buffer.concat([wheel, Buffer.from('more')])],
] as const) {
  for (const where of ['is held', 'comes from peers'] as const) {
    test(`a wheel whose ${what} and that ${where} is unknown, not absent, and the mark is dropped`, async () => {
      const node = createWheelNode();
      const promised = refTo(refused, undefined);
      node.files.set(ref.url, refused);
      if (where === 'is held') await putBlob(node.store, refused);
      else node.peers.set(digestOf(refused), refused);
      const { value } = await timed(node.clock, node.metadata(promised));
      assert.equal(value.kind, 'unknown');
      assert.equal(await node.catalog.wheelMetadata(digestOf(refused)), undefined);
      assert.equal((await createMetadataMarks(node.catalog).of(foo)).get(digestOf(refused)), 'unfit');
      const again = await timed(node.clock, node.metadata(promised));
      assert.equal(again.value.kind, 'unknown');
    });
  }
}

test("of a wheel that we refuse the upstream's metadata is waited for as long as it may come", async () => {
  const node = createWheelNode();
  const promised = refTo(huge, HASH);
  await putBlob(node.store, huge);
  node.files.set(`${ref.url}.metadata`, down(503));
  const waiting = timed(node.clock, node.metadata(promised));
  setImmediate(() => node.files.set(`${ref.url}.metadata`, METADATA));
  assert.equal((await waiting).value.kind, 'metadata');
  assert.equal((await createMetadataMarks(node.catalog).of(foo)).get(digestOf(huge)), undefined);
});

test('a whole wheel that we refuse proves nothing against what was made of its end', async () => {
  const node = createWheelNode();
  await putBlob(node.store, huge);
  await node.catalog.putWheelMetadata(digestOf(huge), HASH.sha256);
  await node.catalog.putFileOrigins([
    [digestOf(huge), { project: foo, filename: 'foo-1.0-py3-none-any.whl' }],
  ]);
  await node.onWheelStored(digestOf(huge));
  assert.equal(await node.catalog.wheelMetadata(digestOf(huge)), HASH.sha256);
});

test('an end that shows no metadata proves nothing without the whole wheel', async () => {
  const node = createWheelNode();
  const empty = wheelOf({ 'foo/data.bin': Buffer.alloc(100) });
  node.files.set(ref.url, empty);
  const { value } = await timed(node.clock, node.metadata(refTo(empty, undefined)));
  assert.equal(value.kind, 'unknown');
  assert.equal(await node.catalog.wheelMetadata(digestOf(empty)), undefined);
});

test('a passing failure is unknown, never absent; it ends when the upstream is back', async () => {
  const node = createWheelNode();
  node.files.set(ref.url, down(503));
  node.files.set(`${ref.url}.metadata`, down(503));
  const waiting = node.metadata(ref);
  await node.clock.advance(1000);
  node.files.set(`${ref.url}.metadata`, METADATA);
  assert.equal((await timed(node.clock, waiting)).value.kind, 'metadata');
  const other = createWheelNode();
  assert.equal((await timed(other.clock, other.metadata(ref))).value.kind, 'unknown');
});

test('clients of one wheel share the work', async () => {
  const node = createWheelNode();
  node.files.set(`${ref.url}.metadata`, METADATA);
  const answers = await Promise.all(Array.from({ length: 20 }, () => node.metadata(ref)));
  assert.ok(answers.every(({ kind }) => kind === 'metadata'));
  assert.equal(node.asked.length, 1);
});

test('a login page is not metadata where the upstream gives no hash', async () => {
  const node = createWheelNode();
  const promised = refTo(wheel, true);
  node.files.set(`${ref.url}.metadata`, Buffer.from('<html>log in</html>'));
  node.files.set(ref.url, wheel);
  const answer = await node.metadata(promised);
  assert.equal(answer.kind === 'metadata' && answer.digest, HASH.sha256);
});

test('what was never promised is absent: sdists, wheels without a hash of their own, `false`', async () => {
  const node = createWheelNode();
  assert.equal((await node.metadata({ ...silent, filename: 'foo-1.0.tar.gz' })).kind, 'absent');
  assert.equal((await node.metadata({ ...silent, digest: undefined })).kind, 'absent');
  assert.equal((await node.metadata(refTo(wheel, false))).kind, 'absent');
  assert.deepEqual(node.asked, []);
});

test('offline nothing is asked of the upstream', async () => {
  const node = createWheelNode({ offline: true });
  node.files.set(`${ref.url}.metadata`, METADATA);
  node.peers.set(digestOf(wheel), wheel);
  const { value } = await timed(node.clock, node.metadata(ref));
  assert.equal(value.kind, 'metadata');
  assert.deepEqual(node.asked, []);
});

test('a whole wheel that differs from what was made of its end wins, and it is told', async () => {
  const node = createWheelNode();
  await node.catalog.putFileOrigins([
    [digestOf(wheel), { project: foo, filename: 'foo-1.0-py3-none-any.whl' }],
  ]);
  // What the upstream's end said was another wheel's.
  node.files.set(ref.url, wheelWith(OTHER));
  const before = await node.metadata(silent);
  assert.equal(before.kind === 'metadata' && before.digest, digestOf(OTHER));
  await putBlob(node.store, wheel);
  await node.onWheelStored(digestOf(wheel));
  assert.equal(node.mismatches(), 1);
  const after = await node.metadata(silent);
  assert.equal(after.kind === 'metadata' && after.digest, HASH.sha256);
  await node.onWheelStored(digestOf(wheel));
  assert.equal(node.mismatches(), 1);
});

test('a wheel nobody asked the metadata of is not read when it is stored', async () => {
  const node = createWheelNode();
  const digest = await putBlob(node.store, wheel);
  node.store.open = () => assert.fail('it was read');
  await node.onWheelStored(digest);
});

test('a store that cannot keep metadata does not keep it from the client', async () => {
  const node = createWheelNode();
  node.files.set(`${ref.url}.metadata`, METADATA);
  node.store.openPartial = () => Promise.reject(new Error('EIO'));
  assert.equal((await node.metadata(ref)).kind, 'metadata');
});

test(
  'on a full disk metadata without a promised hash is served all the same, and stays the same',
  { timeout: 10_000 },
  async () => {
    const node = createWheelNode();
    node.files.set(ref.url, wheel);
    const full = () => Promise.reject(new StorageFullError('the disk is full'));
    node.catalog.putWheelMetadata = full;
    node.catalog.putDocument = full;
    node.store.openPartial = full;
    const first = await node.metadata(silent);
    assert.equal(first.kind === 'metadata' && first.digest, HASH.sha256);
    // Its end reads differently now: nothing on disk says so, and yet it is not served.
    node.files.set(ref.url, wheelWith(OTHER));
    await turn();
    const { value } = await timed(node.clock, node.metadata(silent));
    assert.equal(value.kind, 'unknown');
  },
);

test('on a full disk a wheel that is proven to hold no metadata is absent', async () => {
  const node = createWheelNode();
  const bare = wheelOf({ 'foo/data.bin': Buffer.alloc(1000, 7) });
  await putBlob(node.store, bare);
  const full = () => Promise.reject(new StorageFullError('the disk is full'));
  node.catalog.putWheelMetadata = full;
  node.catalog.putDocument = full;
  assert.equal((await timed(node.clock, node.metadata(refTo(bare, undefined)))).value.kind, 'absent');
});

test('what the page gives a hash for is served from disk though the catalog cannot be read', async () => {
  const node = createWheelNode();
  await putBlob(node.store, METADATA);
  node.catalog.wheelMetadata = () => Promise.reject(new Error('EIO'));
  const answer = await node.metadata(ref);
  assert.equal(answer.kind === 'metadata' && answer.source, 'disk');
  assert.deepEqual(node.asked, []);
});

test('a comparison that fails is told and rejects nothing', async () => {
  const node = createWheelNode();
  node.catalog.wheelMetadata = () => Promise.reject(new Error('EIO'));
  await node.onWheelStored(digestOf(wheel));
  assert.ok(node.seen.some(({ name }) => name === 'network:noted'));
});
