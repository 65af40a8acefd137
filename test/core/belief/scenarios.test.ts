import assert from 'node:assert/strict';
import test from 'node:test';
import { KeySlots } from '../../../src/core/belief/key-slots.ts';
import { judgeClock, NodeTime, timeForAges } from '../../../src/core/belief/node-time.ts';
import { pageAge } from '../../../src/core/belief/page-age.ts';
import { policyKey } from '../../../src/core/belief/policy-key.ts';
import { judgeRecord } from '../../../src/core/belief/record-order.ts';
import { Retractions } from '../../../src/core/belief/retractions.ts';
import { leapingSlots } from '../../../src/core/belief/serial-alarm.ts';
import { createVoters, pair, wholeIndex } from './world.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const older = pair(9, 1);
const newer = pair(10, 2);

test('an old page replayed under a high serial by one publisher changes nothing and is told of', () => {
  const voters = createVoters(2, 3);
  for (const id of voters.ids) voters.says(id, 100, { foo: older });
  for (const id of voters.ids) voters.says(id, 160, { foo: newer });
  voters.says('c', 220, { foo: { ...older, serial: 5_000_000 } });
  voters.says('a', 220, { foo: newer });
  voters.says('b', 221, { foo: newer });
  assert.deepEqual(voters.foo(), [newer, 220]);
  const serials = new Map([
    ['a', 10],
    ['b', 10],
    ['c', 1_000_010],
  ]);
  assert.deepEqual(leapingSlots(serials, 2), ['c']);
  assert.deepEqual(leapingSlots(new Map([...serials, ['c', 1_000_009]]), 2), []);
  // The digest under the high serial and the one under the true serial are different pairs: no votes for one another.
  voters.says('c', 280, { foo: { ...newer, serial: 5_000_000 } });
  assert.deepEqual(voters.foo(), [newer, 220]);
});

test('a voter whose high serial stayed alone counts again once the others have agreed after it', () => {
  const voters = createVoters(2, 3);
  for (const id of ['a', 'b']) voters.says(id, 100, { foo: newer });
  voters.says('c', 110, { foo: pair(5_000_000, 3) });
  voters.says('c', 120, { foo: newer });
  voters.says('a', 130, { foo: newer });
  assert.deepEqual(voters.foo(), [newer, 100], 'c went back in serial: no vote');
  voters.says('b', 131, { foo: newer });
  voters.says('c', 140, { foo: newer });
  voters.says('b', 150, { foo: newer });
  assert.deepEqual(voters.foo(), [newer, 140]);
});

test('two pages flipping under one serial: the one that k saw last is served, with its own time', () => {
  const voters = createVoters(2, 3);
  const [x, y] = [pair(0, 1), pair(0, 2)];
  for (const id of voters.ids) voters.says(id, 100, { foo: x });
  voters.says('a', 160, { foo: y });
  assert.deepEqual(voters.foo(), [x, 100], 'one publisher does not flip it');
  voters.says('b', 165, { foo: y });
  assert.deepEqual(voters.foo(), [y, 160]);
  for (const id of voters.ids) voters.says(id, 220, { foo: x });
  assert.deepEqual(voters.foo(), [x, 220], 'an equal serial comes back with a newer T');
});

test('absence from a half-imported map is no vote for absence', () => {
  const voters = createVoters(2, 3);
  voters.says('a', 100, { foo: newer });
  voters.says('b', 160, {}, { complete: false });
  voters.says('c', 160, {}, { complete: false });
  assert.equal(voters.foo(), undefined, 'unknown, which is 503');
  voters.says('b', 220, {}, { complete: true });
  assert.equal(voters.foo(), undefined);
  voters.says('c', 221, {}, { complete: true });
  assert.deepEqual(voters.foo(), ['absent', 220]);
});

test('absence outside of a scope is no vote for absence, and fewer than k voters that cover a name decide nothing', () => {
  const voters = createVoters(2, 3);
  const listed = { id: 'list', covers: (name: string) => name === 'bar' };
  voters.says('a', 100, {}, { scope: listed });
  voters.says('b', 100, {}, { scope: listed });
  voters.says('c', 100, {}, { scope: wholeIndex });
  assert.equal(voters.foo(), undefined);
  assert.equal(voters.beliefs.believed('bar')?.choice, 'absent');
});

test('a bin too large for its names: absence from it is unknown', () => {
  const voters = createVoters(1, 1);
  voters.beliefs.accept(
    'a',
    { observedAt: 1, complete: true, scope: wholeIndex, holds: () => 'unknown', isStale: () => false },
    [],
  );
  assert.equal(voters.foo(), undefined);
});

test('a removed project stays removed while one publisher goes on showing it, and keeps its serial as a floor', () => {
  const voters = createVoters(2, 3);
  for (const id of voters.ids) voters.says(id, 100, { foo: newer });
  voters.says('a', 160, {});
  voters.says('b', 160, {});
  assert.deepEqual(voters.foo(), ['absent', 160]);
  voters.says('c', 400, { foo: newer });
  assert.deepEqual(voters.foo(), ['absent', 160], 'its own freshness does not make a second vote young');
  for (const id of voters.ids) voters.says(id, 500, { foo: older });
  assert.equal(voters.foo()?.[0], 'absent', 'a lower serial than before the removal');
  for (const id of voters.ids) voters.says(id, 600, { foo: pair(11, 4) });
  assert.deepEqual(voters.foo(), [pair(11, 4), 600]);
});

test('a stale entry is no vote, and the page ages until it is read', () => {
  const voters = createVoters(2, 2);
  for (const id of voters.ids) voters.says(id, 100, { foo: older });
  voters.says('a', 160, { foo: older });
  voters.says('b', 160, { foo: older }, { stale: ['foo'] });
  assert.deepEqual(voters.foo(), [older, 100]);
});

test('a colluding publisher voted out by a policy change: what it helped to decide is unknown under the new policy', () => {
  const forged = pair(50, 66);
  const before = createVoters(2, 3);
  before.says('a', 100, { foo: newer });
  before.says('b', 100, { foo: forged });
  before.says('c', 100, { foo: forged });
  assert.deepEqual(before.foo(), [forged, 100]);
  const facts = { upstream: 'https://pypi.org/simple/', k: 2 };
  assert.notEqual(
    policyKey({ ...facts, keys: ['a', 'b', 'c'] }),
    policyKey({ ...facts, keys: ['a', 'b', 'd'] }),
    'beliefs of another policy are not read',
  );
  assert.equal(policyKey({ ...facts, keys: ['b', 'a'] }), policyKey({ ...facts, keys: ['a', 'b'] }));
  assert.notEqual(policyKey({ ...facts, keys: ['a'] }), policyKey({ ...facts, keys: ['a'], pardons: ['x'] }));
  const after = createVoters(2, 2);
  after.says('a', 160, { foo: newer });
  after.says('b', 160, { foo: forged });
  assert.equal(after.foo(), undefined);
  after.says('b', 220, { foo: pair(51, 5) });
  after.says('a', 220, { foo: pair(51, 5) });
  assert.deepEqual(after.foo(), [pair(51, 5), 220]);
});

test('misconduct: the voter counts no more, and what was decided stays with its own time', () => {
  const voters = createVoters(2, 3);
  voters.says('a', 100, { foo: newer, bar: newer });
  voters.says('b', 100, { foo: newer, bar: older });
  voters.says('c', 100, { bar: newer });
  assert.deepEqual(voters.foo(), [newer, 100]);
  voters.beliefs.exclude('a');
  voters.says('a', 160, {});
  assert.equal(voters.beliefs.size.votes, 0, 'nothing of it is remembered');
  voters.says('b', 160, { foo: newer, bar: older });
  assert.deepEqual(voters.foo(), [newer, 100], 'decided with a, not renewed without it');
  assert.equal(voters.beliefs.believed('bar')?.at, 100);
  voters.says('c', 220, { bar: newer });
  voters.says('b', 220, {});
  assert.deepEqual(voters.foo(), ['absent', 220]);
});

test('what an excluded voter helped to decide is let go only when those left are as new', () => {
  const voters = createVoters(2, 3);
  for (const [id, at] of [
    ['a', 100],
    ['b', 90],
    ['c', 50],
  ] as const)
    voters.says(id, at, { foo: newer });
  assert.deepEqual(voters.foo(), [newer, 90]);
  voters.beliefs.exclude('a');
  assert.equal(voters.beliefs.letBasesGo([]), false);
  assert.deepEqual(voters.foo(), [newer, 90], 'not back to 50');
  for (const id of ['b', 'c']) voters.says(id, 110, { foo: newer });
  assert.equal(voters.beliefs.letBasesGo([]), true);
  assert.deepEqual(voters.foo(), [newer, 110]);
});

test('a stolen key that rotates first: the two successors are misconduct, and neither makes a second vote', () => {
  const slots = new KeySlots(['a', 'b', 'c']);
  assert.equal(slots.name({ key: 'a', successor: 'thief', at: 1000 }), 'named');
  assert.equal(slots.slotOf('thief'), 'a');
  assert.equal(slots.name({ key: 'a', successor: 'b', at: 1001 }), 'misconduct');
  assert.equal(slots.name({ key: 'a', successor: 'owner', at: 1001 }), 'misconduct');
  assert.equal(slots.slotOf('owner'), undefined);

  const voters = createVoters(2, 3);
  voters.beliefs.addVoter({ id: 'thief', slot: slots.slotOf('thief')! });
  for (const id of ['a', 'thief']) voters.says(id, 100, { foo: pair(66, 66) });
  assert.equal(voters.foo(), undefined, 'a key and its successor are one vote');
  voters.beliefs.exclude('a');
  voters.says('b', 100, { foo: pair(66, 66) });
  assert.equal(voters.foo(), undefined, 'the whole slot is out');
});

test("naming another publisher's key as successor does not let that one vote twice", () => {
  const slots = new KeySlots(['a', 'b']);
  assert.equal(slots.name({ key: 'a', successor: 'b', at: 1 }), 'taken');
  assert.equal(slots.slotOf('b'), 'b');
  assert.equal(slots.name({ key: 'x', successor: 'y', at: 1 }), 'stranger');
  assert.equal(slots.name({ key: 'a', successor: 'a2', at: 2 }), 'named');
  assert.equal(slots.name({ key: 'a', successor: 'a2', at: 3 }), 'known');
  assert.equal(slots.name({ key: 'b', successor: 'a2', at: 3 }), 'taken');
  assert.equal(slots.name({ key: 'a2', successor: 'a', at: 4 }), 'taken', 'no circles');
  assert.equal(slots.name({ key: 'a2', successor: 'a2', at: 4 }), 'known', 'it signs what names it');
  assert.equal(slots.successorIn('a'), 'a2');
  assert.equal(slots.successorIn('b'), undefined);
});

test('a slot that changes its key all the time is followed through 64 successors, and no further', () => {
  const slots = new KeySlots(['a0', 'b']);
  const names = Array.from({ length: 65 }, (_, at) => {
    return slots.name({ key: `a${at}`, successor: `a${at + 1}`, at });
  });
  assert.deepEqual([names.lastIndexOf('named'), names[64]], [63, 'too-many']);
  assert.equal(slots.slotOf('a65'), undefined);
  assert.equal(slots.name({ key: 'b', successor: 'b1', at: 1 }), 'named');
});

test('after a rotation both keys sign for 7 days, then the new one; a back-dated record makes nothing young', () => {
  const slots = new KeySlots(['a']);
  slots.name({ key: 'a', successor: 'a2', at: 1000 });
  const end = 1000 + 7 * day;
  assert.equal(slots.mayVote('a', { signedAt: end, observedAt: end }), true);
  assert.equal(slots.mayVote('a', { signedAt: end + 1, observedAt: end }), false);
  assert.equal(slots.mayVote('a', { signedAt: end, observedAt: end + 1 }), false);
  assert.equal(slots.mayVote('a2', { signedAt: end + day, observedAt: end + day }), true);
  assert.equal(slots.mayVote('nobody', { signedAt: 1, observedAt: 1 }), false);
  const again = new KeySlots(['a']);
  for (const rotation of slots.kept()) again.name(rotation);
  assert.equal(again.mayVote('a', { signedAt: end + 1, observedAt: end }), false, 'kept across restarts');
});

test('retractions of everything by one voter are ignored, and the subjects of one voter end by themselves', () => {
  const retractions = new Retractions();
  const all = Array.from({ length: 33 }, (_, at) => ({ subject: `p${at}`, reason: 'malware', since: 0 }));
  assert.equal(retractions.accept('a', all, 0), 'too-many');
  assert.equal(retractions.inForce('p0', 0), undefined);
  assert.equal(retractions.accept('a', all.slice(0, 32), 0), undefined);
  assert.deepEqual(retractions.inForce('p0', day - 1), { slot: 'a', reason: 'malware' });
  assert.equal(retractions.inForce('p0', day), undefined);
});

test('a node whose clock is a day behind defers what is new, says so, and reports no page younger than it is', () => {
  const truth = 10 * day;
  const wrong = truth - day;
  const place = { upstream: 'u', format: 'json', leafIndex: 7, receivedAt: wrong, now: wrong };
  const record = { v: 1, upstream: 'u', format: 'json', seq: 7, signedAt: truth, observedAt: truth };
  assert.equal(judgeRecord(undefined, record, place).verdict, 'deferred');
  const signed = new Map([
    ['a', truth],
    ['b', truth - minute],
    ['c', truth + 300 * day],
  ]);
  assert.equal(judgeClock(wrong, wrong, signed, 2), 'behind');
  assert.equal(
    judgeClock(wrong, wrong, new Map([['c', truth]]), 2),
    'plausible',
    'one alone is wrong itself',
  );
  const kept = wrong - minute;
  assert.equal(pageAge(kept, timeForAges(wrong, signed, 2), false).state, 'refused');
  // The clock is put right: what waited counts from when it came, by the wrong clock. Older than true, not younger.
  assert.deepEqual(judgeRecord(undefined, record, { ...place, now: truth }), {
    verdict: 'vote',
    observedAt: wrong,
  });
});

test('a node whose clock is a day ahead reports its pages as a day older, also after the clock was put right', () => {
  const truth = 10 * day;
  const time = new NodeTime();
  assert.equal(time.read(truth + day), truth + day);
  assert.equal(time.read(truth), truth + day, 'never below the highest that it has seen');
  assert.equal(new NodeTime(time.highest).read(truth), truth + day, 'across a restart');
  assert.deepEqual(pageAge(truth, time.read(truth), false), { state: 'aged', ms: day });
  assert.equal(pageAge(truth - 1, time.read(truth), false).state, 'refused');
  assert.equal(judgeClock(truth, time.highest, new Map(), 2), 'set-back');
});
