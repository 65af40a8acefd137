import assert from 'node:assert/strict';
import test from 'node:test';
import { type Retraction, Retractions } from '../../../src/core/belief/retractions.ts';

const hour = 3_600_000;
const day = 24 * hour;
/** A moment well after 1970, so that a `since` may lie weeks back. */
const t0 = 100 * day;

function retract(subject: string, since: number): Retraction {
  return { subject, reason: 'malware', since };
}

test('one voter removes, while its newest record says so and for a day at most', () => {
  const retractions = new Retractions();
  retractions.accept('a', [retract('foo', t0)], t0);
  assert.deepEqual(retractions.inForce('foo', t0 + day - 1), { slot: 'a', reason: 'malware' });
  assert.equal(retractions.inForce('foo', t0 + day), undefined);
  assert.equal(retractions.inForce('bar', t0), undefined);
  const short = new Retractions();
  short.accept('a', [retract('foo', t0)], t0);
  short.accept('a', [], t0 + hour);
  assert.equal(short.inForce('foo', t0 + hour), undefined);
});

test('a since of yesterday or of next year, or one that moves along, does not lengthen the day', () => {
  const retractions = new Retractions();
  retractions.accept('a', [retract('late', t0 + 365 * day), retract('old', t0 - 23 * hour)], t0);
  assert.equal(retractions.inForce('late', t0 + day), undefined);
  assert.ok(retractions.inForce('old', t0 + hour - 1));
  assert.equal(retractions.inForce('old', t0 + hour), undefined);
  retractions.accept('a', [retract('late', t0 + day), retract('old', t0)], t0 + day);
  assert.equal(retractions.inForce('late', t0 + day), undefined);
  assert.equal(retractions.inForce('old', t0 + hour), undefined);
});

test('one subject not again within 7 days of its end, unless a second voter retracts it too', () => {
  const retractions = new Retractions();
  retractions.accept('a', [retract('foo', t0)], t0);
  retractions.accept('a', [], t0 + hour);
  const again = t0 + 3 * day;
  retractions.accept('a', [retract('foo', again)], again);
  assert.equal(retractions.inForce('foo', again), undefined);
  retractions.accept('b', [retract('foo', again - 2 * day)], again);
  assert.deepEqual(retractions.inForce('foo', again), { slot: 'a', reason: 'malware' });
  retractions.accept('b', [], again + 1);
  assert.equal(retractions.inForce('foo', again + 1), undefined);
  retractions.accept('a', [], again + 2);
  const later = again + 2 + 7 * day;
  retractions.accept('a', [retract('foo', later)], later);
  assert.ok(retractions.inForce('foo', later));
});

test('a retraction dated back a week does not make room for the next one', () => {
  const retractions = new Retractions();
  retractions.accept('a', [retract('foo', t0)], t0);
  for (let hours = 24; hours < 7 * 24; hours += 12) {
    const now = t0 + hours * hour;
    retractions.accept('a', [], now);
    retractions.accept('a', [retract('foo', now - 9 * day)], now + 1);
    retractions.accept('a', [], now + 2);
    retractions.accept('a', [retract('foo', now + 3)], now + 3);
    assert.equal(retractions.inForce('foo', now + 3), undefined, `after ${hours} hours`);
  }
});

test('more than 32 at once: none of them counts, loudly; what others retract does', () => {
  const retractions = new Retractions();
  const many = Array.from({ length: 33 }, (_, at) => retract(`p${at}`, t0));
  retractions.accept('b', [retract('p0', t0)], t0);
  assert.equal(retractions.accept('a', many, t0), 'too-many');
  assert.equal(retractions.inForce('p1', t0), undefined);
  assert.equal(retractions.inForce('p0', t0)?.slot, 'b');
});

test('a voter that retracts others every minute is bounded, and cannot so make itself be forgotten', () => {
  const retractions = new Retractions();
  let alarm: string | undefined;
  retractions.accept('a', [retract('victim', t0)], t0);
  for (let round = 1; round <= 200; round += 1) {
    const now = t0 + round * 60_000;
    const list = Array.from({ length: 32 }, (_, at) => retract(`p${round}-${at}`, now));
    alarm = retractions.accept('a', list, now) ?? alarm;
  }
  assert.equal(alarm, 'too-many-in-a-week');
  assert.ok(retractions.kept('a').length <= 4096);
  retractions.accept('a', [retract('victim', t0 + day)], t0 + day);
  assert.equal(retractions.inForce('victim', t0 + day), undefined);
  const muchLater = t0 + 20 * day;
  retractions.accept('a', [], muchLater);
  assert.equal(retractions.accept('a', [retract('victim', muchLater)], muchLater + 8 * day), undefined);
});

test("the user's word goes before every publisher's, and misconduct ends a voter's retractions", () => {
  const retractions = new Retractions();
  retractions.accept('a', [retract('foo', t0), retract('bar', t0)], t0);
  retractions.override('foo', true);
  assert.equal(retractions.inForce('foo', t0), undefined);
  retractions.override('foo', false);
  assert.ok(retractions.inForce('foo', t0));
  retractions.exclude('a');
  assert.equal(retractions.inForce('bar', t0), undefined);
});

test('a restart forgets neither when a retraction began nor when one ended', () => {
  const before = new Retractions();
  before.accept('a', [retract('foo', t0), retract('bar', t0)], t0);
  before.accept('a', [retract('foo', t0)], t0 + hour);
  const after = new Retractions();
  after.restore('a', before.kept('a'));
  assert.equal(after.inForce('foo', t0 + day), undefined);
  after.accept('a', [retract('bar', t0 + 2 * hour)], t0 + 2 * hour);
  assert.equal(after.inForce('bar', t0 + 2 * hour), undefined);
});
