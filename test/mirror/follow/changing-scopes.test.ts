/** Publishers of some projects only, and what it costs that they say another scope again and again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/core/digest.ts';
import { digestOfNames, encodeNames } from '../../../src/core/index-map/name-list.ts';
import { limits } from '../../../src/core/limits.ts';
import type { ProjectName } from '../../../src/core/project-name.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair, type PublisherDouble } from './publisher-double.ts';

const SECOND = 1000;
const MOST = limits.belief.groundChanges;

/** A list that the publisher gives to whoever asks. */
function scopeOf({ lists }: PublisherDouble, names: readonly string[]): { readonly scope: Digest } {
  const bytes = encodeNames(names as ProjectName[]);
  const digest = digestOfNames(bytes);
  (lists as Map<Digest, Uint8Array>).set(digest, bytes);
  return { scope: digest };
}

test('a publisher that says another scope in each record is no vote from then on, until the others have read as late', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1), bar: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  for (let i = 0; i < 3 * MOST; i++) {
    await world.clock.advance(SECOND);
    await nodes[0].says({ record: scopeOf(doubles[0], ['foo', `p${i}`]) });
    await world.settle();
  }
  const { kept, voters } = one.follower.status();
  assert.equal(kept.bases, MOST);
  // The first is forgotten at once: all have read as late as it.
  assert.equal(voters[0]?.seq, MOST + 1, 'the last that counts stays in service');
  assert.equal(one.refused()['SCOPE_CHANGED_TOO_OFTEN'], 1, 'told once');
  const asked = ['foo', 'bar', 'p0', 'nothing'];
  const before = await Promise.all(asked.map((name) => one.believes(name)));
  assert.deepEqual(before.map(serialOf), [1, 1, 'absent', 'absent']);
  // Two that cover everything are enough for each name: nothing rests on what was before.
  await world.clock.advance(SECOND);
  for (const node of nodes.slice(1)) await node.says({});
  await world.settle();
  assert.equal(one.follower.status().kept.bases, 0);
  const after = await Promise.all(asked.map((name) => one.believes(name)));
  assert.deepEqual(after.map(serialOf), before.map(serialOf));
  await nodes[0].says({ record: scopeOf(doubles[0], ['foo']) });
  await world.settle();
  assert.equal(one.follower.status().voters[0]?.seq, 3 * MOST + 1, 'it counts again');
  await one.close();
});

test('of many that came at once only the last is a vote', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const seqs: number[] = [];
  one.facts.on('head:advanced', ({ origin, seq }) => void (origin === doubles[0].name && seqs.push(seq)));
  for (let i = 0; i < 3 * MOST; i++)
    await doubles[0].sign({ at: world.clock.now() + i, record: { complete: i % 2 === 1 } });
  await world.clock.advance(30 * SECOND);
  await world.settle();
  assert.deepEqual(seqs, [3 * MOST]);
  assert.equal(serialOf(await one.believes('foo')), 1);
  await one.close();
});

test('what rests on a scope that was left is believed after a restart too', async () => {
  const world = createFollowWorld();
  const a = await world.publisher('a.example');
  const b = await world.publisher('b.example');
  const set = { foo: pair(1), bar: pair(1) };
  await a.sign({ at: world.clock.now(), set });
  await b.sign({ at: world.clock.now(), set, record: scopeOf(b, ['foo', 'bar']) });
  const nodes = [a, b].map((double) => world.serve(double));
  const policy = policyOf(2, [a, b]);
  const one = await world.follower(policy, { connected: nodes.map(({ peerId }) => peerId) });
  await world.settle();
  await world.clock.advance(SECOND);
  await nodes[1]?.says({ record: scopeOf(b, ['bar']) });
  await world.settle();
  assert.equal(one.follower.status().kept.bases, 1);
  const before = [await one.believes('foo'), await one.believes('bar')];
  assert.deepEqual(before.map(serialOf), [1, 1]);
  await one.close();
  const again = await world.follower(policy, { peerId: 'again', states: one.states, maps: one.maps });
  assert.deepEqual([await again.believes('foo'), await again.believes('bar')], before);
  await again.close();
});
