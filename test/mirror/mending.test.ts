/** Broken, slow and wrong sources, mended behind the client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFileNode, opened, readAll, refOf, same, sha256, someBytes } from './file-node.ts';

const KiB = 1024;
const whole = someBytes(700 * KiB, 5);
const altered = (at: number): Uint8Array => {
  const bytes = whole.slice();
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
};

test('an upstream that is always cut after 50 kB is gone on with by ranges, and the client notices nothing', async () => {
  await using node = createFileNode({ script: { bytes: whole, cutAt: 50_000 } });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  const offsets = node.upstream.requests.map(({ offset }) => offset);
  assert.deepEqual(
    offsets,
    offsets.map((_offset, n) => n * 50_000),
  );
  assert.equal(node.upstream.requests[1]?.etag, '"one"', 'If-Range guards against another file');
  assert.ok(got.ms < 500, 'no pause after progress');
});

test('a body that ends early without an error is gone on with', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.upstream.next.push({ bytes: whole, endAt: 100_000 });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.upstream.requests[1]?.offset, 100_000);
});

test('an upstream without ranges is read again, and its first bytes are skipped', async () => {
  await using node = createFileNode({ script: { bytes: whole, ranges: false } });
  node.upstream.next.push({ bytes: whole, ranges: false, cutAt: 300_000 });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.upstream.requests.length, 2);
  assert.deepEqual(
    node.facts('fetch:discarded').map(({ bytes, source }) => ({ bytes, source })),
    [{ bytes: 300_000, source: 'upstream' }],
  );
});

test('a source that stalls in the middle is doubled by range, and no gap reaches ten seconds', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.upstream.next.push({ bytes: whole, stallAt: 200_000 });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.gap < 10_000, `${got.gap}`);
  assert.equal(node.upstream.requests[1]?.offset, 200_000);
  assert.equal(node.upstream.active, 0, 'the stalled request is ended');
});

test('an upstream that is slow to answer at all is not asked twice within twelve seconds', async () => {
  await using node = createFileNode({ script: { bytes: whole, latency: 10_000 } });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.upstream.requests.length, 1);
});

test('while the only source hangs for a minute, bytes that are held back keep the client', async () => {
  await using node = createFileNode({ script: { latency: 60_000, bytes: whole } });
  node.upstream.next.push({ bytes: whole, stallAt: 200_000 });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.ms > 30_000);
  assert.ok(got.gap < 10_000, `${got.gap}`);
});

test('a source at 4 kB/s never makes a gap of ten seconds', async () => {
  const small = whole.slice(0, 200 * KiB);
  await using node = createFileNode({ script: { bytes: small, rate: 4000 } });
  const got = await node.get(refOf(small));
  same(got.bytes, small);
  assert.ok(got.gap < 10_000, `${got.gap}`);
});

test('503 for a while is waited out with growing pauses, and Retry-After is obeyed', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.upstream.next.push({ status: 503 }, { status: 503 }, { status: 503, retryAfter: 3000 });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.ms >= 3000 && got.ms < 6000, `${got.ms}`);
});

test('an upstream that fails for good is not hammered', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  const got = await node.get(refOf(whole), { wait: 12_000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.ok(node.upstream.requests.length <= 8, `${node.upstream.requests.length}`);
});

test('an answer of another size than the page says is an integrity error of that source, and is not read', async () => {
  const longer = Buffer.concat([whole, whole.subarray(0, 100)]);
  await using node = createFileNode({ script: { bytes: longer } });
  const got = await node.get(refOf(whole), { wait: 5000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.equal(got.bytes.length, 0);
  assert.equal(node.facts('integrity:mismatch')[0]?.actual, `${longer.length} bytes`);
  assert.ok(node.upstream.requests.length <= 2, 'it is left after two such answers');
});

test('a body longer than its announced size never gets past the size', async () => {
  const longer = Buffer.concat([whole, whole.subarray(0, 100)]);
  await using node = createFileNode({ script: { bytes: longer, size: whole.length } });
  const got = await node.get(refOf(whole), { wait: 5000 });
  assert.equal(got.answer.kind, 'opened');
  same(got.bytes, whole);
  assert.equal(node.facts('integrity:mismatch').length, 1, 'it is told all the same');
});

test('wrong bytes of the upstream: nobody gets the last byte, who received some is cut off, nothing is kept', async () => {
  await using node = createFileNode({ script: { bytes: altered(690 * KiB), rate: 400 * KiB } });
  const got = await node.get(refOf(whole));
  assert.equal((got.error as { code?: string }).code, 'INTEGRITY');
  assert.ok(got.bytes.length < whole.length);
  assert.equal(node.store.totals().blobs, 0);
  assert.equal(node.facts('blob:added').length, 0);
  assert.deepEqual(node.facts('integrity:mismatch')[0], {
    digest: sha256(whole),
    actual: sha256(altered(690 * KiB)),
    source: refOf(whole).url,
  });
});

test('wrong once, then right: a client that had received nothing gets the right bytes', async () => {
  const small = whole.slice(0, 60 * KiB);
  const wrong = small.slice();
  wrong[5] = 77;
  await using node = createFileNode({ script: { bytes: small } });
  node.upstream.next.push({ bytes: wrong });
  const got = await node.get(refOf(small));
  assert.equal(got.error, undefined);
  same(got.bytes, small);
});

test('a file that stays wrong is an honest unknown, after a bounded number of tries', async () => {
  const small = whole.slice(0, 60 * KiB);
  const wrong = small.slice();
  wrong[5] = 77;
  await using node = createFileNode({ script: { bytes: wrong } });
  const got = await node.get(refOf(small), { wait: 60_000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.equal(node.upstream.requests.length, 2);
});

test('after wrong bytes of the upstream a peer is tried', async () => {
  const small = whole.slice(0, 60 * KiB);
  const wrong = small.slice();
  wrong[5] = 77;
  await using node = createFileNode({ script: { bytes: wrong } });
  node.peer('honest', small, { behaviour: { latency: 140 } });
  node.upstream.next.push({ bytes: wrong });
  const got = await node.get(refOf(small));
  same(got.bytes, small);
});

test('nothing above the held-back tail is let out before the hash fits', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 300 * KiB } });
  const file = opened(await node.until(node.openFile(refOf(whole))));
  while (!file.complete) {
    assert.ok(file.available < whole.length);
    await node.clock.advance(50);
  }
  assert.equal(file.available, whole.length);
  await file[Symbol.asyncDispose]();
});

test('clients get the end at the hash, before the store has made it durable', async () => {
  await using plain = createFileNode({ script: { bytes: whole } });
  const { promise: slowCommit, resolve: release } = Promise.withResolvers<void>();
  const { store } = plain;
  const open = store.openPartial.bind(store);
  store.openPartial = async (digest, options) => {
    const partial = await open(digest, options);
    const commit = partial.commit.bind(partial);
    partial.commit = async (how) => {
      await slowCommit;
      return commit(how);
    };
    return partial;
  };
  const got = await plain.until(readAll(plain, plain.clock, refOf(whole)));
  same(got.bytes, whole);
  assert.equal(store.stat(sha256(whole)), undefined);
  release();
  await plain.clock.advance(10);
  assert.notEqual(store.stat(sha256(whole)), undefined);
});

test('a flight that brings nothing for five minutes gives up although somebody waits', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  const got = await node.get(refOf(whole), { wait: 3_600_000, within: 900_000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.ok(got.ms < 400_000, `${got.ms}`);
});
