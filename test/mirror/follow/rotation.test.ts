/** A publisher that changes its key: its followers go on, whoever heard what when. Both keys are one vote. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/core/limits.ts';
import type { Policy } from '../../../src/core/log/policy.ts';
import { signerOf } from '../../core/log/arbitraries.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const next = signerOf('a.example', 78);
const named = { record: { successor: next.key.text } };

test('followers carry over to the next key without an edit, and the old one counts no more after its week', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  await nodes[0].says(named);
  await world.settle();
  assert.equal(one.follower.status().voters[0]?.successor, next.key.text);
  assert.match(one.follower.status().alarms.join(), /names a new key.*fondue trust replace/);
  world.clock.jump(limits.belief.rotation + HOUR);
  // Whoever has the old key now says nothing that is heard.
  const size = one.follower.status().voters[0]?.size;
  await nodes[0].says({ set: { foo: pair(6) }, ...named });
  await world.settle();
  assert.equal(one.follower.status().voters[0]?.size, size);
  await world.clock.advance(10_000);
  await nodes[0].says({ set: { foo: pair(7) }, signer: next });
  await nodes[1].says({ set: { foo: pair(7) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 7);
  assert.deepEqual(one.follower.status().misconduct, []);
  await one.close();
  const again = await world.follower(policyOf(2, doubles), {
    states: one.states,
    maps: one.maps,
    connected: names,
  });
  await nodes[0].says({ set: { foo: pair(8) }, signer: next });
  await nodes[1].says({ set: { foo: pair(8) } });
  await world.settle();
  assert.equal(serialOf(await again.believes('foo')), 8, 'what was named is kept over a restart');
  await again.close();
});

test('a second change follows the first: the key that took over names its own successor', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  await nodes[0].says(named);
  await world.settle();
  world.clock.jump(limits.belief.rotation + HOUR);
  const third = signerOf('a.example', 79);
  await nodes[0].says({ signer: next, record: { successor: third.key.text } });
  await world.settle();
  await world.clock.advance(10_000);
  await nodes[0].says({ set: { foo: pair(3) }, signer: third, record: { successor: third.key.text } });
  await nodes[1].says({ set: { foo: pair(3) } });
  await world.settle();
  assert.deepEqual(one.follower.status().misconduct, []);
  assert.equal(one.follower.status().voters[0]?.successor, third.key.text);
  assert.equal(serialOf(await one.believes('foo')), 3);
  await one.close();
});

test('a policy that has the next key already is told nothing of it', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(withNextKey(policyOf(2, doubles)), { connected: names });
  await nodes[0].says({ set: { foo: pair(2) }, signer: next, ...named });
  await nodes[1].says({ set: { foo: pair(2) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  assert.deepEqual(one.follower.status().alarms, []);
  await one.close();
});

function withNextKey(policy: Policy): Policy {
  const [first, ...others] = policy.publishers;
  assert.ok(first);
  return { ...policy, publishers: [{ ...first, key: next.key }, ...others] };
}

test('heads of both keys are passed on, and told to who asks: a policy may name either', async () => {
  const world = createFollowWorld();
  const { doubles, nodes } = await threePublishers(world, { foo: pair(1) });
  const [a, b] = nodes;
  const policy = policyOf(2, doubles);
  const old = await world.follower(policy, { connected: [a.peerId, b.peerId] });
  // They know nobody but the follower of the old key.
  const renewed = await world.follower(withNextKey(policy), { connected: [old.peerId] });
  await world.settle();
  await a.index.publish(await doubles[0].sign({ at: world.clock.now(), set: { foo: pair(2) }, ...named }));
  await world.settle();
  await a.index.publish(doubles[0].cosigned(next));
  await world.settle();
  assert.equal(renewed.follower.status().voters[0]?.size, 2, 'by gossip');
  const late = await world.follower(withNextKey(policy), { connected: [old.peerId] });
  await world.settle();
  assert.equal(late.follower.status().voters[0]?.size, 2, 'asked for');
  for (const one of [old, renewed, late]) await one.close();
});

test('who was away for longer finds the next key through the old one’s last head, at any follower', async () => {
  const world = createFollowWorld();
  const { doubles, nodes } = await threePublishers(world, { foo: pair(1) });
  const [a, b] = nodes;
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: [a.peerId, b.peerId] });
  await world.settle();
  // A map that b never had.
  await a.says({ set: { bar: pair(1) }, ...named });
  await world.settle();
  world.clock.jump(limits.belief.rotation + HOUR);
  // So many that nobody can make the map of the old key's last record any more.
  for (let serial = 2; serial < 2 + limits.follow.leavesKept + 4; serial++) {
    await world.clock.advance(6_000);
    await a.says({ signer: next, set: { foo: pair(serial) } });
    await b.says({ set: { foo: pair(serial) } });
    await world.settle();
  }
  const newest = serialOf(await one.believes('foo'));
  await one.close();
  const again = await world.follower(policy, {
    peerId: 'again',
    states: one.states,
    maps: one.maps,
    connected: [b.peerId],
  });
  await world.settle();
  const away = await world.follower(policy, { connected: ['again', b.peerId] });
  await world.clock.advance(2 * MINUTE);
  await world.settle();
  assert.equal(away.follower.status().voters[0]?.successor, next.key.text);
  assert.equal(newest, 1 + limits.follow.leavesKept + 4);
  assert.equal(serialOf(await away.believes('foo')), newest);
  for (const other of [again, away]) await other.close();
});
