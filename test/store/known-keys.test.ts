import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownKeys } from '../../src/store/known-keys.ts';

test('what was never told is not there, what was told may be', () => {
  const keys = new KnownKeys(3);
  keys.add('a');
  assert.equal(keys.mayHave('a'), true);
  assert.equal(keys.mayHave('b'), false);
});

test('of more keys than it holds, none is denied', () => {
  const keys = new KnownKeys(3);
  for (const key of ['a', 'b', 'c', 'c']) keys.add(key);
  assert.equal(keys.full, false);
  assert.equal(keys.mayHave('z'), false);
  keys.add('d');
  assert.equal(keys.full, true);
  for (const key of ['a', 'd', 'z']) assert.equal(keys.mayHave(key), true);
  keys.add('e');
  assert.equal(keys.mayHave('z'), true);
});
