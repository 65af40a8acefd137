import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cpuCosts } from '../../../src/simulator/kernel/cpu/cpu-costs.ts';
import { EventHeap, type HeapEntry } from '../../../src/simulator/kernel/event-heap.ts';
import { Kernel, type Phase } from '../../../src/simulator/kernel/kernel.ts';
import type { Owner } from '../../../src/simulator/kernel/owner.ts';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';

const randomness = createRandomness(deriveStream(1, 0, 'world', 'test'));

function createKernel(costs = cpuCosts.zero, livelock = 1000, cores?: number): Kernel {
  return new Kernel({ epoch: 0, costs, cores, randomness, setImmediate, livelock });
}

function node(number: number): Owner {
  return { node: number, incarnation: 0, randomness, skew: 0, alive: true };
}

test('entries leave the heap in the order of time, phase and sequence, whatever was removed between', () => {
  const step = fc.record({ at: fc.nat(20), phase: fc.nat(5), removes: fc.option(fc.nat(1000)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new EventHeap<HeapEntry>();
      let held: HeapEntry[] = [];
      steps.forEach(({ at, phase, removes }, sequence) => {
        const entry = { at, phase, sequence, place: -1 };
        heap.push(entry);
        held.push(entry);
        const victim = removes === null ? undefined : held[removes % held.length];
        if (victim === undefined) return;
        heap.remove(victim);
        heap.remove(victim);
        held = held.filter((one) => one !== victim);
      });
      assert.equal(heap.size, held.length);
      const left = [];
      for (let entry = heap.pop(); entry; entry = heap.pop()) left.push(entry);
      assert.deepEqual(
        left,
        held.toSorted((a, b) => a.at - b.at || a.phase - b.phase || a.sequence - b.sequence),
      );
    }),
  );
});

test('at one instant heals, cuts, crashes, starts, deliveries and timers come in this order', async () => {
  const kernel = createKernel();
  const seen: string[] = [];
  for (const phase of ['timer', 'deliver', 'start', 'crash', 'cut', 'heal'] as Phase[])
    kernel.schedule(10, phase, kernel.world, () => seen.push(phase));
  await kernel.run(10);
  assert.deepEqual(seen, ['heal', 'cut', 'crash', 'start', 'deliver', 'timer']);
});

test('one event with ten thousand promises and ticks is done before the next begins', async () => {
  const kernel = createKernel();
  const [one, other] = [node(1), node(2)];
  const owners: number[] = [];
  kernel.schedule(1, 'timer', one, () => {
    void (async () => {
      for (let i = 0; i < 10_000; i++) {
        await (i % 100 === 0 ? new Promise<void>((resolve) => process.nextTick(resolve)) : undefined);
      }
      owners.push(kernel.current.node);
    })();
  });
  kernel.schedule(1, 'timer', other, () => owners.push(kernel.current.node));
  await kernel.run(5);
  assert.deepEqual(owners, [1, 2]);
  assert.equal(kernel.now, 5);
});

test('a busy node takes what is due one by one, in the order in which it came due', async () => {
  const kernel = createKernel({
    event: 100,
    timer: 100,
    byteReceived: 1,
    byteSent: 0,
    handshake: 0,
    start: 0,
  });
  const [busy, idle] = [node(1), node(2)];
  const seen: [string, number][] = [];
  const note = (name: string): void => void seen.push([name, kernel.now]);
  kernel.schedule(0, 'timer', busy, () => {
    note('a');
    kernel.charge(50);
  });
  const cancelled = kernel.schedule(10, 'timer', busy, () => note('cancelled'));
  kernel.schedule(20, 'timer', busy, () => note('b'));
  kernel.schedule(20, 'timer', idle, () => note('other node'));
  kernel.schedule(30, 'deliver', busy, () => note('c'));
  kernel.schedule(40, 'timer', kernel.world, () => kernel.cancel(cancelled));
  kernel.schedule(500, 'timer', busy, () => note('d'));
  await kernel.run(1000);
  assert.deepEqual(seen, [
    ['a', 0],
    ['other node', 20],
    ['b', 150],
    ['c', 250],
    ['d', 500],
  ]);
});

test('a timer costs its node what the table says of timers, another event what it says of events', async () => {
  const kernel = createKernel({
    event: 100,
    timer: 10,
    byteReceived: 0,
    byteSent: 0,
    handshake: 0,
    start: 0,
  });
  const owner = node(1);
  const seen: number[] = [];
  for (const phase of ['timer', 'timer', 'deliver', 'deliver'] as Phase[])
    kernel.schedule(5, phase, owner, () => seen.push(kernel.now));
  await kernel.run(1000);
  assert.deepEqual(seen, [5, 105, 205, 215]);
});

test('nodes that share cores wait for one, each in its own order; the world needs none', async () => {
  const kernel = createKernel(
    { event: 100, timer: 100, byteReceived: 0, byteSent: 0, handshake: 0, start: 0 },
    1000,
    2,
  );
  const seen: string[] = [];
  const note = (name: string): void => void seen.push(`${name} at ${kernel.now}`);
  const [a, b, c] = [node(1), node(2), node(3)];
  for (const [name, owner] of [
    ['a1', a],
    ['b1', b],
    ['c1', c],
    ['a2', a],
    ['world', kernel.world],
    ['c2', c],
  ] as const)
    kernel.schedule(10, 'timer', owner, () => note(name));
  await kernel.run(1000);
  assert.deepEqual(seen, ['a1 at 10', 'b1 at 10', 'world at 10', 'c1 at 110', 'a2 at 110', 'c2 at 210']);
  kernel.schedule(0, 'timer', b, () => note('b2'));
  kernel.kill(a);
  await kernel.run(2000);
  assert.equal(seen.at(-1), 'b2 at 1000');
});

test('a node that always has more to do does not keep a shared core from the others', async () => {
  const kernel = createKernel(
    { event: 100, timer: 100, byteReceived: 0, byteSent: 0, handshake: 0, start: 0 },
    1000,
    1,
  );
  const seen: string[] = [];
  const [a, b, c] = [node(1), node(2), node(3)];
  for (const [name, owner] of [
    ['a', a],
    ['b', b],
    ['c', c],
  ] as const) {
    const work = (left: number): void => {
      seen.push(name);
      if (left > 1) kernel.schedule(0, 'start', owner, () => work(left - 1));
    };
    kernel.schedule(10, 'deliver', owner, () => work(3));
  }
  await kernel.run(2000);
  // The second of `a` came due before the others had their first.
  assert.equal(seen.join(''), 'aabcabcbc');
});

test('a life that ended does nothing more, not even what waited for its busy node', async () => {
  const kernel = createKernel({
    event: 1000,
    timer: 1000,
    byteReceived: 0,
    byteSent: 0,
    handshake: 0,
    start: 0,
  });
  const owner = node(1);
  const seen: string[] = [];
  kernel.schedule(0, 'timer', owner, () => seen.push('first'));
  kernel.schedule(10, 'timer', owner, () => seen.push('waits'));
  kernel.schedule(100, 'timer', owner, () => seen.push('later'));
  kernel.schedule(50, 'crash', kernel.world, () => kernel.kill(owner));
  await kernel.run(5000);
  assert.deepEqual(seen, ['first']);
  assert.equal(kernel.pending, 0);
  assert.throws(() => kernel.schedule(1, 'timer', owner, () => {}), /node 1 \(life 0\) is dead/);
});

test('events without end at one instant fail the run and name whose they are', async () => {
  const kernel = createKernel();
  const owner = node(7);
  const again = (): void => void kernel.schedule(0, 'timer', owner, again);
  kernel.schedule(0, 'timer', owner, again);
  await assert.rejects(kernel.run(10), (error: Error) =>
    /1000 events without the clock moving.*node 7/.test(String(error.cause)),
  );
});

test('an event that throws fails the run and names its owner and time', async () => {
  const kernel = createKernel();
  kernel.schedule(25, 'timer', node(3), () => {
    throw new Error('broken');
  });
  await assert.rejects(kernel.run(100), /node 3 \(life 0\) threw at 25 us/);
});

test('what a node is asked to do gives its outcome back as an event of the world', async () => {
  const kernel = createKernel();
  const owner = node(4);
  const owners: number[] = [];
  const done = kernel
    .perform(owner, async () => {
      owners.push(kernel.current.node);
      await Promise.resolve();
      return 'done';
    })
    .then((value) => owners.push(kernel.current.node, value.length));
  const failed = assert.rejects(
    kernel.perform(owner, () => Promise.reject(new Error('no'))),
    /no/,
  );
  await kernel.run(0);
  await Promise.all([done, failed]);
  assert.deepEqual(owners, [4, -1, 4]);
});

test('an event at no time is refused: no order would hold with it', () => {
  const kernel = createKernel();
  assert.throws(() => kernel.schedule(Number.NaN, 'timer', kernel.world, () => {}), /the world in NaN/);
});
