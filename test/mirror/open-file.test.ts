import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../src/core/clock.ts';
import { createFileNode, opened, readAll, refOf, same, someBytes } from './file-node.ts';

const KiB = 1024;
const whole = someBytes(600 * KiB, 3);

test('a cold file comes from the upstream, is kept, and the next client gets it from disk', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const first = await node.get(refOf(whole));
  same(first.bytes, whole);
  assert.equal(first.error, undefined);
  const second = await node.get(refOf(whole));
  same(second.bytes, whole);
  const file = opened(second.answer);
  assert.equal(file.source, 'disk');
  assert.equal(file.complete, true);
  assert.equal(node.upstream.requests.length, 1);
  assert.equal(node.upstream.cut, 0, 'its connection can be used again');
  assert.equal(node.facts('blob:added').length, 1);
  assert.deepEqual(node.facts('blob:fetched'), [
    { digest: refOf(whole).digest, size: whole.length, bytes: { peer: 0, upstream: whole.length } },
  ]);
});

test('fifty readers of one cold blob cost one upstream request, and all get the right bytes', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 200 * KiB } });
  const clients = Array.from({ length: 50 }, () => readAll(node, node.clock, refOf(whole)));
  for (const got of await node.until(Promise.all(clients))) same(got.bytes, whole);
  assert.equal(node.upstream.requests.length, 1);
  assert.equal(node.facts('blob:fetched').length, 1);
});

test('an upstream that never answers costs a client its patience, then it is unknown', async () => {
  await using node = createFileNode({ script: { latency: Infinity } });
  const got = await node.get(refOf(whole), { wait: 12_000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.ok(got.ms >= 12_000 && got.ms < 12_200, `${got.ms}`);
  assert.equal(node.flights, 1, 'the flight goes on');
});

test('the flight goes on when its client has given up, and the next one finds the blob', async () => {
  await using node = createFileNode({ script: { bytes: whole, latency: 3000 } });
  const got = await node.get(refOf(whole), { wait: 1000 });
  assert.equal(got.answer.kind, 'unknown');
  await node.clock.advance(5000);
  assert.equal((await node.get(refOf(whole))).answer.kind, 'opened');
  assert.equal(node.upstream.requests.length, 1);
});

test('a client that leaves does not end the transfer of another', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 100 * KiB } });
  const leaving = new AbortController();
  const left = node.openFile(refOf(whole), { signal: leaving.signal });
  const stays = readAll(node, node.clock, refOf(whole));
  await node.clock.advance(100);
  leaving.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  same((await node.until(stays)).bytes, whole);
  assert.equal(node.upstream.requests.length, 1);
});

test('thirty seconds after the last client the upstream request ends, and the partial is resumed later', async () => {
  await using node = createFileNode({ script: { latency: Infinity } });
  node.upstream.next.push({ bytes: whole, stallAt: 300 * KiB });
  const file = opened(await node.until(node.openFile(refOf(whole))));
  await file[Symbol.asyncDispose]();
  await node.clock.advance(29_000);
  assert.equal(node.flights, 1);
  await node.clock.advance(2000);
  assert.equal(node.flights, 0);
  assert.equal(node.upstream.active, 0);
  assert.equal(node.store.totals().partials, 1);
  node.upstream.script = { bytes: whole };
  node.upstream.requests.length = 0;
  same((await node.get(refOf(whole))).bytes, whole);
  assert.deepEqual(
    node.upstream.requests.map(({ offset }) => offset),
    [300 * KiB],
  );
});

test('a client that comes back within the thirty seconds finds the same flight', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 10 * KiB } });
  const file = opened(await node.until(node.openFile(refOf(whole))));
  await file[Symbol.asyncDispose]();
  await node.clock.advance(20_000);
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.upstream.requests.length, 1);
});

test('a flight that takes long to begin goes on for a client that came while it began', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (...given) => {
    // A kept partial of many gigabytes is hashed first.
    await sleep(node.clock, 60_000);
    return open(...given);
  };
  assert.equal((await node.get(refOf(whole), { wait: 12_000 })).answer.kind, 'unknown');
  await node.clock.advance(35_000);
  same((await node.get(refOf(whole), { wait: 25_000 })).bytes, whole);
});

test('a partial that cannot be closed keeps nobody from the next flight', async () => {
  await using node = createFileNode({ script: { absent: true } });
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (...given) => {
    const partial = await open(...given);
    const close = partial[Symbol.asyncDispose].bind(partial);
    partial[Symbol.asyncDispose] = async () => {
      await close();
      throw new Error('EIO');
    };
    return partial;
  };
  assert.equal((await node.get(refOf(whole))).answer.kind, 'absent');
  node.store.openPartial = open;
  node.upstream.script = { bytes: whole };
  same((await node.get(refOf(whole))).bytes, whole);
});

test('closing keeps what arrived, and a new node goes on from there', async () => {
  const clockNode = createFileNode({ script: { bytes: whole, stallAt: 200 * KiB } });
  void clockNode.openFile(refOf(whole)).catch(() => undefined);
  await clockNode.clock.advance(1000);
  await clockNode[Symbol.asyncDispose]();
  assert.equal(clockNode.upstream.active, 0);
  await using node = createFileNode({
    script: { bytes: whole },
    clock: clockNode.clock,
    store: clockNode.store,
  });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.deepEqual(
    node.upstream.requests.map(({ offset }) => offset),
    [200 * KiB],
  );
});

test('reading may begin anywhere: bytes go out as the flight passes them', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 100 * KiB } });
  const got = await node.get(refOf(whole), { offset: 400 * KiB });
  same(got.bytes, whole.subarray(400 * KiB));
});

test('a range out of reach within the wait is unknown, while the flight goes on', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 20 * KiB } });
  const got = await node.get(refOf(whole), { offset: 500 * KiB, wait: 2000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.equal(node.flights, 1);
});

test('a read beyond what arrived fails as unavailable after the wait', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 20 * KiB } });
  const file = opened(await node.until(node.openFile(refOf(whole), { wait: 12_000 })));
  await assert.rejects(node.until(file.read(new Uint8Array(10), 590 * KiB)), { code: 'UNAVAILABLE' });
  await file[Symbol.asyncDispose]();
});

test('an upstream that says 404 while no peer has it: absent', async () => {
  await using node = createFileNode({ script: { absent: true } });
  assert.equal((await node.get(refOf(whole))).answer.kind, 'absent');
});

test('an upstream that says 404 while a peer has it: the peer serves it', async () => {
  await using node = createFileNode({ script: { absent: true } });
  node.peer('honest', whole, { behaviour: { latency: 100 } });
  same((await node.get(refOf(whole))).bytes, whole);
});

test('without upstream and peers it is unknown, never absent', async () => {
  await using node = createFileNode({ offline: true });
  assert.equal((await node.get(refOf(whole))).answer.kind, 'unknown');
});

test('when nobody may be asked it is unknown at once', async () => {
  await using node = createFileNode({ offline: true, ask: 'none' });
  const got = await node.get(refOf(whole));
  assert.equal(got.answer.kind, 'unknown');
  assert.ok(got.ms < 100);
});

test('a peer that connects while a client waits is asked', async () => {
  await using node = createFileNode({ offline: true });
  const waiting = readAll(node, node.clock, refOf(whole));
  await node.clock.advance(3000);
  node.peer('late', whole);
  const got = await node.until(waiting);
  same(got.bytes, whole);
  assert.ok(got.ms < 4500, `${got.ms}`);
});

test('an empty file is served', async () => {
  await using node = createFileNode({ script: { bytes: new Uint8Array(0) } });
  const got = await node.get(refOf(new Uint8Array(0)));
  assert.equal(got.answer.kind, 'opened');
  assert.equal(got.bytes.length, 0);
});

test('a size that the page does not give comes from the upstream', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 100 * KiB } });
  const file = opened(await node.until(node.openFile(refOf(whole, { size: undefined }))));
  assert.equal(await file.knownSize(), whole.length);
  await file[Symbol.asyncDispose]();
});

test('a size that nobody gives is known at the end only, and the bytes are right', async () => {
  await using node = createFileNode({ script: { bytes: whole, hideSize: true } });
  const got = await node.get(refOf(whole, { size: undefined }));
  same(got.bytes, whole);
});

test('HEAD: the size of the page, without a fetch and without a question', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const size = await node.fileSize(refOf(whole));
  assert.deepEqual(size, { kind: 'size', size: whole.length, source: 'upstream' });
  assert.equal(node.upstream.infoCalls, 0);
  assert.equal(node.flights, 0);
});

test('HEAD of a file without size on its page asks the upstream, and says so when it cannot know', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const ref = refOf(whole, { size: undefined });
  assert.deepEqual(await node.fileSize(ref), { kind: 'size', size: whole.length, source: 'upstream' });
  node.upstream.script = { absent: true };
  assert.deepEqual(await node.fileSize(ref), { kind: 'absent' });
  node.upstream.script = { status: 503 };
  assert.equal((await node.fileSize(ref)).kind, 'unknown');
  node.upstream.script = { latency: Infinity };
  assert.equal((await node.until(node.fileSize(ref, { wait: 3000 }))).kind, 'unknown');
});

test('HEAD of a file that only peers can have asks them', async () => {
  await using node = createFileNode({});
  node.peer('honest', whole);
  const size = await node.until(node.fileSize(refOf(whole, { url: '', size: undefined })));
  assert.deepEqual(size, { kind: 'size', size: whole.length, source: 'peer' });
});

test('HEAD of a file that the upstream lost says what GET would: a peer has it, or it is absent', async () => {
  await using node = createFileNode({ script: { absent: true } });
  const ask = () => node.until(node.fileSize(refOf(whole, { size: undefined })));
  assert.deepEqual(await ask(), { kind: 'absent' });
  node.peer('honest', whole);
  assert.deepEqual(await ask(), { kind: 'size', size: whole.length, source: 'peer' });
});

test('HEAD of a client that has left already ends nothing but its own question', async () => {
  await using node = createFileNode({ script: { latency: 1000, bytes: whole } });
  const signal = AbortSignal.abort(new Error('the client left'));
  await assert.rejects(node.fileSize(refOf(whole, { size: undefined }), { signal }), /the client left/);
  // A rejection that nobody handles would fail this test, and end a node.
  await node.clock.advance(2000);
});
