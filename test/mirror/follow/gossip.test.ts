import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFollowWorld, policyOf, serialOf, threePublishers, type TestFollower } from './follow-world.ts';
import { pair } from './publisher-double.ts';

function verdicts(one: TestFollower): unknown[] {
  return one.told
    .filter(({ name }) => name === 'index:message-received')
    .map(({ fact }) => 'verdict' in fact && fact.verdict);
}

test('heads of one log are passed on at most every 5 s, and used all the same', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  for (const serial of [2, 3]) {
    for (const node of nodes.slice(0, 2)) await node.says({ set: { foo: pair(serial) } });
    await world.settle();
    await world.clock.advance(1_000);
  }
  assert.deepEqual(verdicts(one), ['accept', 'accept', 'ignore', 'ignore']);
  assert.equal(serialOf(await one.believes('foo')), 3);
  await world.clock.advance(5_000);
  await nodes[0].says({});
  await world.settle();
  assert.equal(verdicts(one).at(-1), 'accept');
  await one.close();
});

test('noise, and a head with a second signature, are rejected; a head that is known is dropped', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  await nodes[0].index.publish(Buffer.from('noise'));
  await nodes[0].index.publish(doubles[0].announcement());
  const { decodeAnnouncement, encodeAnnouncement } = await import('../../../src/core/log/announcement.ts');
  const { formatNote, parseNote } = await import('../../../src/core/log/note.ts');
  const head = decodeAnnouncement(await doubles[0].sign({ at: world.clock.now() }));
  const { text, signatures } = parseNote(head.checkpoint);
  const [signature] = signatures;
  assert.ok(signature);
  const twice = formatNote({ text, signatures: [signature, { ...signature, name: 'other.example' }] });
  await nodes[0].index.publish(encodeAnnouncement({ ...head, checkpoint: twice }));
  await world.settle();
  assert.deepEqual(verdicts(one), ['reject', 'ignore', 'reject']);
  assert.deepEqual(Object.keys(one.refused()).sort(), ['ANNOUNCEMENT_MALFORMED', 'NOTE_EXTRA_SIGNATURE']);
  await one.close();
});

test('who sent what cannot be right is not asked for ten minutes', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const asked: number[] = [];
  const liar = world.serve(
    doubles[2],
    'liar',
    () =>
      async function* () {
        asked.push(world.clock.now());
        yield Buffer.from([0xff, 0xff, 0xff, 0xff]);
      },
  );
  const one = await world.follower(policyOf(2, doubles), { connected: [...names.slice(0, 2), liar.peerId] });
  await world.settle();
  assert.equal(one.refused()['MESSAGE_TOO_LARGE'], 1);
  const first = asked.length;
  await world.clock.advance(9 * 60_000);
  assert.equal(asked.length, first);
  await world.clock.advance(2 * 60_000);
  assert.ok(asked.length > first);
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(nodes.length, 3);
  await one.close();
});

test('a head that gossip lost is there after one round', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  for (const double of doubles) await double.sign({ at: world.clock.now(), set: { foo: pair(2) } });
  await world.clock.advance(30_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('closing a follower leaves no timer and no work behind', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.clock.advance(100);
  await one.close();
  await one.follower[Symbol.asyncDispose]();
  assert.equal(world.clock.pending, 0);
});
