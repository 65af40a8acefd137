/** A relay that lies in one kind of answer: it is found out, blamed and left, and an honest peer's answer counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProof, encodeProof } from '../../../src/core/index-map/map-proof.ts';
import { encodeBin } from '../../../src/core/index-map/index-bin.ts';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import { encodePart, readParts } from '../../../src/core/index-messages/answer-parts.ts';
import {
  decodeBundle,
  decodeNumberedBin,
  encodeBundle,
  encodeLeafProof,
  encodeNumberedBin,
} from '../../../src/core/index-messages/index-answers.ts';
import { decodeIndexRequest, type IndexRequest } from '../../../src/core/index-messages/index-request.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { IndexHandler } from '../../../src/network/index-channel.ts';
import { createFollowWorld, policyOf, serialOf, type TestFollower, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

/** Changes the parts of answers to one question. */
function lying(
  q: IndexRequest['q'],
  change: (part: Uint8Array, index: number) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
): (handler: IndexHandler) => IndexHandler {
  return (handler) =>
    async function* (peer, request, signal) {
      if (decodeIndexRequest(request).q !== q) return yield* handler(peer, request, signal);
      let index = 0;
      for await (const part of readParts(handler(peer, request, signal), 8 * 1024 * 1024)) {
        const changed = await change(part, index++);
        if (changed) yield encodePart(changed);
      }
    };
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

function blamed(one: TestFollower): unknown[] {
  return one.told.flatMap(({ name, fact }) =>
    name === 'record:refused' && 'blame' in fact && fact.blame === 'sender' ? [[fact.code, fact.peerId]] : [],
  );
}

/** Two followers of one publisher: through the liar alone nothing comes; with an honest peer it does. */
async function through(wrap: (handler: IndexHandler) => IndexHandler, code: string): Promise<void> {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  const liar = world.serve(double, 'liar', wrap);
  const one = await world.follower(policyOf(1, [double]), { connected: [liar.peerId] });
  await world.settle();
  assert.deepEqual(blamed(one), [[code, 'liar']]);
  assert.equal(serialOf(await one.believes('foo')), 'unknown');
  world.connect(one.peerId, double.name);
  await world.clock.advance(1_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
}

test('other leaf hashes than the record’s are their sender’s fault', () =>
  through(
    lying('object', (part) => flipped(part, 77)),
    'INTEGRITY',
  ));

test('another bin than the leaf hashes say is its sender’s fault', () =>
  through(
    lying('bins', (part) => {
      const { number } = decodeNumberedBin(part);
      const name = parseProjectName('foo');
      return encodeNumberedBin({
        number,
        bytes: encodeBin({ entries: [{ name, ...pair(666) }], partial: false }),
      });
    }),
    'INTEGRITY',
  ));

test('records that are not those of the announced log are their sender’s fault', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  const other = await double.fork(1);
  await other.sign({ at: world.clock.now(), set: { foo: pair(666) } });
  const liar = world.serve(
    double,
    'liar',
    lying('range', async (_part, index) => (index === 0 ? other.source.record(1) : other.source.delta(1))),
  );
  const one = await world.follower(policyOf(1, [double]), { connected: [liar.peerId] });
  await world.settle();
  await liar.says({ set: { foo: pair(2) } });
  await world.settle();
  assert.deepEqual(blamed(one), [['RECORD_NOT_ANNOUNCED', 'liar']]);
  assert.equal(serialOf(await one.believes('foo')), 1);
  world.connect(one.peerId, double.name);
  await world.clock.advance(2_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('a head that no proof connects with what is known is not taken', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  let lie = true;
  const withhold = (handler: IndexHandler): IndexHandler =>
    async function* (peer, request, signal) {
      const { q } = decodeIndexRequest(request);
      if (q === 'range') return;
      if (q === 'consistency' && lie) return yield encodePart(new Uint8Array(64));
      if (q === 'inclusion' && lie)
        return yield encodePart(
          encodeLeafProof({ leaf: '00'.repeat(32) as never, proof: [new Uint8Array(32)] }),
        );
      yield* handler(peer, request, signal);
    };
  const liar = world.serve(double, 'liar', withhold);
  const one = await world.follower(policyOf(1, [double]), { connected: [liar.peerId] });
  await world.settle();
  await liar.says({ set: { foo: pair(2) } });
  await world.settle();
  assert.deepEqual(
    blamed(one).map((blame) => (blame as string[])[0]),
    ['INCLUSION_FAILED'],
  );
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.deepEqual(one.follower.status().misconduct, []);
  lie = false;
  await world.clock.advance(11 * 60_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('a peer that stops in the middle of an answer is left for another after a while', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  const silent = world.serve(
    double,
    'silent',
    (handler) =>
      async function* (peer, request, signal) {
        if (decodeIndexRequest(request).q !== 'object') return yield* handler(peer, request, signal);
        yield new Uint8Array([0, 0]);
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
      },
  );
  const one = await world.follower(policyOf(1, [double]), { connected: [silent.peerId] });
  await world.settle();
  world.connect(one.peerId, double.name);
  await world.settle();
  assert.equal(one.follower.status().ready, false);
  await world.clock.advance(21_000);
  await world.settle();
  // Not by a bundle: the whole map.
  assert.equal(one.follower.status().ready, true);
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('a peer that answers nothing at all is left for another after 5 s', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  const cutOff = world.serve(
    double,
    'cut-off',
    (handler) =>
      async function* (peer, request, signal) {
        if (decodeIndexRequest(request).q !== 'object') return yield* handler(peer, request, signal);
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
      },
  );
  const one = await world.follower(policyOf(1, [double]), { connected: [cutOff.peerId] });
  await world.settle();
  world.connect(one.peerId, double.name);
  await world.settle();
  assert.equal(one.follower.status().ready, false);
  await world.clock.advance(6000);
  await world.settle();
  assert.equal(one.follower.status().ready, true);
  await one.close();
});

test('a bundle whose proof leads elsewhere is no vote', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  const bin = binNumber(parseProjectName('foo'));
  let wrap = lying('bundles', (part) => {
    const { announcement, proof } = decodeBundle(part);
    const name = parseProjectName('foo');
    const bytes = encodeBin({ entries: [{ name, ...pair(666) }], partial: false });
    return encodeBundle({ announcement, proof: encodeProof({ ...decodeProof(proof), bin: bytes }) });
  });
  // Nothing but bundles comes from it.
  const only = (handler: IndexHandler): IndexHandler =>
    async function* (peer, request, signal) {
      if (decodeIndexRequest(request).q === 'bundles') yield* wrap(handler)(peer, request, signal);
    };
  const liar = world.serve(double, 'liar', only);
  const one = await world.follower(policyOf(1, [double]), { connected: [liar.peerId] });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 'unknown');
  assert.deepEqual(blamed(one), [['PROOF_WRONG_ROOT', 'liar']]);
  assert.ok(bin >= 0);
  wrap = (handler) => handler;
  await world.clock.advance(11 * 60_000);
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('a bundle is no vote for a stale name, nor for absence from half a map', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, {});
  const [double] = doubles;
  await double.sign({
    at: world.clock.now(),
    set: { foo: pair(1), bar: pair(1) },
    stale: ['bar'],
    record: { complete: false },
  });
  const only = (handler: IndexHandler): IndexHandler =>
    async function* (peer, request, signal) {
      const asked = decodeIndexRequest(request);
      const names = asked.q === 'object' && double.lists.has(asked.digest);
      if (asked.q === 'bundles' || names) yield* handler(peer, request, signal);
    };
  const node = world.serve(double, 'node', only);
  const one = await world.follower(policyOf(1, [double]), { connected: [node.peerId] });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(serialOf(await one.believes('bar')), 'unknown');
  assert.equal(serialOf(await one.believes('none')), 'unknown');
  assert.deepEqual(one.refused(), {});
  await one.close();
});

test('another list of names than the record’s is its sender’s fault', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  await double.sign({ at: world.clock.now(), set: { foo: pair(2) }, stale: ['bar'] });
  const node = world.serve(
    double,
    'liar',
    lying('object', (part) => (part.length < 1000 ? Buffer.from('foo\n') : part)),
  );
  const one = await world.follower(policyOf(1, [double]), { connected: [node.peerId] });
  await world.settle();
  assert.deepEqual(blamed(one), [['INTEGRITY', 'liar']]);
  assert.equal(one.follower.status().ready, false);
  await one.close();
});
