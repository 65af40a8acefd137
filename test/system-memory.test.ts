/** When a thread gives back the memory of its start. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../src/core/facts.ts';
import { releaseStartMemory } from '../src/system-memory.ts';
import { createFakeClock } from './support/fake-clock.ts';

const served = { route: 'page', status: 200, ms: 1 } as const;

test('memory is given back once, some time after the start', async () => {
  const clock = createFakeClock();
  let collections = 0;
  releaseStartMemory(clock, undefined, () => collections++);
  await clock.advance(19_000);
  assert.equal(collections, 0);
  await clock.advance(2000);
  assert.equal(collections, 1);
  await clock.advance(600_000);
  assert.equal(collections, 1);
});

test('it is not given back while clients are served, but when they have been quiet', async () => {
  const clock = createFakeClock();
  const facts = createFactEmitter();
  let collections = 0;
  releaseStartMemory(clock, facts, () => collections++);
  for (let second = 0; second < 60; second += 5) {
    facts.emit('served:request', served);
    await clock.advance(5000);
  }
  assert.equal(collections, 0);
  await clock.advance(20_000);
  assert.equal(collections, 1);
});
