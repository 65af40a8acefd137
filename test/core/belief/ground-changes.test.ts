import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scope } from '../../../src/core/belief/voter-view.ts';
import { limits } from '../../../src/core/limits.ts';
import { createVoters, pair } from './world.ts';

const foo = pair(1, 1);

test('how often a voter’s ground has changed is counted for that voter, as long as bases remember it', () => {
  const { beliefs, says } = createVoters(2, 3);
  for (const id of ['a', 'b', 'c']) says(id, 100, { foo });
  for (const [i, complete] of [false, true, false].entries()) says('a', 110 + i, { foo }, { complete });
  says('b', 120, { foo });
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => beliefs.groundChanges(id)),
    [3, 0, 0],
  );
  says('b', 130, { foo }, { complete: false });
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => beliefs.groundChanges(id)),
    [3, 1, 0],
  );
  for (const id of ['a', 'b', 'c']) says(id, 200, { foo }, { complete: id === 'c' });
  assert.equal(beliefs.letBasesGo([]), true);
  assert.equal(beliefs.groundChanges('a'), 0);
});

test('a large scope that was left counts for several, and is told with the bases that stand on it', () => {
  const { beliefs, says } = createVoters(2, 3);
  const names = new Set(
    Array.from({ length: 2 * limits.belief.scopeNames }, (_, i) => `p${i}`).concat('foo'),
  );
  const large: Scope = { id: 'large', covers: (name) => names.has(name), names };
  const small: Scope = { id: 'small', covers: (name) => name === 'foo', names: new Set(['foo']) };
  for (const id of ['a', 'b', 'c']) says(id, 100, { foo });
  says('a', 110, { foo }, { scope: large });
  assert.equal(beliefs.groundChanges('a'), 1);
  says('a', 120, { foo }, { scope: small });
  assert.equal(beliefs.groundChanges('a'), 1 + 3);
  assert.deepEqual(
    beliefs.basisScopes().map(({ id }) => id),
    ['all', 'large'],
  );
});
