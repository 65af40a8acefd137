import assert from 'node:assert/strict';
import test from 'node:test';
import { directPageStands, pageAge } from '../../../src/core/belief/page-age.ts';
import { pair } from './world.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

test('fresh to 10 minutes, aged to a day, then refused unless the user allows it', () => {
  assert.deepEqual(pageAge(1000, 1000 + 10 * minute, false), { state: 'fresh', ms: 10 * minute });
  assert.equal(pageAge(1000, 1001 + 10 * minute, false).state, 'aged');
  assert.equal(pageAge(1000, 1000 + day, false).state, 'aged');
  assert.deepEqual(pageAge(1000, 1001 + day, false), { state: 'refused', ms: day + 1 });
  assert.deepEqual(pageAge(1000, 1001 + day, true), { state: 'aged', ms: day + 1 });
  assert.deepEqual(pageAge(1000, 900, false), { state: 'fresh', ms: 0 });
});

test('from direct to quorum: a page already served stays until the quorum reaches its serial, at most a day', () => {
  const page = { pair: pair(10, 1), readAt: 5 * day };
  const believed = (serial: number) => ({ choice: pair(serial, 2), at: page.readAt, floor: serial });
  const stands = (
    belief: Parameters<typeof directPageStands>[1],
    now = page.readAt + minute,
    from = page.readAt,
  ) => directPageStands(page, belief, from, now);
  assert.equal(stands(undefined), true);
  assert.equal(stands(believed(9)), true);
  assert.equal(stands(believed(10)), false);
  assert.equal(stands(undefined, page.readAt + day), false, 'by its own age');
  assert.equal(
    stands(undefined, page.readAt + minute, page.readAt + minute - day),
    false,
    'since the switch',
  );
});

test('from direct to quorum: a newer absence ends the page, an older one does not', () => {
  for (const serial of [0, 10]) {
    const page = { pair: pair(serial, 1), readAt: 1000 };
    const gone = (at: number, floor: number) => ({ choice: 'absent', at, floor }) as const;
    assert.equal(directPageStands(page, gone(1000, 0), 1000, 2000), true);
    assert.equal(directPageStands(page, gone(1001, 0), 1000, 2000), false);
    if (serial > 0) assert.equal(directPageStands(page, gone(900, serial), 1000, 2000), false);
  }
});

test('what was seen at a time that is still to come has no age: it is as old as can be', () => {
  assert.deepEqual(pageAge(day, 1000, false), { state: 'refused', ms: 2 * day - 1000 });
  assert.equal(pageAge(day, 1000, true).state, 'aged');
});
