import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeadDivergence } from '../../../src/simulator/run/head-divergence.ts';
import { advanced, down, up, wiped } from '../../support/simulator/events.ts';

test('D is 0 while all have the same heads and 1 - sum((n/N)^2) where they differ; only live nodes count', () => {
  const heads = new HeadDivergence();
  const now = (): [number, number | undefined] => [heads.heads, heads.divergence];
  assert.deepEqual(now(), [0, undefined]);
  for (const node of [1, 2, 3, 4]) heads.observe(up(node));
  // Four without any head: nothing differs, and there is no head.
  assert.deepEqual(now(), [0, 0]);
  for (const node of [1, 2, 3, 4]) heads.observe(advanced(node, 9, 5));
  assert.deepEqual(now(), [1, 0]);
  heads.observe(advanced(1, 9, 6));
  // 3 of 4 and 1 of 4: 1 - 9/16 - 1/16.
  assert.deepEqual(now(), [2, 0.375]);
  heads.observe(advanced(2, 8, 1));
  assert.deepEqual(now(), [3, 0.625]);
  heads.observe(down(1));
  // 2 and 1 of 3: 1 - 4/9 - 1/9.
  assert.equal(heads.heads, 2);
  assert.ok(Math.abs((heads.divergence ?? 0) - 4 / 9) < 1e-12);
  // It comes back with what it had, and without when its disk is lost.
  heads.observe(up(1));
  assert.deepEqual(now(), [3, 0.625]);
  heads.observe(down(1));
  heads.observe(wiped(1));
  heads.observe(up(1));
  assert.deepEqual(now(), [2, 0.625]);
});

test('heads that were told before a node was up count from then on', () => {
  const heads = new HeadDivergence();
  heads.observe(advanced(1, 9, 5));
  assert.equal(heads.heads, 0);
  heads.observe(up(1));
  assert.equal(heads.heads, 1);
});
