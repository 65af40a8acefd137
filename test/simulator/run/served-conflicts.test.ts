import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServedConflicts } from '../../../src/simulator/run/served-conflicts.ts';
import { down, faultBegan, served } from '../../support/simulator/events.ts';

test('one name and serial with two pages is a conflict while two live nodes show them', () => {
  const conflicts = new ServedConflicts((fault) => fault === 'liars');
  conflicts.observe(served(1, { serial: 5, content: 'a' }));
  conflicts.observe(served(2, { serial: 6, content: 'b' }));
  conflicts.observe(served(3, { project: 'django', serial: 5, content: 'b' }));
  assert.equal(conflicts.count, 0);
  conflicts.observe(served(2, { serial: 5, content: 'b' }));
  assert.equal(conflicts.count, 1);
  conflicts.observe(served(4, { serial: 5, content: 'c' }));
  assert.equal(conflicts.count, 1);
  conflicts.observe(served(4, { serial: 5, content: 'a' }));
  conflicts.observe(down(2));
  assert.equal(conflicts.count, 0);
  conflicts.observe(served(2, { serial: 5, content: 'b' }));
  conflicts.observe(served(2, { serial: 6, content: 'b' }));
  assert.equal(conflicts.count, 0);
});

test('what liars show is no conflict', () => {
  const conflicts = new ServedConflicts((fault) => fault === 'liars');
  conflicts.observe(served(1, { serial: 5, content: 'a' }));
  conflicts.observe(served(2, { serial: 5, content: 'b' }));
  assert.equal(conflicts.count, 1);
  conflicts.observe(faultBegan('liars', 2));
  assert.equal(conflicts.count, 0);
  conflicts.observe(served(2, { serial: 5, content: 'b' }));
  assert.equal(conflicts.count, 0);
});
