/** What the issue says must be refused: each with its code, its blame, and the last good head still in service. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAnnouncement, encodeAnnouncement } from '../../../src/core/log/announcement.ts';
import { formatNote, parseNote } from '../../../src/core/log/note.ts';
import { encodeBin } from '../../../src/core/index-map/index-bin.ts';
import { encodeDelta } from '../../../src/core/index-map/index-delta.ts';
import { encodePart } from '../../../src/core/index-messages/answer-parts.ts';
import { decodeIndexRequest } from '../../../src/core/index-messages/index-request.ts';
import { encodeNumberedBin } from '../../../src/core/index-messages/index-answers.ts';
import type { IndexHandler } from '../../../src/network/index-channel.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

test('a replayed older checkpoint changes nothing and is nobody’s fault when it is gossiped', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const old = doubles[0].announcement();
  await world.clock.advance(60_000);
  for (const node of nodes) await node.says({ set: { foo: pair(2) } });
  await world.settle();
  await nodes[0].index.publish(Buffer.from(old));
  // The same bytes were never gossiped, so they are judged.
  await world.settle();
  assert.equal(one.refused()['CHECKPOINT_REPLAYED'], 1);
  assert.deepEqual(blamesOf(one, 'CHECKPOINT_REPLAYED'), ['nobody']);
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('a peer that answers with a head no newer than it was told is to blame', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const liar = await world.publisher('liar.example');
  const old = doubles[0].announcement();
  world.serve(
    liar,
    'liar',
    () =>
      async function* (_peer, request) {
        if (decodeIndexRequest(request).q === 'heads') yield encodePart(old);
      },
  );
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  world.connect(one.peerId, 'liar');
  await world.settle();
  assert.deepEqual(blamesOf(one, 'CHECKPOINT_REPLAYED'), ['sender']);
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('a bad signature is rejected before it is passed on', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const good = decodeAnnouncement(await doubles[0].sign({ at: world.clock.now(), set: { foo: pair(2) } }));
  const note = parseNote(good.checkpoint);
  const signatures = note.signatures.map((signature) => {
    const bytes = Uint8Array.from(signature.bytes);
    bytes[3] = (bytes[3] as number) ^ 1;
    return { ...signature, bytes };
  });
  const bad = { ...good, checkpoint: formatNote({ text: note.text, signatures }) };
  await nodes[1].index.publish(encodeAnnouncement(bad));
  await world.settle();
  assert.equal(one.refused()['NOTE_BAD_SIGNATURE'], 1);
  assert.deepEqual(blamesOf(one, 'NOTE_BAD_SIGNATURE'), ['sender']);
  assert.deepEqual(
    one.told
      .filter(({ name }) => name === 'index:message-received')
      .map(({ fact }) => 'verdict' in fact && fact.verdict),
    ['reject'],
  );
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('a head of a log that the policy does not name is not passed on, and nobody is blamed', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const stranger = world.serve(await world.publisher('stranger.example'));
  const one = await world.follower(policyOf(2, doubles), { connected: [...names, stranger.peerId] });
  await world.settle();
  await stranger.says({ set: { foo: pair(9) } });
  await world.settle();
  assert.deepEqual(one.refused(), {});
  const verdicts = one.told.filter(({ name }) => name === 'index:message-received');
  assert.deepEqual(
    verdicts.map(({ fact }) => 'verdict' in fact && fact.verdict),
    ['ignore'],
  );
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('a record from the future waits without blame, and counts when its time has come', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const ahead = world.clock.now() + 120_000;
  for (const node of nodes.slice(0, 2)) await node.says({ at: ahead, set: { foo: pair(2) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(one.refused()['RECORD_FROM_FUTURE'], 2);
  assert.deepEqual(blamesOf(one, 'RECORD_FROM_FUTURE'), ['nobody', 'nobody']);
  assert.equal(one.follower.status().clock, 'behind');
  await world.clock.advance(111_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('a delta that does not lead to the signed root is its publisher’s fault, and the map is had in another way', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const wrong = encodeDelta({ set: [{ name: parseProjectName('bar'), ...pair(3) }], del: [], turned: [] });
  await nodes[0].says({ set: { foo: pair(2) }, delta: wrong });
  await nodes[1].says({ set: { foo: pair(2) } });
  await world.settle();
  assert.equal(one.refused()['DELTA_WRONG_ROOT'], 1);
  assert.deepEqual(blamesOf(one, 'DELTA_WRONG_ROOT'), ['publisher']);
  assert.equal(serialOf(await one.believes('foo')), 2);
  assert.equal((await one.believes('bar')).kind, 'absent');
  await one.close();
});

test('a delta that does not lead to the signed root is refused once, however long the whole map is not to be had', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const near = await world.follower(policyOf(2, doubles), { connected: names });
  const far = await world.follower(policyOf(2, doubles), { connected: [near.peerId] });
  await world.clock.advance(31_000);
  await world.settle();
  assert.equal(far.follower.status().voters[0]?.seq, 0);
  // `near` has the log and not the map: nobody gives it.
  for (const name of names) world.disconnect(near.peerId, name);
  const mapless = world.serve(
    doubles[0],
    'mapless',
    (handler) =>
      async function* (peer, request, signal) {
        const { q } = decodeIndexRequest(request);
        if (q !== 'object' && q !== 'bins') yield* handler(peer, request, signal);
      },
  );
  world.connect(near.peerId, mapless.peerId);
  const wrong = encodeDelta({ set: [{ name: parseProjectName('bar'), ...pair(3) }], del: [], turned: [] });
  await mapless.says({ set: { foo: pair(2) }, delta: wrong });
  await world.clock.advance(120_000);
  for (const one of [near, far]) {
    assert.equal(one.refused()['DELTA_WRONG_ROOT'], 1);
    assert.deepEqual(blamesOf(one, 'DELTA_WRONG_ROOT'), ['publisher']);
    assert.equal(one.follower.status().voters[0]?.seq, 0);
  }
  world.connect(near.peerId, nodes[0].peerId);
  for (let round = 0; round < 3; round++) {
    await world.clock.advance(31_000);
    await world.settle();
  }
  for (const one of [near, far]) assert.equal(one.follower.status().voters[0]?.seq, 1);
  await near.close();
  await far.close();
});

test('a delta that is not the record’s is its sender’s fault, and another peer is asked', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const wrong = encodeDelta({ set: [{ name: parseProjectName('bar'), ...pair(3) }], del: [], turned: [] });
  const lying = (handler: IndexHandler): IndexHandler =>
    async function* (peer, request, signal) {
      const asked = decodeIndexRequest(request);
      if (asked.q !== 'range') return yield* handler(peer, request, signal);
      for (let seq = asked.from; seq < asked.to; seq++) {
        yield encodePart((await doubles[0].source.record(seq)) as Uint8Array);
        yield encodePart(wrong);
      }
    };
  const relay = world.serve(doubles[0], 'relay', lying);
  const one = await world.follower(policyOf(2, doubles), { connected: [...names.slice(1), relay.peerId] });
  await world.settle();
  await relay.says({ set: { foo: pair(2) } });
  await world.settle();
  assert.equal(one.refused()['INTEGRITY'], 1);
  assert.deepEqual(blamesOf(one, 'INTEGRITY'), ['sender']);
  assert.equal(serialOf(await one.believes('foo')), 1);
  world.connect(one.peerId, doubles[0].name);
  await world.clock.advance(2_000);
  await world.settle();
  assert.equal(one.follower.status().voters[0]?.seq, 1);
  await one.close();
});

test('a bin that is too large is its publisher’s fault: its last good map stays', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const bin = binNumber(parseProjectName('foo'));
  // What a publisher that keeps no limit would sign and serve.
  const entries = Array.from({ length: 2000 }, () => ({ name: parseProjectName('foo'), ...pair(5) }));
  const huge = encodeBin({ entries, partial: false });
  const { leaves, root } = await doubles[0].withBin(bin, huge);
  world.serve(
    doubles[0],
    'huge',
    (handler) =>
      async function* (peer, request, signal) {
        const asked = decodeIndexRequest(request);
        if (asked.q !== 'bins') return yield* handler(peer, request, signal);
        yield encodePart(encodeNumberedBin({ number: bin, bytes: huge }));
      },
  );
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  world.disconnect(one.peerId, doubles[0].name);
  world.connect(one.peerId, 'huge');
  await doubles[0].sign({ at: world.clock.now(), delta: null, root, leaves });
  await world.clock.advance(31_000);
  await world.settle();
  assert.equal(one.refused()['BIN_TOO_LARGE'], 1);
  assert.deepEqual(blamesOf(one, 'BIN_TOO_LARGE'), ['publisher']);
  assert.equal(one.follower.status().voters[0]?.seq, 0);
  for (const node of nodes.slice(1)) await node.says({ set: { foo: pair(2) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

function blamesOf(
  one: { readonly told: readonly { readonly name: string; readonly fact: object }[] },
  code: string,
): unknown[] {
  return one.told
    .filter(({ name, fact }) => name === 'record:refused' && 'code' in fact && fact.code === code)
    .map(({ fact }) => 'blame' in fact && fact.blame);
}
