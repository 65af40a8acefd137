/** When a thread gives memory back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../src/core/facts.ts';
import { type Heap, releaseMemory } from '../src/system-memory.ts';
import { createFakeClock } from './support/fake-clock.ts';

const MB = 1_000_000;
const served = { route: 'page', status: 200, ms: 1 } as const;

/** `live` is what a collection leaves. */
function createHeap(live: number): Heap & { live: number; garbage: number; collections: number } {
  return {
    live,
    garbage: 0,
    collections: 0,
    collect() {
      this.collections++;
      this.garbage = 0;
    },
    size() {
      return { held: this.live + this.garbage, used: this.live + this.garbage };
    },
  };
}

test('memory is given back some time after the start, and not again while nothing comes', async () => {
  const clock = createFakeClock();
  const heap = createHeap(40 * MB);
  heap.garbage = 30 * MB;
  releaseMemory(clock, undefined, heap);
  await clock.advance(19_000);
  assert.equal(heap.collections, 0);
  await clock.advance(2000);
  assert.equal(heap.collections, 1);
  await clock.advance(600_000);
  assert.equal(heap.collections, 1);
});

test('it is not given back while clients are served, but when they have been quiet', async () => {
  const clock = createFakeClock();
  const facts = createFactEmitter();
  const heap = createHeap(40 * MB);
  releaseMemory(clock, facts, heap);
  for (let second = 0; second < 60; second += 5) {
    facts.emit('served:request', served);
    await clock.advance(5000);
  }
  assert.equal(heap.collections, 0);
  await clock.advance(40_000);
  assert.equal(heap.collections, 1);
});

test('what later work leaves is given back too, once that work has ended', async () => {
  const clock = createFakeClock();
  const heap = createHeap(40 * MB);
  releaseMemory(clock, undefined, heap);
  await clock.advance(21_000);
  assert.equal(heap.collections, 1);
  for (let round = 0; round < 5; round++) {
    heap.garbage += 50 * MB;
    await clock.advance(20_000);
  }
  assert.equal(heap.collections, 1, 'at work');
  await clock.advance(40_000);
  assert.equal(heap.collections, 2);
});

test('what is really in use costs one collection, not one every time', async () => {
  const clock = createFakeClock();
  const heap = createHeap(40 * MB);
  releaseMemory(clock, undefined, heap);
  await clock.advance(21_000);
  heap.live += 200 * MB;
  await clock.advance(600_000);
  assert.equal(heap.collections, 2);
  heap.garbage += 20 * MB;
  await clock.advance(600_000);
  assert.equal(heap.collections, 2, 'too little');
});
