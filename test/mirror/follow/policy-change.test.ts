/** A policy that becomes another one while the node runs, or between two runs of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../../src/core/log/policy.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { FollowStates } from '../../../src/mirror/follow/follow-state.ts';
import { createFollower } from '../../../src/mirror/follow/follower.ts';
import type { IndexHandler } from '../../../src/network/index-channel.ts';
import { signerOf } from '../../core/log/arbitraries.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

const MINUTE = 60_000;
const foo = parseProjectName('foo');

test('publishers that both policies name are believed at once, with nobody in reach', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await nodes[0].says({ set: { bar: pair(2) }, stale: ['quux'] });
  await nodes[1].says({ set: { bar: pair(2) } });
  await world.settle();
  for (const name of names) world.disconnect(one.peerId, name);
  const before = one.follower.version();
  await one.follower.change(policyOf(2, doubles.slice(0, 2)));
  const { ready, voters } = one.follower.status();
  assert.deepEqual([ready, voters.map(({ seq }) => seq)], [true, [1, 1]]);
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(serialOf(await one.believes('bar')), 2);
  assert.equal(serialOf(await one.believes('none')), 'absent');
  assert.equal(serialOf(await one.believes('quux')), 'unknown', 'its lists came along');
  assert.notEqual(one.follower.version(), before);
  assert.equal(one.follower.policyChanges(), 1);
  await one.close();
});

test('they are followed on: what they sign after the change counts, and the one that was voted out is not heard', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  await one.follower.change(policyOf(1, doubles.slice(0, 1)));
  await nodes[1].says({ set: { foo: pair(8) } });
  await nodes[2].says({ set: { foo: pair(8) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  await nodes[0].says({ set: { foo: pair(5) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 5);
  assert.deepEqual(one.maps.views().length, 1, 'the maps of the others are given up');
  await one.close();
});

test('what a publisher helped to decide is nothing once it is voted out, and without k votes a name is unknown', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  for (const node of nodes.slice(0, 2)) await node.says({ set: { foo: pair(1_000, 'evil') } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1_000);
  const fourth = await world.publisher('d.example');
  await fourth.sign({ at: world.clock.now(), set: { foo: pair(1) } });
  const served = world.serve(fourth);
  await one.follower.change(policyOf(2, [doubles[0], doubles[2], fourth]));
  assert.equal(serialOf(await one.believes('foo')), 'unknown');
  world.connect(one.peerId, served.peerId);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('coming back to a policy, it is worked out anew from what its publishers say now', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const first = policyOf(2, doubles);
  const one = await world.follower(first, { connected: names });
  await world.settle();
  await one.follower.change(policyOf(2, doubles.slice(1)));
  for (const node of nodes) await node.says({ set: { foo: pair(4) } });
  await world.settle();
  await one.follower.change(first);
  assert.equal(serialOf(await one.believes('foo')), 4);
  await world.settle();
  assert.deepEqual(
    one.follower.status().voters.map(({ size }) => size),
    [2, 2, 2],
  );
  assert.deepEqual(one.refused(), {});
  await one.close();
});

test('a log that was followed before cannot begin a second time after its publisher was out of the policy', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await nodes[0].says({ set: { foo: pair(2) } });
  await world.settle();
  await one.follower.change(policyOf(2, doubles.slice(1)));
  const forked = await doubles[0].fork(1);
  world.disconnect(one.peerId, doubles[0].name);
  world.connect(one.peerId, world.serve(forked, 'liar').peerId);
  await one.follower.change(policyOf(1, doubles));
  await forked.sign({ at: world.clock.now(), set: { foo: pair(9) } });
  await nodes[1].index.publish(forked.announcement());
  await world.settle();
  assert.deepEqual(
    one.follower.status().misconduct.map(({ kind }) => kind),
    ['fork'],
  );
  await one.close();
});

test('an override counts at once and changes nothing of what is believed', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  const retractions = [{ subject: foo, reason: 'malware', since: world.clock.now() }];
  await nodes[0].says({ set: { foo: pair(5) }, record: { retractions } });
  await nodes[1].says({ set: { foo: pair(5) } });
  await world.settle();
  // Two said 5, and have gone on since, each to a page of its own: only what is kept knows.
  await nodes[0].says({ set: { foo: pair(6) }, record: { retractions } });
  await nodes[1].says({ set: { foo: pair(7) } });
  await world.settle();
  const before = await one.believes('foo');
  assert.equal(serialOf(before), 5);
  assert.equal(one.follower.retracted(foo), true);
  await one.follower.change({ ...policy, overrides: [foo] });
  assert.equal(one.follower.retracted(foo), false);
  assert.deepEqual(await one.believes('foo'), before);
  await one.follower.change(policy);
  assert.equal(one.follower.retracted(foo), true);
  await one.close();
});

test('retractions of a publisher that stays go on under the new policy', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  const retractions = [{ subject: foo, reason: 'malware', since: world.clock.now() }];
  await nodes[0].says({ record: { retractions } });
  await world.settle();
  for (const name of names) world.disconnect(one.peerId, name);
  await one.follower.change(policyOf(1, doubles.slice(0, 1)));
  assert.equal(one.follower.retraction(foo)?.reason, 'malware');
  await one.follower.change(policyOf(1, doubles.slice(1)));
  assert.equal(one.follower.retracted(foo), false);
  await one.close();
});

test('the next key in place of the old one goes on with its log; another key of that name begins one', async () => {
  const next = signerOf('a.example', 78);
  const stranger = signerOf('a.example', 79);
  const withKey = (policy: Policy, { key }: typeof next): Policy => {
    const [first, ...others] = policy.publishers;
    assert.ok(first);
    return { ...policy, publishers: [{ ...first, key }, ...others] };
  };
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await nodes[0].says({ record: { successor: next.key.text } });
  await world.settle();
  for (const name of names) world.disconnect(one.peerId, name);
  // What was named outlives other changes.
  await one.follower.change({ ...policy, k: 3 });
  assert.equal(one.follower.status().voters[0]?.successor, next.key.text);
  await one.follower.change(withKey(policy, next));
  assert.deepEqual(
    one.follower.status().voters.map(({ size }) => size),
    [2, 1, 1],
  );
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.follower.change(withKey(policy, stranger));
  assert.deepEqual(
    one.follower.status().voters.map(({ size, seq }) => [size, seq]),
    [
      [0, undefined],
      [1, 0],
      [1, 0],
    ],
  );
  await one.close();
});

test('a question that is under way while the policy changes is answered by the new one', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  await nodes[1].says({ set: { foo: pair(2) } });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const asked = one.follower.believe(foo);
  const changing = one.follower.change({ k: 0, publishers: [] });
  const during = one.follower.believe(foo);
  await world.settle();
  await changing;
  assert.deepEqual([(await asked).kind, (await during).kind], ['unknown', 'unknown']);
  assert.equal(one.follower.status().ready, false);
  // A reading that came meanwhile is not lost.
  const back = one.follower.change(policyOf(2, doubles.slice(0, 2)));
  const reading = one.follower.ownReading(foo, pair(1), world.clock.now());
  await world.settle();
  await Promise.all([back, reading]);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('a question to peers that never ends does not keep the policy from changing', async () => {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const silent = world.serve(
    doubles[0],
    'silent',
    (): IndexHandler => (_peer, _request, signal) => never(signal),
  );
  const one = await world.follower(policyOf(2, doubles), { connected: [silent.peerId] });
  await world.settle();
  const asked = one.follower.believe(foo);
  await world.settle();
  await one.follower.change(policyOf(2, doubles.slice(0, 2)));
  await one.follower.change({ k: 0, publishers: [] });
  assert.equal((await asked).kind, 'unknown');
  await one.close();
});

async function* never(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  await new Promise((_, reject) => signal.addEventListener('abort', reject));
  yield new Uint8Array();
}

test('killed at any write of a change, the node goes on under either policy as if nothing had been', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const before = policyOf(2, doubles);
  const after = policyOf(2, doubles.slice(1));
  for (let writes = 0, killed = true; killed; writes++) {
    for (const policy of [before, after]) {
      const one = await world.follower(before, { connected: names, peerId: `${writes} ${policy === after}` });
      await world.settle();
      await nodes[1].says({ set: { foo: pair(2 + writes) } });
      await nodes[2].says({ set: { foo: pair(2 + writes) } });
      await world.settle();
      const serial = serialOf(await one.believes('foo'));
      await one.close();
      const states = failingAfter(one.states, writes);
      const kept = { maps: one.maps, states };
      killed = await createdAndClosed(
        world.follower(after, { ...kept, peerId: `${writes} killed ${policy === after}` }),
      );
      const again = await world.follower(policy, {
        maps: one.maps,
        states: one.states,
        peerId: `${writes} again ${policy === after}`,
      });
      assert.equal(serialOf(await again.believes('foo')), serial, `${writes} writes`);
      assert.equal(again.follower.status().ready, true);
      await again.close();
      await world.clock.advance(MINUTE);
    }
  }
});

/** As if the process had died after so many writes. */
function failingAfter(states: FollowStates, writes: number): FollowStates {
  let left = writes;
  return {
    scope(name) {
      const scope = states.scope(name);
      return {
        get: (key) => scope.get(key),
        entries: (prefix) => scope.entries(prefix),
        async write(all) {
          if (left-- <= 0) throw new Error('killed');
          await scope.write(all);
        },
      };
    },
  };
}

async function createdAndClosed(
  created: ReturnType<ReturnType<typeof createFollowWorld>['follower']>,
): Promise<boolean> {
  try {
    await (await created).close();
    return false;
  } catch (error) {
    assert.match((error as Error).message, /killed/);
    return true;
  }
}

test('what another policy decided does not stay on the disk', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await nodes[0].says({ set: { foo: pair(6) } });
  await nodes[1].says({ set: { foo: pair(7) } });
  await world.settle();
  const left: string[] = [];
  const scopes = new Map<string, ReturnType<FollowStates['scope']>>();
  const spied: FollowStates = {
    scope(name) {
      const scope = one.states.scope(name);
      scopes.set(name, scope);
      return scope;
    },
  };
  await one.close();
  const facts = one.facts;
  const deps = { clock: world.clock, facts, channel: one.index, maps: one.maps, states: spied };
  const randomness = { bytes: (length: number) => new Uint8Array(length), float: () => 0.5 };
  const options = { upstream: 'https://pypi.example/simple/' };
  await using again = await createFollower(
    { ...deps, randomness },
    { ...options, policy: policyOf(2, doubles) },
  );
  const [old] = [...scopes.keys()].filter((name) => name !== 'node');
  await again[Symbol.asyncDispose]();
  await using changed = await createFollower(
    { ...deps, randomness },
    { ...options, policy: policyOf(1, doubles) },
  );
  assert.ok(old !== undefined && changed.status().k === 1);
  for await (const [key] of one.states.scope(old).entries('')) left.push(key.split('/')[0] as string);
  assert.deepEqual([...new Set(left)], []);
});
