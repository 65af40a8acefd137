import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { limits } from '../../../src/core/limits.ts';
import { decodeIndexRequest, type IndexRequest } from '../../../src/core/index-messages/index-request.ts';
import type { IndexHandler } from '../../../src/network/index-channel.ts';
import { createFollowWorld, type FollowWorld, policyOf, serialOf } from './follow-world.ts';
import { pair, type PublisherDouble } from './publisher-double.ts';

/** So that a record's delta is little less than 1 MiB. */
const NAMES_A_RECORD = 4000;
const LONG = 'x'.repeat(160);

/** Much is computed here, and the fake time must not end what goes on. */
async function until(world: FollowWorld, done: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !done(); turn++) {
    await world.clock.advance(turn % 100 === 0 ? 10 : 0);
    await setImmediate();
  }
  assert.ok(done());
}

/** Writes down what is asked. */
function counting(asked: IndexRequest['q'][]) {
  return (handler: IndexHandler): IndexHandler =>
    (peer, request, signal) => {
      asked.push(decodeIndexRequest(request).q);
      return handler(peer, request, signal);
    };
}

test('a follower that is more deltas behind than may be held at once takes the leaf hashes', async () => {
  const world = createFollowWorld();
  const asked: IndexRequest['q'][] = [];
  const double = await world.publisher('a.example');
  const node = world.serve(double, 'a.example', counting(asked));
  await double.sign({ at: world.clock.now(), set: { foo: pair(1) } });
  const one = await world.follower(policyOf(1, [double]), { connected: ['a.example'] });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  const grow = async (records: number, first: number): Promise<void> => {
    world.disconnect(one.peerId, 'a.example');
    for (let record = 0; record < records; record++) {
      const names = Array.from({ length: NAMES_A_RECORD }, (_, at) => `${LONG}-${first + record}-${at}`);
      await double.sign({
        at: world.clock.now(),
        set: Object.fromEntries(names.map((name) => [name, pair(2)])),
      });
    }
    asked.length = 0;
    world.connect(one.peerId, node.peerId);
    await until(world, () => one.follower.status().voters[0]?.seq === double.records.length - 1);
  };
  await grow(2, 0);
  assert.ok(asked.includes('range') && !asked.includes('object'), 'two deltas are taken as they are');
  const few = Math.ceil(limits.follow.deltaBytes / 850_000) + 1;
  await grow(few, 2);
  assert.ok(asked.includes('object') && asked.includes('bins'), 'the leaves are compared');
  assert.equal(one.follower.status().voters[0]?.names, 1 + (2 + few) * NAMES_A_RECORD);
  assert.equal(serialOf(await one.believes(`${LONG}-${few}-7`)), 2);
  await one.close();
});

test('a map that is wholly another one waits until the others have read as late, and not for ever', async () => {
  const world = createFollowWorld();
  const doubles = [];
  for (const name of ['a.example', 'b.example', 'c.example']) doubles.push(await world.publisher(name));
  const [a, b, c] = doubles as [PublisherDouble, PublisherDouble, PublisherDouble];
  for (const double of [b, c, a]) {
    await double.sign({ at: world.clock.now(), set: { foo: pair(1) } });
    await world.clock.advance(1000);
  }
  const asked: IndexRequest['q'][] = [];
  const nodes = [world.serve(a, 'a.example', counting(asked)), world.serve(b), world.serve(c)];
  const names = nodes.map(({ peerId }) => peerId);
  const changeAll = async (): Promise<void> => {
    asked.length = 0;
    await nodes[0]?.says({ delta: null, ...a.withLeaves(randomBytes(65_536 * 32)) });
    await world.settle(1000);
    await world.clock.advance(limits.follow.retryMax);
    await world.settle(1000);
    assert.ok(asked.includes('object'), 'the leaf hashes are looked at');
    assert.ok(!asked.includes('bins'), 'T rests on what it said before');
  };
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  await changeAll();
  for (const node of nodes.slice(1)) await node.says({});
  await world.settle();
  await world.clock.advance(limits.follow.retryMax);
  // Nothing rests on it any more.
  await until(world, () => asked.includes('bins'));
  await one.close();
});

test('a map that is wholly another one is taken all the same when the others are silent', async () => {
  const world = createFollowWorld();
  const doubles = [];
  for (const name of ['a.example', 'b.example', 'c.example']) doubles.push(await world.publisher(name));
  const [a, b, c] = doubles as [PublisherDouble, PublisherDouble, PublisherDouble];
  for (const double of [b, c, a]) {
    await double.sign({ at: world.clock.now(), set: { foo: pair(1) } });
    await world.clock.advance(1000);
  }
  const asked: IndexRequest['q'][] = [];
  const nodes = [world.serve(a, 'a.example', counting(asked)), world.serve(b), world.serve(c)];
  const one = await world.follower(policyOf(2, doubles), { connected: nodes.map(({ peerId }) => peerId) });
  await world.settle();
  asked.length = 0;
  await nodes[0]?.says({ delta: null, ...a.withLeaves(randomBytes(65_536 * 32)) });
  await world.settle(1000);
  await world.clock.advance(limits.follow.largeWait - limits.follow.retryMax);
  await world.settle(1000);
  assert.ok(asked.includes('object') && !asked.includes('bins'));
  await world.clock.advance(2 * limits.follow.retryMax);
  await until(world, () => asked.includes('bins'));
  await one.close();
});
