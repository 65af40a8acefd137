import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFollowWorld, policyOf, START } from './follow-world.ts';
import { pair } from './publisher-double.ts';

test('a follower believes what two of three publishers say, by gossip and by deltas', async () => {
  const world = createFollowWorld();
  const doubles = [
    await world.publisher('a.example'),
    await world.publisher('b.example'),
    await world.publisher('c.example'),
  ];
  const nodes = doubles.map((double) => world.serve(double));
  for (const double of doubles) await double.sign({ at: START, set: { foo: pair(1), bar: pair(2) } });
  const one = await world.follower(policyOf(2, doubles), { connected: nodes.map(({ peerId }) => peerId) });
  await world.settle();
  const foo = await one.believes('foo');
  assert.equal(foo.kind, 'page');
  assert.deepEqual(foo.kind === 'page' && [foo.serial, foo.since, foo.fileOrigin], [
    1,
    START,
    'https://files.example',
  ]);
  assert.deepEqual(await one.believes('none'), { kind: 'absent', since: START, floor: 0 });

  await world.clock.advance(60_000);
  await nodes[0]?.says({ set: { foo: pair(7) } });
  await world.settle();
  assert.equal((await one.believes('foo')).kind === 'page' && 1, 1);
  await nodes[1]?.says({ set: { foo: pair(7) }, del: ['bar'] });
  await nodes[2]?.says({ del: ['bar'] });
  await world.settle();
  const changed = await one.believes('foo');
  assert.equal(changed.kind === 'page' && changed.serial, 7);
  assert.equal(changed.kind === 'page' && one.follower.now() - changed.since, 0);
  assert.equal((await one.believes('bar')).kind, 'absent');
  const names: string[] = [];
  for await (const { name, serial } of one.follower.names()) names.push(`${name} ${serial}`);
  assert.deepEqual(names, ['foo 7']);
  assert.deepEqual(one.refused(), {});
  await one.close();
});
