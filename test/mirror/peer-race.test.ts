/** Peers and the upstream race for one blob; who lies or drips is found out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFileNode, type FileNode, readAll, refOf, same, someBytes } from './file-node.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const whole = someBytes(700 * KiB, 9);
const big = someBytes(10 * MiB, 11);
const verdicts = (node: FileNode, kind: string): string[] =>
  node.network.verdicts.filter(({ verdict }) => verdict.kind === kind).map(({ peerId }) => peerId);
/** Without those that made a peer proven. */
const praised = (node: FileNode): string[] =>
  node.network.verdicts.flatMap(({ peerId, verdict }) =>
    verdict.kind === 'verified' && verdict.bytes > 0 ? [peerId] : [],
  );

test('a known peer that delivers within 300 ms spares the upstream', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('near', whole, { behaviour: { rate: 20 * MiB } });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.upstream.requests.length, 0);
  assert.deepEqual(praised(node), ['near']);
  assert.deepEqual(node.facts('blob:fetched')[0]?.bytes, { peer: whole.length, upstream: 0 });
});

test('when nobody connected has it the upstream is asked at once', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('other', someBytes(10));
  const got = await node.get(refOf(whole));
  assert.ok(got.ms < 100, `${got.ms}`);
});

test('a peer that misses its deadline does not keep the upstream waiting', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('deaf', whole, { behaviour: { deaf: true } });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.ms < 400, `${got.ms}`);
});

test('a peer that sends a byte and then drips costs less than half a second: the race is won by rate', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 5 * MiB } });
  node.peer('drip', whole, { behaviour: { drip: { bytes: 1, every: 200 } } });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.ms < 700, `${got.ms}`);
});

test('a peer that drips after a fast start is replaced at the byte reached, and called slow', async () => {
  await using node = createFileNode({ script: { bytes: big, rate: 5 * MiB } });
  node.peer('tiring', big, { behaviour: { drip: { bytes: MiB, every: 300 } } });
  const got = await node.get(refOf(big));
  same(got.bytes, big);
  assert.ok(got.ms < 6000, `${got.ms}`);
  assert.ok((node.upstream.requests[0]?.offset ?? 0) >= MiB, 'what the peer gave is kept');
  assert.deepEqual(verdicts(node, 'slow'), ['tiring']);
});

test('a peer at a tenth of the upstream does not win by being first', async () => {
  await using node = createFileNode({ script: { bytes: big, rate: 5 * MiB } });
  node.peer('slow', big, { behaviour: { rate: 512 * KiB } });
  const got = await node.get(refOf(big));
  same(got.bytes, big);
  assert.ok(got.ms < 3500, `${got.ms}`);
});

test('the upstream is left only for a peer that will be done as soon', async () => {
  await using node = createFileNode({ script: { bytes: big, rate: 2 * MiB, latency: 200 } });
  node.peer('fast', big, { behaviour: { latency: 100, rate: 20 * MiB } });
  const got = await node.get(refOf(big));
  same(got.bytes, big);
  assert.ok(got.ms < 1500, `${got.ms}`);
  assert.equal(node.upstream.active, 0);
  assert.deepEqual(praised(node), ['fast']);
});

test('a peer that breaks off is gone on with from the upstream at the byte reached', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('breaking', whole, { behaviour: { cutAt: 300 * KiB } });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.upstream.requests[0]?.offset, 300 * KiB);
});

test('with the upstream down, providers are looked up whatever the size, and waited for', async () => {
  await using node = createFileNode({ script: { status: 502 } });
  const far = node.peer('far', whole, { connected: false, stranger: true });
  far.advertise(refOf(whole).digest as never);
  same((await node.get(refOf(whole))).bytes, whole);
});

test('an upstream that was well a minute ago and gives nothing now: providers are looked up after 2 s', async () => {
  for (const script of [{ latency: Infinity }, { bytes: whole, stallAt: 100 * KiB }]) {
    await using node = createFileNode({ script });
    const far = node.peer('far', whole, { connected: false });
    far.advertise(refOf(whole).digest as never);
    const got = await node.get(refOf(whole));
    same(got.bytes, whole);
    assert.ok(got.ms >= 2000 && got.ms < 4500, `${got.ms}`);
  }
});

test('while the upstream gives nothing, a connected peer that had nothing at first is asked again', async () => {
  await using node = createFileNode({ script: { latency: Infinity } });
  const late = node.peer('late', someBytes(10));
  node.clock.setTimer(() => void late.shelf.put(whole), 4000);
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.ms >= 4000 && got.ms < 9000, `${got.ms}`);
});

test('with the upstream healthy, providers are looked up from 1 MiB on only', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  let found = 0;
  const find = node.network.find.bind(node.network);
  node.network.find = (digest, options) => (found++, find(digest, options));
  await node.get(refOf(whole));
  assert.equal(found, 0);
  node.upstream.script = { bytes: big };
  await node.get(refOf(big));
  assert.equal(found, 1);
});

test('with the upstream down, providers are looked up only when a connected peer does not bring it soon', async () => {
  await using node = createFileNode({ offline: true });
  node.peer('quick', whole);
  node.peer('slow', big, { behaviour: { rate: MiB } });
  let found = 0;
  const find = node.network.find.bind(node.network);
  node.network.find = (digest, options) => (found++, find(digest, options));
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(found, 0);
  same((await node.get(refOf(big))).bytes, big);
  assert.equal(found, 1);
});

test('garbage of a stranger reaches no reader: the upstream serves, the stranger is banned', async () => {
  await using node = createFileNode({ script: { bytes: whole, latency: 200, rate: 2 * MiB } });
  node.peer('liar', whole, { stranger: true, behaviour: { wrongBytes: true } });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.deepEqual(verdicts(node, 'wrong-bytes'), ['liar']);
  assert.equal(node.facts('integrity:mismatch')[0]?.source, 'peer:liar');
  assert.equal(node.facts('fetch:discarded')[0]?.bytes, whole.length);
});

test('garbage of one stranger, then an honest one: right bytes without an upstream', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  node.peer('liar', whole, { stranger: true, behaviour: { wrongBytes: true } });
  node.peer('honest', whole, { stranger: true, behaviour: { latency: 100 } });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.deepEqual(verdicts(node, 'wrong-bytes'), ['liar']);
  assert.deepEqual(praised(node), ['honest']);
});

test('no byte of a stranger is let out before its blob is verified', async () => {
  await using node = createFileNode({ offline: true });
  node.peer('stranger', whole, { stranger: true, behaviour: { rate: 200 * KiB } });
  const opening = node.openFile(refOf(whole));
  let settled = false;
  void opening.then(() => (settled = true));
  await node.clock.advance(3300);
  assert.equal(settled, false);
  const answer = await node.until(opening);
  assert.equal(answer.kind === 'opened' && answer.file.complete, true);
});

test('strangers are tried one at a time', async () => {
  await using node = createFileNode({ offline: true });
  const strangers = ['one', 'two', 'three'].map((id) =>
    node.peer(id, whole, { stranger: true, behaviour: { rate: 200 * KiB } }),
  );
  const reading = readAll(node, node.clock, refOf(whole));
  await node.clock.advance(1000);
  assert.equal(strangers.filter((peer) => peer.asked.some(({ kind }) => kind === 'get')).length, 1);
  same((await node.until(reading)).bytes, whole);
});

test('after two lying strangers on one blob no third is tried for ten minutes', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  const liars = ['a', 'b', 'c', 'd'].map((id) =>
    node.peer(id, whole, { stranger: true, behaviour: { wrongBytes: true } }),
  );
  const got = await node.get(refOf(whole), { wait: 10_000 });
  assert.equal(got.answer.kind, 'unknown');
  assert.equal(verdicts(node, 'wrong-bytes').length, 2);
  assert.equal(liars.filter((peer) => peer.asked.some(({ kind }) => kind === 'get')).length, 2);
});

test('a stranger that stalls is given up for the next', async () => {
  await using node = createFileNode({ offline: true });
  node.peer('stalling', whole, { stranger: true, behaviour: { stallAt: 1000 } });
  node.peer('honest', whole, { stranger: true, behaviour: { latency: 120 } });
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.ok(got.ms < 6000, `${got.ms}`);
});

test('a false size is refused before any byte, and told', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const liar = node.peer('liar', whole, { behaviour: { claimedSize: whole.length + 1 } });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(
    liar.asked.some(({ kind }) => kind === 'get'),
    false,
  );
});

test("a peer's false size of a file without size on its page does not turn the upstream away", async () => {
  const small = whole.slice(0, 60 * KiB);
  await using node = createFileNode({ script: { bytes: small, latency: 500 } });
  node.peer('liar', small, { behaviour: { claimedSize: small.length + 7 } });
  const got = await node.get(refOf(small, { size: undefined }));
  same(got.bytes, small);
});

test("a peer's false size stays its own: it stalls, and the upstream's true size is believed", async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('liar', whole, { behaviour: { claimedSize: whole.length + 7, stallAt: 1000 } });
  same((await node.get(refOf(whole, { size: undefined }))).bytes, whole);
});

test('a known peer that turned bad is convicted alone, and a reader that received nothing gets right bytes', async () => {
  const small = whole.slice(0, 60 * KiB);
  await using node = createFileNode({ script: { bytes: small } });
  node.peer('turned', small, { behaviour: { wrongBytes: true } });
  const got = await node.get(refOf(small));
  same(got.bytes, small);
  assert.equal(got.error, undefined);
  assert.deepEqual(verdicts(node, 'wrong-bytes'), ['turned']);
});

test('a reader that has received wrong bytes is cut off, never given a complete wrong file', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  node.peer('turned', whole, { behaviour: { wrongBytes: true, rate: 400 * KiB } });
  const got = await node.get(refOf(whole), { wait: 12_000 });
  assert.equal((got.error as { code?: string }).code, 'INTEGRITY');
  assert.ok(got.bytes.length < whole.length);
  assert.equal(node.store.totals().blobs, 0);
});

test('of several senders nobody is convicted before a whole fits; then who sent the differing range is', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  const half = 400 * KiB;
  // The first breaks off after wrong bytes, the second, honest one goes on.
  node.peer('turned', whole, { lan: true, behaviour: { wrongBytes: true, cutAt: half } });
  node.peer('honest', whole);
  const first = await node.get(refOf(whole), { wait: 20_000 });
  assert.equal((first.error as { code?: string }).code, 'INTEGRITY');
  const again = await node.get(refOf(whole), { wait: 20_000 });
  same(again.bytes, whole);
  assert.deepEqual(verdicts(node, 'wrong-bytes'), ['turned']);
});

test('after a wrong whole of several senders one source at a time is asked', async () => {
  await using node = createFileNode({ offline: true });
  const peers = ['turned', 'b', 'c'].map((id) => {
    const wrongBytes = id === 'turned';
    return node.peer(id, big, { behaviour: { latency: 20, rate: 8 * MiB, wrongBytes } });
  });
  const gets = (): number => peers.reduce((sum, peer) => sum + peer.status().activeGets, 0);
  const reading = readAll(node, node.clock, refOf(big));
  while (node.facts('integrity:mismatch').length === 0) await node.clock.advance(50);
  await reading;
  const again = readAll(node, node.clock, refOf(big), { wait: 60_000 });
  let most = 0;
  while (node.store.stat(refOf(big).digest as never) === undefined) {
    await node.clock.advance(50);
    most = Math.max(most, gets());
  }
  assert.equal(most, 1);
  same((await node.until(again)).bytes, big);
  assert.deepEqual(verdicts(node, 'wrong-bytes'), ['turned']);
});

test('a flight gives up after four wrong wholes, however many liars are left', async () => {
  const small = whole.slice(0, 60 * KiB);
  await using node = createFileNode({ offline: true });
  for (let n = 0; n < 8; n++) node.peer(`liar${n}`, small, { behaviour: { wrongBytes: true } });
  const got = await node.get(refOf(small));
  assert.equal(got.answer.kind, 'unknown');
  assert.equal(verdicts(node, 'wrong-bytes').length, 4);
});

test('with several senders and no good whole nobody is banned', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  node.peer('one', whole, { lan: true, behaviour: { wrongBytes: true, cutAt: 300 * KiB } });
  node.peer('two', whole, { behaviour: { cutAt: 300 * KiB } });
  await node.get(refOf(whole), { wait: 20_000 });
  await node.clock.advance(60_000);
  assert.deepEqual(verdicts(node, 'wrong-bytes'), []);
});

test('a large blob comes from several known peers at once', async () => {
  await using node = createFileNode({ offline: true });
  const peers = ['a', 'b', 'c'].map((id) =>
    node.peer(id, big, { behaviour: { latency: 10, rate: 2 * MiB } }),
  );
  const got = await node.get(refOf(big));
  same(got.bytes, big);
  for (const peer of peers) assert.ok(peer.asked.some(({ kind }) => kind === 'get'));
  assert.deepEqual(praised(node).sort(), ['a', 'b', 'c']);
});

test('below 8 MiB one peer serves a file', async () => {
  await using node = createFileNode({ offline: true });
  const peers = ['a', 'b'].map((id) => node.peer(id, whole, { behaviour: { latency: 10, rate: 2 * MiB } }));
  await node.get(refOf(whole));
  assert.equal(peers.filter((peer) => peer.asked.some(({ kind }) => kind === 'get')).length, 1);
});

test('a blob larger than may be held back is taken from a stranger only when there is nothing else', async () => {
  await using node = createFileNode({ script: { bytes: big, rate: 10 * MiB } });
  const stranger = node.peer('stranger', big, { stranger: true });
  same((await node.get(refOf(big))).bytes, big);
  assert.equal(
    stranger.asked.some(({ kind }) => kind === 'get'),
    false,
  );
  await using alone = createFileNode({ offline: true });
  alone.peer('stranger', big, { stranger: true, behaviour: { rate: 4 * MiB } });
  const got = await alone.get(refOf(big));
  same(got.bytes, big);
  assert.ok(got.gap >= 1000, 'its first bytes are held back for a second');
  assert.ok(got.ms < 3000, `${got.ms}`);
});

test('a busy peer is asked again when it said so', async () => {
  await using node = createFileNode({ offline: true });
  const busy = node.peer('busy', whole, { behaviour: { busy: 2000 } });
  const reading = readAll(node, node.clock, refOf(whole));
  await node.clock.advance(1900);
  assert.equal(busy.asked.filter(({ kind }) => kind === 'get').length, 1);
  busy.behave({});
  same((await node.until(reading)).bytes, whole);
});

test('who says HAVE and then NOT_FOUND is told on, and the upstream serves', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('boaster', whole, { behaviour: { notFoundAfterHave: true } });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.deepEqual(verdicts(node, 'not-found'), ['boaster']);
});

test('when peers have won fewer than 5 % of fifty cold fetches, the upstream is not kept waiting for them', async () => {
  await using node = createFileNode({ script: {} });
  const files = Array.from({ length: 51 }, (_none, n) => someBytes(2000, 100 + n));
  for (const bytes of files.slice(0, 50)) {
    node.upstream.script = { bytes };
    await node.get(refOf(bytes));
  }
  const [last] = files.slice(50);
  node.upstream.script = { bytes: last as Uint8Array };
  node.peer('slow', last as Uint8Array, { behaviour: { latency: 140 } });
  const got = await node.get(refOf(last as Uint8Array));
  assert.ok(got.ms < 100, `${got.ms}`);
});

test('a private file is never asked of peers, whatever happens', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  const peer = node.peer('curious', whole);
  const ref = refOf(whole, { private: true });
  assert.equal((await node.get(ref, { wait: 3000 })).answer.kind, 'unknown');
  assert.equal(peer.asked.length, 0);
  node.upstream.script = { bytes: whole };
  same((await node.get(ref)).bytes, whole);
  assert.equal(peer.asked.length, 0);
  assert.equal(node.store.visibility(refOf(whole).digest as never), 'private');
  assert.equal(node.facts('blob:added')[0]?.shareable, false);
});

test('a blob that is held and turns out private is hidden from peers', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  await node.get(refOf(whole));
  await node.get(refOf(whole, { private: true }));
  assert.equal(node.facts('blob:hidden').length, 1);
});

test('what an upstream with credentials gives is private', async () => {
  await using node = createFileNode({ script: { bytes: whole }, privateUpstream: true });
  const peer = node.peer('curious', whole);
  await node.get(refOf(whole));
  assert.equal(peer.asked.length, 0);
  assert.equal(node.facts('blob:added')[0]?.shareable, false);
});

test('a file found private while it is fetched is stored private, and its peers are left', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 500 * KiB } });
  const peer = node.peer('peer', whole, { behaviour: { latency: 100, rate: 50 * KiB } });
  const reading = readAll(node, node.clock, refOf(whole));
  await node.clock.advance(500);
  const again = readAll(node, node.clock, refOf(whole, { private: true }));
  await node.clock.advance(200);
  assert.equal(peer.status().activeGets, 0);
  same((await node.until(reading)).bytes, whole);
  same((await node.until(again)).bytes, whole);
  assert.equal(node.facts('blob:added')[0]?.shareable, false);
});

test('a file found private is asked of no peer any more, also when nobody else gives it', async () => {
  await using node = createFileNode({ script: { status: 500 } });
  const peers = ['one', 'two'].map((name) => node.peer(name, whole, { behaviour: { rate: 20 * KiB } }));
  const reading = readAll(node, node.clock, refOf(whole), { wait: 60_000 });
  await node.clock.advance(1000);
  assert.ok(
    peers.some((peer) => peer.asked.some(({ kind }) => kind === 'get')),
    'they were asked before',
  );
  const again = readAll(node, node.clock, refOf(whole, { private: true }), { wait: 60_000 });
  await node.clock.advance(10);
  const asked = peers.map((peer) => peer.asked.length);
  await node.clock.advance(20_000);
  assert.deepEqual(
    peers.map((peer) => peer.asked.length),
    asked,
  );
  assert.ok(peers.every((peer) => peer.status().activeGets === 0));
  node.upstream.script = { bytes: whole };
  for (const got of [reading, again]) same((await node.until(got)).bytes, whole);
});

test('a file found private waits for no peer that said BUSY', async () => {
  await using node = createFileNode({ script: { absent: true } });
  const peer = node.peer('busy', whole, { behaviour: { busy: 30_000 } });
  const got: string[] = [];
  const read = async (given: Parameters<typeof refOf>[1]): Promise<void> => {
    const { answer } = await readAll(node, node.clock, refOf(whole, given), { wait: 25_000 });
    got.push(answer.kind);
  };
  const reading = [read({})];
  await node.clock.advance(2000);
  assert.ok(peer.asked.some(({ kind }) => kind === 'get'));
  assert.deepEqual(got, [], 'it may have room in half a minute');
  reading.push(read({ private: true }));
  await node.clock.advance(2000);
  assert.deepEqual(got, ['absent', 'absent']);
  await Promise.all(reading);
});

test('ask none asks nobody; ask lan asks for no provider records and takes from LAN peers only', async () => {
  await using none = createFileNode({ offline: true, ask: 'none' });
  const silent = none.peer('peer', whole);
  await none.get(refOf(whole), { wait: 1000 });
  assert.equal(silent.asked.length, 0);
  await using lan = createFileNode({ offline: true, ask: 'lan' });
  let found = 0;
  const find = lan.network.find.bind(lan.network);
  lan.network.find = (digest, options) => (found++, find(digest, options));
  const far = lan.peer('far', whole);
  assert.equal((await lan.get(refOf(whole), { wait: 2000 })).answer.kind, 'unknown');
  assert.equal(
    far.asked.some(({ kind }) => kind === 'get'),
    false,
  );
  assert.equal(found, 0);
  lan.peer('near', whole, { lan: true });
  same((await lan.get(refOf(whole))).bytes, whole);
});

test('a reference without URL is fetched from peers only', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  node.peer('peer', whole);
  same((await node.get(refOf(whole, { url: '' }))).bytes, whole);
  assert.equal(node.upstream.requests.length, 0);
});

const large = someBytes(40 * MiB, 13);
const shareOf = (node: FileNode, peerId: string): number =>
  node.network.verdicts.reduce(
    (sum, { peerId: id, verdict }) =>
      sum + (id === peerId && verdict.kind === 'verified' ? verdict.bytes : 0),
    0,
  );

test('a known peer that connects while one peer gives a large file joins it', async () => {
  await using node = createFileNode({ offline: true });
  node.peer('first', large, { behaviour: { rate: 4 * MiB } });
  node.peer('late', large, { connected: false, behaviour: { rate: 4 * MiB } });
  const reading = readAll(node, node.clock, refOf(large));
  await node.clock.advance(2000);
  node.world.connect('self', 'late');
  const got = await node.until(reading);
  same(got.bytes, large);
  assert.ok(got.ms < 8000, `${got.ms}`);
  assert.ok(shareOf(node, 'late') > 10 * MiB, `${shareOf(node, 'late')}`);
  assert.ok(shareOf(node, 'first') > 10 * MiB, `${shareOf(node, 'first')}`);
});

test('one that connects while several give it joins, too; a fifth waits for a place', async () => {
  await using node = createFileNode({ offline: true });
  for (const id of ['a', 'b', 'c']) node.peer(id, large, { behaviour: { rate: MiB } });
  for (const id of ['d', 'e']) node.peer(id, large, { connected: false, behaviour: { rate: MiB } });
  const reading = readAll(node, node.clock, refOf(large));
  await node.clock.advance(2000);
  for (const id of ['d', 'e']) {
    node.world.connect('self', id);
    await node.clock.advance(1500);
  }
  same((await node.until(reading)).bytes, large);
  assert.ok(shareOf(node, 'd') > 4 * MiB);
  assert.equal(shareOf(node, 'e'), 0);
});

test('a provider that is found while another peer gives a large file joins it', async () => {
  await using node = createFileNode({ offline: true });
  node.peer('first', large, { behaviour: { rate: 4 * MiB } });
  const far = node.peer('far', large, { connected: false, behaviour: { rate: 4 * MiB, latency: 120 } });
  far.advertise(refOf(large).digest as never);
  const got = await node.get(refOf(large));
  same(got.bytes, large);
  assert.ok(shareOf(node, 'far') > 15 * MiB, `${shareOf(node, 'far')}`);
  assert.ok(got.ms < 7000, `${got.ms}`);
});

test('a stranger does not join', async () => {
  await using node = createFileNode({ offline: true });
  node.peer('first', large, { behaviour: { rate: 8 * MiB } });
  const stranger = node.peer('stranger', large, { connected: false, stranger: true });
  const reading = readAll(node, node.clock, refOf(large));
  await node.clock.advance(1000);
  node.world.connect('self', 'stranger');
  same((await node.until(reading)).bytes, large);
  assert.deepEqual(
    stranger.asked.map(({ kind }) => kind),
    ['have'],
  );
});

test('a peer that said no while it was fetching the blob itself gives it seconds later, when nobody else does', async () => {
  await using node = createFileNode({ script: { status: 502 } });
  const peer = node.peer('neighbour', someBytes(10));
  const reading = readAll(node, node.clock, refOf(whole));
  await node.clock.advance(500);
  assert.equal(peer.asked.length, 1);
  peer.shelf.put(whole);
  const got = await node.until(reading);
  same(got.bytes, whole);
  assert.ok(got.ms < 5000, `${got.ms}`);
});
