import assert from 'node:assert/strict';
import test from 'node:test';
import { judgeRecord } from '../../../src/core/belief/record-order.ts';

const record = { v: 1, upstream: 'u', format: 'json', seq: 5, signedAt: 2000, observedAt: 1900 };
const place = { upstream: 'u', format: 'json', leafIndex: 5, receivedAt: 2100, now: 2100 };
const before = { seq: 4, observedAt: 1900 };

test('a record is a vote as of what it observed', () => {
  assert.deepEqual(judgeRecord(before, record, place), { verdict: 'vote', observedAt: 1900 });
  assert.deepEqual(judgeRecord(undefined, record, place), { verdict: 'vote', observedAt: 1900 });
});

test('a record is never younger than its first receipt, though the publisher may say so', () => {
  assert.deepEqual(judgeRecord(before, record, { ...place, receivedAt: 1500 }), {
    verdict: 'vote',
    observedAt: 1500,
  });
});

test('a wrong seq and an observation before the last one are refused; a serial is no reason', () => {
  const refused = (reason: string) => ({ verdict: 'refused', reason });
  assert.deepEqual(judgeRecord(before, record, { ...place, leafIndex: 6 }), refused('wrong-seq'));
  assert.deepEqual(judgeRecord({ ...before, observedAt: 1901 }, record, place), refused('observed-earlier'));
});

test('what was accepted before is old, however it is replayed', () => {
  assert.deepEqual(judgeRecord({ seq: 5, observedAt: 1900 }, record, place), { verdict: 'old' });
  assert.deepEqual(judgeRecord({ seq: 6, observedAt: 5000 }, record, place), { verdict: 'old' });
});

test('a record ahead of the clock is deferred until the clock comes near, whichever of its times is ahead', () => {
  for (const ahead of [
    { ...record, signedAt: 60_000 },
    { ...record, observedAt: 60_000 },
  ]) {
    assert.deepEqual(judgeRecord(before, ahead, place), { verdict: 'deferred', until: 50_000 });
    assert.equal(judgeRecord(before, ahead, { ...place, now: 49_999 }).verdict, 'deferred');
    assert.equal(judgeRecord(before, ahead, { ...place, now: 50_000 }).verdict, 'vote');
  }
});

test('an unknown version, another upstream or format is no vote, and nobody is to blame', () => {
  assert.deepEqual(judgeRecord(before, { ...record, v: 2 }, place), { verdict: 'no-vote', why: 'version' });
  assert.deepEqual(judgeRecord(before, { ...record, upstream: 'x' }, place), {
    verdict: 'no-vote',
    why: 'upstream',
  });
  assert.deepEqual(judgeRecord(before, { ...record, format: 'html' }, place), {
    verdict: 'no-vote',
    why: 'format',
  });
});
