/** What outlives time: forks, restarts, cuts, catching up, bundles, rotation, retractions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimsMisconduct } from '../../../src/core/index-messages/index-answers.ts';
import { decodeIndexRequest } from '../../../src/core/index-messages/index-request.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { IndexHandler } from '../../../src/network/index-channel.ts';
import { signerOf } from '../../core/log/arbitraries.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

const MINUTE = 60_000;

test('a forked log is exposed: its proof is kept, gossiped once and shown, and the voter counts no more', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  const two = await world.follower(policy, { connected: [one.peerId] });
  await world.settle();
  const forked = await doubles[0].fork(1);
  const liar = world.serve(forked, 'liar');
  await nodes[0].says({ set: { foo: pair(2) } });
  await world.settle();
  world.connect(one.peerId, liar.peerId);
  await forked.sign({ at: world.clock.now(), set: { foo: pair(3) } });
  await liar.index.publish(forked.announcement());
  await world.settle();
  for (const { follower } of [one, two]) {
    const status = follower.status();
    assert.deepEqual(
      status.misconduct.map(({ origin, kind }) => [origin, kind]),
      [['a.example', 'fork']],
    );
    assert.equal(status.voters[0]?.excluded, true);
  }
  assert.equal(one.told.filter(({ name }) => name === 'misconduct:proven').length, 1);
  const proofs = two.told.filter(
    ({ name, fact }) => name === 'index:message-received' && 'verdict' in fact && fact.verdict === 'accept',
  );
  assert.ok(proofs.length >= 1);
  assert.equal(claimsMisconduct(doubles[0].announcement()), false);
  // What it said before counts no more either.
  await nodes[1].says({ set: { foo: pair(2) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  // The two others go on.
  for (const node of nodes.slice(1)) await node.says({ set: { foo: pair(4) } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 4);
  // Its neighbour passes a log's heads on every 5 s only: the next round tells.
  await world.clock.advance(30_000);
  await world.settle();
  assert.equal(serialOf(await two.believes('foo')), 4);
  await one.close();
  await two.close();
});

test('a log that grew on a rewritten past is exposed by two leaves at one index', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await nodes[0].says({ set: { foo: pair(2) } });
  await world.settle();
  const restored = await doubles[0].fork(1);
  await world.clock.advance(MINUTE);
  for (const serial of [3, 4]) await restored.sign({ at: world.clock.now(), set: { foo: pair(serial) } });
  world.disconnect(one.peerId, doubles[0].name);
  world.serve(restored, 'backup');
  world.connect(one.peerId, 'backup');
  await world.clock.advance(MINUTE);
  await world.settle();
  assert.deepEqual(
    one.follower.status().misconduct.map(({ kind }) => kind),
    ['rewrite'],
  );
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('misconduct is remembered under another policy that names the key, until a person pardons it', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const forked = await doubles[0].fork(1);
  await nodes[0].says({});
  await world.settle();
  await nodes[1].index.publish(await forked.sign({ at: world.clock.now(), set: { foo: pair(9) } }));
  await world.settle();
  const [proof] = one.follower.status().misconduct;
  assert.ok(proof);
  await one.close();
  const kept = { states: one.states, maps: one.maps, connected: names };
  const other = await world.follower(policyOf(1, doubles), { ...kept, peerId: 'other' });
  assert.equal(other.follower.status().voters[0]?.excluded, true);
  await other.close();
  const forgiving = { ...policyOf(1, doubles), pardons: [proof.digest] };
  const pardoned = await world.follower(forgiving, { ...kept, peerId: 'pardoned' });
  assert.equal(pardoned.follower.status().voters[0]?.excluded, false);
  await pardoned.close();
});

test('a restart never goes backwards and needs nobody', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1), bar: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  await world.clock.advance(MINUTE);
  await nodes[0].says({ set: { foo: pair(5) } });
  await nodes[1].says({ set: { foo: pair(5) }, del: ['bar'] });
  await world.settle();
  // Two said 5, and have gone on since, each to a page of its own: only what is kept knows. `bar` is pending.
  await nodes[0].says({ set: { foo: pair(6) } });
  await nodes[1].says({ set: { foo: pair(7) } });
  await world.settle();
  const before = [await one.believes('foo'), await one.believes('bar')];
  assert.equal(before[0] && serialOf(before[0]), 5);
  const version = one.follower.version();
  await one.close();
  const again = await world.follower(policy, { peerId: 'again', states: one.states, maps: one.maps });
  assert.deepEqual([await again.believes('foo'), await again.believes('bar')], before);
  assert.equal(again.follower.status().voters[0]?.size, 3);
  assert.equal(again.follower.status().ready, true);
  assert.notEqual(version, '');
  // An old head of the log, told by whoever has nothing newer, is old still.
  const replay = world.serve(await doubles[0].fork(1), 'replay');
  world.connect('again', 'replay');
  await replay.index.publish(doubles[0].announcement(1));
  await world.settle();
  assert.deepEqual([await again.believes('foo'), await again.believes('bar')], before);
  assert.equal(again.refused()['CHECKPOINT_REPLAYED'], 1);
  await again.close();
});

test('a kill between what was written and the map’s change costs nothing', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  // From here on no map changes: as if the process had died before each commit.
  for (const view of one.maps.views()) {
    const map = one.maps.view(view);
    const stage = map.stage.bind(map);
    map.stage = async (...args) => ({ ...(await stage(...args)), commit: async () => {} });
  }
  for (const node of nodes) await node.says({ set: { foo: pair(2) } });
  await world.settle();
  await one.close();
  for (const view of one.maps.views()) delete (one.maps.view(view) as { stage?: unknown }).stage;
  const again = await world.follower(policy, { peerId: 'again', states: one.states, maps: one.maps });
  assert.equal(serialOf(await again.believes('foo')), 2);
  assert.deepEqual(
    again.follower.status().voters.map(({ seq }) => seq),
    [1, 1, 1],
  );
  for (const view of one.maps.views())
    assert.equal(one.maps.view(view).root(), doubles[0].records[1]?.mapRoot);
  await again.close();
});

test('a new node has the whole index from one follower, after the publishers are gone', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1), bar: pair(2) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  for (const node of nodes) await node.says({ set: { foo: pair(3) }, stale: ['quux'] });
  await world.settle();
  for (const name of names) world.disconnect(one.peerId, name);
  const two = await world.follower(policy, { connected: [one.peerId] });
  await world.settle();
  assert.equal(serialOf(await two.believes('foo')), 3);
  assert.equal(serialOf(await two.believes('bar')), 2);
  assert.equal(serialOf(await two.believes('none')), 'absent');
  assert.equal(serialOf(await two.believes('quux')), 'unknown');
  await one.close();
  await two.close();
});

test('two groups cut apart for an hour and healed converge in one round, and ages never lie', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const left = await world.follower(policy, { connected: [names[0] as string] });
  const right = await world.follower(policy, { connected: [names[1] as string, names[2] as string] });
  world.connect(left.peerId, right.peerId);
  await world.settle();
  assert.equal(serialOf(await left.believes('foo')), 1);
  world.disconnect(left.peerId, right.peerId);
  for (let minute = 1; minute <= 60; minute++) {
    await world.clock.advance(MINUTE);
    for (const node of nodes) await node.says({ set: { foo: pair(1 + minute) } });
    await world.settle(4);
    if (minute % 20 !== 0) continue;
    const cut = await left.believes('foo');
    // What two have said together is as old as the cut, whatever the one that is seen says now.
    assert.equal(serialOf(cut), 1);
    assert.ok(cut.kind === 'page' && left.follower.now() - cut.since >= minute * MINUTE);
  }
  const good = await right.believes('foo');
  assert.equal(serialOf(good), 61);
  world.connect(left.peerId, right.peerId);
  await world.clock.advance(30_000);
  await world.settle();
  assert.deepEqual(await left.believes('foo'), await right.believes('foo'));
  assert.equal(serialOf(await left.believes('foo')), 61);
  await left.close();
  await right.close();
});

test('a node that was away for longer than records are kept compares leaf hashes', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const far = await world.follower(policy, { connected: names });
  const one = await world.follower(policy, { connected: [far.peerId] });
  await world.settle();
  world.disconnect(one.peerId, far.peerId);
  for (let day = 1; day <= 3; day++) {
    world.clock.jump(26 * 60 * MINUTE);
    for (const node of nodes) await node.says({ set: { foo: pair(day + 1) } });
    await world.settle();
  }
  for (const name of names) world.disconnect(far.peerId, name);
  world.connect(one.peerId, far.peerId);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 4);
  assert.deepEqual(one.refused(), {});
  await one.close();
  await far.close();
});

test('a new node that joins while a project is pending believes it through bundles', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  // Each sees the busy project at another moment: their newest maps never agree.
  for (const [serial, which] of [
    [2, 0],
    [2, 1],
    [3, 1],
    [4, 2],
  ] as const) {
    await world.clock.advance(5_000);
    await nodes[which]?.says({ set: { foo: pair(serial) } });
    await world.settle();
  }
  assert.equal(serialOf(await one.believes('foo')), 2);
  const asked: string[] = [];
  const two = await world.follower(policy, { connected: [] });
  const spied = two.index.request.bind(two.index);
  two.index.request = (peer, request, options) => {
    asked.push(Buffer.from(request).toString('latin1'));
    return spied(peer, request, options);
  };
  world.connect(two.peerId, one.peerId);
  await world.settle();
  assert.equal(serialOf(await two.believes('foo')), 2);
  // Promise 9.
  assert.ok(asked.some((request) => request.includes('bundles')));
  assert.ok(asked.every((request) => !request.includes('foo')));
  await one.close();
  await two.close();
});

test('a peer that comes after a name was asked for in vain is asked at once', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  const two = await world.follower(policy, { connected: [] });
  assert.equal(serialOf(await two.believes('foo')), 'unknown');
  const idle = await world.follower(policy, { connected: [] });
  world.connect(two.peerId, idle.peerId);
  assert.equal(serialOf(await two.believes('foo')), 'unknown');
  let asked = 0;
  const spied = two.index.request.bind(two.index);
  two.index.request = (peer, request, options) => {
    if (decodeIndexRequest(request).q !== 'bundles') return stalled();
    if (peer === idle.peerId) asked++;
    return spied(peer, request, options);
  };
  world.connect(two.peerId, one.peerId);
  assert.equal(serialOf(await two.believes('foo')), 1);
  // The one that had none rests.
  assert.equal(asked, 0);
  for (const { close } of [two, idle, one]) await close();
});

/** No map comes. */
async function* stalled(): AsyncGenerator<Uint8Array> {}

test('absence from a half-imported map is unknown, not absent', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, {});
  for (const node of nodes)
    await node.publisher.sign({ at: world.clock.now(), set: { foo: pair(1) }, record: { complete: false } });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(serialOf(await one.believes('bar')), 'unknown');
  await nodes[0].says({});
  await nodes[1].says({});
  await world.settle();
  assert.equal(serialOf(await one.believes('bar')), 'absent');
  await one.close();
});

test('a colluding publisher that is voted out leaves nothing behind', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  for (const node of nodes.slice(0, 2)) await node.says({ set: { foo: pair(1_000, 'evil') } });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1_000);
  await one.close();
  const fourth = await world.publisher('d.example');
  world.serve(fourth);
  await fourth.sign({ at: world.clock.now(), set: { foo: pair(1) } });
  const policy = policyOf(2, [doubles[0], doubles[2], fourth]);
  const kept = { states: one.states, maps: one.maps, peerId: 'again' };
  const again = await world.follower(policy, { ...kept, connected: [...names, 'd.example'] });
  await world.settle();
  assert.equal(serialOf(await again.believes('foo')), 1);
  await again.close();
});

test('a node whose clock is a day behind says so and computes no young age; one a day ahead takes everything', async () => {
  const world = createFollowWorld();
  world.clock.jump(-24 * 60 * MINUTE);
  const now = world.clock.now() + 24 * 60 * MINUTE;
  const doubles = [await world.publisher('a.example'), await world.publisher('b.example')];
  const names = doubles.map((double) => world.serve(double).peerId);
  for (const double of doubles) await double.sign({ at: now - 60 * MINUTE, set: { foo: pair(1) } });
  for (const double of doubles) await double.sign({ at: now, set: { foo: pair(1) } });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  assert.equal(one.follower.status().clock, 'behind');
  await world.clock.advance(31_000);
  assert.match(one.follower.status().alarms.join(), /clock/);
  assert.equal(serialOf(await one.believes('foo')), 'unknown');
  assert.ok(one.follower.now() >= now);
  await one.close();

  world.clock.jump(48 * 60 * MINUTE);
  const two = await world.follower(policy, { connected: names });
  await world.settle();
  const foo = await two.believes('foo');
  assert.equal(serialOf(foo), 1);
  assert.ok(foo.kind === 'page' && two.follower.now() - foo.since >= 24 * 60 * MINUTE);
  // Set right again: nothing becomes younger than it was.
  const told = two.follower.now();
  world.clock.jump(-24 * 60 * MINUTE);
  assert.equal(two.follower.now(), told);
  await two.close();
  const again = await world.follower(policy, { states: two.states, maps: two.maps, peerId: 'again' });
  assert.equal(again.follower.now(), told);
  await again.close();
});

test('what arrived before a connection broke is not asked for again', async () => {
  const world = createFollowWorld();
  const set = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`project-${i}`, pair(i)]));
  const { doubles } = await threePublishers(world, set);
  const sent: number[] = [];
  let breaks = 2;
  const breaking = (handler: IndexHandler): IndexHandler =>
    async function* (peer, request, signal) {
      if (decodeIndexRequest(request).q !== 'bins') return yield* handler(peer, request, signal);
      let bytes = 0;
      for await (const chunk of handler(peer, request, signal)) {
        bytes += chunk.length;
        yield chunk;
        if (breaks-- > 0) throw new Error('cut');
      }
      sent.push(bytes);
    };
  const node = world.serve(doubles[0], 'breaking', breaking);
  const one = await world.follower(policyOf(1, doubles.slice(0, 1)), { connected: [node.peerId] });
  await world.settle();
  await world.clock.advance(5_000);
  await world.until(() => sent.length > 0);
  await world.settle();
  assert.equal(serialOf(await one.believes('project-2999')), 2_999);
  // 3,000 entries are some 150 KB; two chunks of 64 KiB had come.
  assert.ok((sent.at(-1) as number) < 60_000, `${sent.at(-1)} bytes`);
  await one.close();
});

test('a stolen key that rotates first costs its slot, as two successors are misconduct', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const [thief, owner] = [signerOf('a.example', 77), signerOf('a.example', 78)];
  await nodes[0].says({ record: { successor: thief.key.text } });
  await world.clock.advance(MINUTE);
  await nodes[0].says({ set: { foo: pair(66) }, signer: thief, record: { successor: thief.key.text } });
  await world.settle();
  // One slot still: neither key adds a vote.
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(one.follower.status().voters[0]?.seq, 2);
  await world.clock.advance(MINUTE);
  await nodes[0].says({ record: { successor: owner.key.text } });
  await world.settle();
  assert.deepEqual(
    one.follower.status().misconduct.map(({ kind }) => kind),
    ['successors'],
  );
  assert.equal(one.follower.status().voters[0]?.excluded, true);
  await one.close();
});

test('retractions of everything by one voter are ignored loudly; one is in force for a day', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  const since = world.clock.now();
  const retract = (subjects: readonly string[]) => ({
    retractions: subjects.map((subject) => ({
      subject: parseProjectName(subject),
      reason: 'malware',
      since,
    })),
  });
  await nodes[0].says({ record: retract(['foo']) });
  await world.settle();
  const foo = parseProjectName('foo');
  assert.equal(one.follower.retracted(foo), true);
  await one.close();
  const again = await world.follower(policy, {
    states: one.states,
    maps: one.maps,
    peerId: 'again',
    connected: names,
  });
  assert.equal(again.follower.retracted(foo), true);
  const all = Array.from({ length: 33 }, (_, i) => `p${String(i).padStart(2, '0')}`);
  await nodes[1].says({ record: retract(all) });
  await world.settle();
  assert.equal(again.follower.retracted(parseProjectName('p00')), false);
  assert.match(again.follower.status().alarms.join(), /retracts 33/);
  world.clock.jump(24 * 60 * MINUTE);
  assert.equal(again.follower.retracted(foo), false);
  await again.close();
});

test('this node’s own reading fills one slot, and ages', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  await world.clock.advance(MINUTE);
  await nodes[0].says({ set: { foo: pair(2) } });
  await world.settle();
  const at = world.clock.now();
  await one.follower.ownReading(parseProjectName('foo'), pair(2), at);
  const foo = await one.believes('foo');
  assert.deepEqual(foo.kind === 'page' && [foo.serial, foo.since], [2, at]);
  await one.close();
});

test('a node’s own publisher is followed without a network', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { own: doubles[0], connected: names.slice(1, 2) });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  await doubles[0].sign({ at: world.clock.now(), set: { bar: pair(3) } });
  await world.settle();
  assert.equal(one.follower.status().voters[0]?.seq, 1);
  await one.close();
});

test('a head that no peer tells comes from the DHT', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  await world.clock.advance(15 * MINUTE);
  await world.settle();
  const log = doubles[0].signer.key;
  const { headValueKey } = await import('../../../src/core/log/head-value.ts');
  const found: Uint8Array[] = [];
  for await (const value of one.index.getValue(headValueKey(log))) found.push(value);
  assert.equal(found.length, 1);
  await one.close();
});
