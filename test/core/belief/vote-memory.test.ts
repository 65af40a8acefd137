import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { VoteMemory } from '../../../src/core/belief/vote-memory.ts';
import { pair } from './world.ts';

function heap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 1e6;
}

test('votes that were forgotten take no memory, however many there were', () => {
  const memory = new VoteMemory({ perName: 4, perVoter: 100 });
  const vote = { candidate: pair(1, 1), at: 1 };
  // Some had to be forgotten for others; then there is room again.
  for (let at = 0; at < 200; at++) memory.remember('a', `first-${at}`, vote);
  for (let at = 190; at < 200; at++) memory.prune('a', `first-${at}`, 2);
  const before = heap();
  for (let at = 0; at < 200_000; at++) {
    memory.remember('a', `name-${at}`, vote);
    memory.prune('a', `name-${at}`, 2);
  }
  const grown = heap() - before;
  // So that it is still there.
  assert.equal(memory.count('a'), 90);
  assert.ok(grown < 2, `${grown.toFixed(0)} MB more`);
});

test('the votes that were touched longest ago are forgotten first, over many changes', () => {
  const memory = new VoteMemory({ perName: 4, perVoter: 3 });
  const forgotten: string[] = [];
  for (let at = 0; at < 5000; at++)
    forgotten.push(...memory.remember('a', `name-${at}`, { candidate: pair(1, 1), at }));
  assert.deepEqual(
    forgotten,
    Array.from({ length: 4997 }, (_, at) => `name-${at}`),
  );
  assert.equal(memory.count('a'), 3);
});
