/** What the operator of a follower is told, and may decide: other upstreams, exclusions, retractions, the clock, the DHT. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/core/limits.ts';
import { encodeHeadValue, headValueKey } from '../../../src/core/log/head-value.ts';
import { decodeAnnouncement } from '../../../src/core/log/announcement.ts';
import { verifyMisconduct } from '../../../src/core/log/misconduct.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { putHeads } from '../../../src/mirror/follow/head-values.ts';
import type { FollowedVoter } from '../../../src/mirror/follow/followed-voter.ts';
import { createHeadTime } from '../../../src/mirror/believed/head-time.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const foo = parseProjectName('foo');

test('publishers of another upstream are told of loudly, and what to do when it is all of them', async () => {
  const world = createFollowWorld();
  const doubles = [await world.publisher('a.example'), await world.publisher('b.example')];
  const nodes = doubles.map((double) => world.serve(double));
  const elsewhere = { upstream: 'https://mirror.example/simple/' };
  for (const double of doubles)
    await double.sign({ at: world.clock.now(), set: { foo: pair(1) }, record: elsewhere });
  const one = await world.follower(policyOf(2, doubles), { connected: nodes.map(({ peerId }) => peerId) });
  await world.settle();
  const { alarms, voters, ready } = one.follower.status();
  assert.equal(ready, false);
  assert.ok(voters.every(({ noVote }) => /speaks of https:\/\/mirror\.example\/simple\//.test(noVote ?? '')));
  assert.match(
    alarms.at(-1) ?? '',
    /all speak of .*start with --upstream https:\/\/mirror\.example\/simple\//,
  );
  assert.ok(one.told.some(({ name }) => name === 'index:alarmed'));
  const belief = await one.believes('foo');
  assert.ok(belief.kind === 'unknown' && belief.reason.includes('mirror.example'), JSON.stringify(belief));
  // It comes back to ours: a vote again.
  await nodes[0]?.says({});
  await world.settle();
  assert.deepEqual(
    one.follower.status().voters.map(({ noVote }) => noVote === undefined),
    [true, false],
  );
  await one.close();
});

test('pages made from another format, and records of another version, are named as the reason', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  await nodes[0].says({ record: { format: 'html' } });
  await world.settle();
  assert.match(one.follower.status().voters[0]?.noVote ?? '', /made from html/);
  assert.match(
    one.follower.status().alarms.join(),
    /a\.example is no vote here: it signs pages that were made from html/,
  );
  assert.equal(serialOf(await one.believes('foo')), 1, 'votes of earlier records stand');
  await one.close();
});

test('the status counts who is excluded, and the proof can be had', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  assert.equal(one.follower.status().excluded, 0);
  const forked = await doubles[0].fork(1);
  await nodes[0].says({});
  await world.settle();
  await nodes[1].index.publish(await forked.sign({ at: world.clock.now(), set: { foo: pair(9) } }));
  await world.settle();
  const { excluded, misconduct } = one.follower.status();
  assert.equal(excluded, 1);
  const [proof] = misconduct;
  assert.ok(proof);
  const bytes = one.follower.misconductProof?.(proof.digest);
  assert.ok(bytes);
  assert.equal(verifyMisconduct(bytes).key.text, doubles[0].signer.key.text);
  await one.close();
});

test('an override of the policy goes before every publisher’s retraction', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1), bar: pair(1) });
  const policy = { ...policyOf(2, doubles), overrides: [foo] };
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  const retraction = (subject: string) => {
    return { subject: parseProjectName(subject), reason: 'malware', since: world.clock.now() };
  };
  await nodes[0].says({ record: { retractions: [retraction('bar'), retraction('foo')] } });
  await world.settle();
  assert.equal(one.follower.retracted(foo), false);
  assert.equal(one.follower.retracted(parseProjectName('bar')), true);
  await one.close();
});

test('pages say the API version that their publishers saw, and an absence its floor', async () => {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(3), bar: pair(4) });
  const one = await world.follower(policyOf(2, doubles), { connected: names });
  await world.settle();
  const page = await one.believes('foo');
  assert.equal(page.kind === 'page' && page.apiVersion, '1.4');
  await world.clock.advance(MINUTE);
  for (const node of nodes) await node.says({ del: ['bar'], record: { apiVersion: '1.5' } });
  await world.settle();
  const gone = await one.believes('bar');
  assert.deepEqual(gone.kind === 'absent' && gone.floor, 4);
  const later = await one.believes('foo');
  assert.equal(later.kind === 'page' && later.apiVersion, '1.5');
  await one.close();
});

test('a clock that was a day ahead is forgotten when a person says so, and not while publishers say it is behind', async () => {
  const world = createFollowWorld();
  const { doubles, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(1, doubles);
  world.clock.jump(DAY);
  const one = await world.follower(policy, { connected: names });
  await world.settle();
  // Read while the clock was wrong: when that was nobody knows.
  await one.follower.ownReading(foo, pair(5), world.clock.now());
  const wrong = one.follower.now();
  world.clock.jump(-DAY);
  const now = createHeadTime(one.follower, world.clock);
  assert.equal(one.follower.status().clock, 'set-back');
  assert.equal(now(), wrong);
  const { from, to } = (await one.follower.resetClock?.()) ?? {};
  assert.deepEqual([from, to], [wrong, world.clock.now()]);
  assert.equal(one.follower.now(), world.clock.now());
  assert.equal(now(), world.clock.now());
  assert.equal(one.follower.status().clock, 'plausible');
  await one.close();
  const again = await world.follower(policy, { states: one.states, maps: one.maps, connected: names });
  await world.settle();
  assert.equal(again.follower.now(), world.clock.now(), 'it is written down');
  world.clock.jump(-DAY);
  await assert.rejects(
    async () => again.follower.resetClock?.(),
    /publishers have signed.*set it right first/,
  );
  await again.close();
});

test('a follower puts a head into the DHT only where the one there is older, and hears a newer one', async () => {
  const world = createFollowWorld();
  const [double] = [await world.publisher('a.example')];
  const first = decodeAnnouncement(await double.sign({ at: world.clock.now(), set: { foo: pair(1) } }));
  const second = decodeAnnouncement(await double.sign({ at: world.clock.now(), set: { foo: pair(2) } }));
  const { key } = double.signer;
  let there: Uint8Array | undefined;
  const put: Uint8Array[] = [];
  const heard: Uint8Array[] = [];
  const deps = {
    channel: {
      async putValue(_key: Uint8Array, value: Uint8Array) {
        put.push((there = value));
        return 1;
      },
      async *getValue(asked: Uint8Array) {
        assert.deepEqual(asked, headValueKey(key));
        if (there !== undefined) yield there;
      },
    },
    keysOf: () => [key],
    hear: async (announcement: Uint8Array) => void heard.push(announcement),
  };
  const holding = (size: number): FollowedVoter[] => [
    { slot: key.text, log: { announcements: () => [double.announcement(size)] } } as unknown as FollowedVoter,
  ];
  const { signal } = new AbortController();
  await putHeads(deps, holding(1), signal);
  assert.deepEqual(put, [encodeHeadValue(key, first)], 'nothing was there');
  for (let turn = 0; turn < 3; turn++) await putHeads(deps, holding(1), signal);
  assert.equal(put.length, 1, 'the same head is there');
  await putHeads(deps, holding(2), signal);
  assert.deepEqual(put.slice(1), [encodeHeadValue(key, second)], 'the one there was older');
  await putHeads(deps, holding(1), signal);
  assert.equal(put.length, 2);
  assert.equal(heard.length, 1, 'the one there is newer');
  assert.ok(limits.follow.dhtEvery > 0);
});
