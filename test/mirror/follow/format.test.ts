import assert from 'node:assert/strict';
import test from 'node:test';
import { createFollowWorld, policyOf, serialOf } from './follow-world.ts';
import { pair, type PublisherDouble } from './publisher-double.ts';

type World = ReturnType<typeof createFollowWorld>;

/** Publishers whose first record is made from these formats, each on a node of its own. */
async function publishers(world: World, formats: readonly ('json' | 'html')[]) {
  const doubles: PublisherDouble[] = [];
  for (const [at, format] of formats.entries()) {
    const double = await world.publisher(`${'abc'[at]}.example`);
    await double.sign({ at: world.clock.now(), set: { foo: pair(1) }, record: { format } });
    doubles.push(double);
  }
  return { doubles, nodes: doubles.map((double) => world.serve(double)) };
}

test('publishers of an upstream that has HTML only are believed, and what they sign is said to be HTML', async () => {
  const world = createFollowWorld();
  const { doubles } = await publishers(world, ['html', 'html', 'html']);
  const one = await world.follower(policyOf(2, doubles), { connected: doubles.map(({ name }) => name) });
  await world.settle();
  const belief = await one.believes('foo');
  assert.equal(belief.kind === 'page' && belief.format, 'html');
  assert.equal(one.follower.source?.()?.format, 'html');
  assert.deepEqual(
    one.follower.status().voters.map(({ noVote }) => noVote),
    [undefined, undefined, undefined],
  );
  await one.close();
});

test('the format is that of k publishers: another one is no vote, whoever is heard first', async () => {
  const world = createFollowWorld();
  const { doubles, nodes } = await publishers(world, ['json', 'html', 'html']);
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: ['a.example'] });
  await world.settle();
  assert.equal(one.follower.source?.(), undefined, 'one publisher decides nothing');
  assert.equal((await one.believes('foo')).kind, 'unknown');
  for (const { peerId } of nodes) world.connect(one.peerId, peerId);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  assert.equal(one.follower.source?.()?.format, 'html');
  assert.match(one.follower.status().voters[0]?.noVote ?? '', /made from json/);
  await one.close();
});

test('what was decided stays, though k publishers sign the other format later, and after a restart', async () => {
  const world = createFollowWorld();
  const { doubles, nodes } = await publishers(world, ['html', 'html', 'json']);
  const policy = policyOf(2, doubles);
  const one = await world.follower(policy, { connected: doubles.map(({ name }) => name) });
  await world.settle();
  await world.clock.advance(60_000);
  await nodes[0]?.says({ set: { foo: pair(9) }, record: { format: 'json' } });
  await nodes[2]?.says({ set: { foo: pair(9) }, record: { format: 'json' } });
  await world.settle();
  const before = await one.believes('foo');
  assert.equal(serialOf(before), 1);
  await one.close();
  const again = await world.follower(policy, { peerId: 'again', states: one.states, maps: one.maps });
  assert.deepEqual(await again.believes('foo'), before);
  assert.equal(again.follower.source?.()?.format, 'html');
  await again.close();
});
