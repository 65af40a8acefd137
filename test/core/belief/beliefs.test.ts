import assert from 'node:assert/strict';
import test from 'node:test';
import { Beliefs } from '../../../src/core/belief/beliefs.ts';
import type { Pair } from '../../../src/core/belief/candidate.ts';
import { VoteMemory } from '../../../src/core/belief/vote-memory.ts';
import { createVoters, pair, viewOf, wholeIndex } from './world.ts';

test('what is kept grows with what is in motion, not with the index', () => {
  const names = Array.from({ length: 50_000 }, (_, at) => `p${at}`);
  const first: Record<string, Pair> = Object.fromEntries(names.map((name) => [name, pair(1, 1)]));
  const voters = createVoters(2, 3);
  for (const id of voters.ids) voters.says(id, 100, first);
  voters.beliefs.letBasesGo([]);
  assert.deepEqual(voters.beliefs.size, { active: 0, resting: 0, votes: 0, bases: 0 });
  assert.deepEqual(voters.beliefs.believed('p7'), { choice: pair(1, 1), at: 100, floor: 1 });
  const second = { ...first };
  for (const name of names.slice(0, 20)) second[name] = pair(2, 2);
  voters.says('a', 160, second);
  assert.equal(voters.beliefs.size.active, 20);
  voters.says('b', 165, second);
  voters.says('c', 170, second);
  assert.deepEqual(voters.beliefs.believed('p7')?.choice, pair(2, 2));
  assert.deepEqual(voters.beliefs.believed('p70')?.at, 165);
  for (const id of voters.ids) voters.says(id, 230, second);
  assert.deepEqual(voters.beliefs.size, { active: 0, resting: 0, votes: 0, bases: 0 });
  assert.ok(voters.beliefs.takeChanged().length >= 20);
  assert.equal(voters.beliefs.keptName('p7'), undefined, 'and may be deleted on disk');
});

test("a voter's past page makes k with what another shows now: three that are never at one page still agree", () => {
  const voters = createVoters(2, 3);
  voters.says('a', 100, { foo: pair(1, 1) });
  voters.says('b', 101, { foo: pair(2, 2) });
  voters.says('a', 102, { foo: pair(2, 2), bar: pair(1, 1) });
  voters.says('a', 103, { foo: pair(3, 3), bar: pair(1, 1) });
  assert.deepEqual(voters.foo(), [pair(2, 2), 101]);
});

test("a node's own reading is one vote, in its publisher's slot or one of its own, and ages", () => {
  const voters = createVoters(2, 2);
  voters.beliefs.addVoter({ id: 'own a', slot: 'a' });
  voters.beliefs.addVoter({ id: 'own', slot: 'own' });
  voters.says('a', 100, { foo: pair(5, 5) });
  voters.beliefs.vote('own a', 'foo', { candidate: pair(5, 5), at: 130 });
  assert.equal(voters.foo(), undefined, 'not a second vote');
  voters.beliefs.vote('own', 'foo', { candidate: pair(5, 5), at: 120 });
  assert.deepEqual(voters.foo(), [pair(5, 5), 120]);
  voters.says('a', 500, { foo: pair(5, 5) });
  assert.deepEqual(voters.foo(), [pair(5, 5), 120]);
  voters.beliefs.vote('own', 'foo', { candidate: pair(4, 4), at: 600 });
  voters.says('b', 600, { foo: pair(5, 5) });
  assert.deepEqual(voters.foo(), [pair(5, 5), 500]);
});

test('bundles: k proofs of one pair answer for a name whose voters all went on', () => {
  const voters = createVoters(2, 3);
  voters.says('a', 200, { foo: pair(7, 7) });
  voters.says('b', 201, { foo: pair(8, 8) });
  voters.says('c', 202, { foo: pair(9, 9) });
  assert.equal(voters.foo(), undefined);
  voters.beliefs.vote('b', 'foo', { candidate: pair(6, 6), at: 190 });
  voters.beliefs.vote('c', 'foo', { candidate: pair(6, 6), at: 195 });
  assert.deepEqual(voters.foo(), [pair(6, 6), 190]);
});

test('a voter that narrows its scope no longer counts for what it left, and what was decided stays', () => {
  const voters = createVoters(2, 2);
  const listed = { id: 'list', covers: (name: string) => name === 'bar' };
  const both = { foo: pair(1, 1), bar: pair(1, 1) };
  for (const id of voters.ids) voters.says(id, 100, both, { scope: wholeIndex });
  voters.says('b', 160, both, { scope: listed });
  voters.says('a', 170, both);
  assert.deepEqual(voters.foo(), [pair(1, 1), 100]);
  assert.equal(voters.beliefs.believed('bar')?.at, 160);
});

test('a voter that is not of the policy has no vote', () => {
  assert.throws(() => new Beliefs(1).vote('x', 'foo', { candidate: 'absent', at: 1 }), /no voter "x"/);
});

test('4 votes a name and voter are remembered, the newest; and so many a voter, its oldest names going first', () => {
  const memory = new VoteMemory({ perName: 4, perVoter: 6 });
  for (let at = 1; at <= 6; at += 1) memory.remember('a', 'foo', { candidate: pair(at, at), at });
  assert.deepEqual(
    memory.of('a', 'foo').map(({ at }) => at),
    [6, 5, 4, 3],
  );
  memory.remember('b', 'foo', { candidate: 'absent', at: 1 });
  memory.remember('a', 'bar', { candidate: 'absent', at: 7 });
  memory.remember('a', 'bar', { candidate: pair(1, 1), at: 8 });
  assert.deepEqual(memory.remember('a', 'baz', { candidate: 'absent', at: 9 }), ['foo']);
  assert.equal(memory.count('a'), 3);
  assert.equal(memory.count('b'), 1, "one voter's changes cost no other its memory");
});

test('a voter that changes everything all the time costs bounded memory, and nobody else an answer', () => {
  const names = Array.from({ length: 500 }, (_, at) => `p${at}`);
  const voters = createVoters(2, 3, () => new Beliefs(2, { perName: 4, perVoter: 100 }));
  const honest = Object.fromEntries(names.map((name) => [name, pair(1, 1)]));
  for (const id of ['a', 'b']) voters.says(id, 100, honest);
  for (let round = 0; round < 8; round += 1) {
    voters.says('c', 100 + round, Object.fromEntries(names.map((name) => [name, pair(round, round)])));
    assert.ok(voters.beliefs.size.votes <= 100);
  }
  for (const name of names) assert.deepEqual(voters.beliefs.believed(name)?.choice, pair(1, 1));
  for (const id of voters.ids) voters.says(id, 200, honest);
  voters.beliefs.letBasesGo(names);
  for (const id of ['a', 'b']) voters.says(id, 300, honest);
  voters.says('c', 300, honest);
  assert.deepEqual(voters.beliefs.size, { active: 0, resting: 0, votes: 0, bases: 0 });
});

test('a proof of a page older in serial than what the voter shows is no vote; one from ahead of its map takes none away', () => {
  const voters = createVoters(2, 2);
  voters.says('a', 100, { foo: pair(5, 5) });
  for (const id of voters.ids) voters.beliefs.vote(id, 'foo', { candidate: pair(4, 4), at: 150 });
  assert.equal(voters.foo(), undefined);
  const ahead = createVoters(2, 2);
  for (const id of ahead.ids) ahead.says(id, 190, {});
  ahead.beliefs.vote('a', 'foo', { candidate: pair(9, 9), at: 300 });
  for (const id of ahead.ids) ahead.says(id, 200, { foo: pair(8, 8) });
  assert.deepEqual(ahead.foo(), [pair(8, 8), 200]);
});

test('an entry that went back in serial is no vote after a restart either', () => {
  const lower = { at: 110, map: new Map([['foo', pair(9, 9)]]), stale: new Set<string>(), complete: true };
  const before = createVoters(2, 2);
  before.says('a', 100, { foo: pair(10, 10) });
  before.says('a', 110, { foo: pair(9, 9) });
  const after = createVoters(2, 2);
  const views = [{ voter: 'a', view: viewOf(lower) }];
  const names = [['foo', before.beliefs.keptName('foo')!]] as const;
  after.beliefs.restore({ names, bases: [], excluded: [], views }, () => wholeIndex);
  after.says('b', 110, { foo: pair(9, 9) });
  assert.equal(after.foo(), undefined);
});

test('what need not be kept any more is told, so that it can be deleted on disk', () => {
  const voters = createVoters(2, 2);
  for (const id of voters.ids) voters.says(id, 100, { foo: pair(1, 1) });
  for (const id of voters.ids) voters.says(id, 200, {});
  voters.says('a', 300, {});
  voters.says('b', 300, {});
  assert.equal(voters.beliefs.keptName('foo')?.belief?.floor, 1);
  for (const id of voters.ids) voters.says(id, 400, { foo: pair(2, 2) });
  voters.beliefs.takeChanged();
  for (const id of voters.ids) voters.says(id, 500, { foo: pair(2, 2) });
  assert.deepEqual(voters.beliefs.takeChanged(), ['foo']);
  assert.equal(voters.beliefs.keptName('foo'), undefined);
});

test('a floor that ends with the very record that touches its name is told of as well', () => {
  const voters = createVoters(1, 1);
  voters.says('a', 100, { foo: pair(1, 1) });
  voters.says('a', 200, {});
  voters.says('a', 300, {});
  // Stale in between, so that no vote of the past is left to wait for.
  voters.says('a', 400, {}, { stale: ['foo'] });
  voters.says('a', 500, {}, { stale: ['foo'] });
  voters.beliefs.vote('a', 'foo', { candidate: pair(1, 1), at: 450 });
  voters.beliefs.takeChanged();
  voters.says('a', 600, { foo: pair(2, 2) });
  assert.deepEqual(voters.beliefs.takeChanged(), ['foo']);
  assert.equal(voters.beliefs.keptName('foo'), undefined);
});
