import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../src/core/clock.ts';
import { createMemoryBudget } from '../../src/mirror/memory-budget.ts';
import { parallelRanges } from '../../src/mirror/parallel-ranges.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { same, someBytes } from './file-node.ts';

const MiB = 1024 * 1024;
const CHUNK = 128 * 1024;
const whole = someBytes(12 * MiB + 77, 4);

interface Peer {
  /** Bytes a second. */
  rate: number;
  cutAt?: number;
  stallAt?: number;
}

interface Run {
  clock: FakeClock;
  memory: ReturnType<typeof createMemoryBudget>;
  controller: AbortController;
  failed: string[];
  /** Requests being answered. */
  active: number;
  /** Highest byte asked for. */
  asked: number;
  given: Record<string, number>;
  join: (peerId: string) => void;
  chunks: ReturnType<typeof parallelRanges>;
}

/** Those of `late` are there, but not from the beginning. */
function start(
  peers: Record<string, Peer>,
  memoryBytes = 64 * MiB,
  from = 0,
  late: Record<string, Peer> = {},
): Run {
  const clock = createFakeClock();
  const memory = createMemoryBudget(memoryBytes);
  const controller = new AbortController();
  const run = {
    clock,
    memory,
    controller,
    failed: [] as string[],
    active: 0,
    asked: 0,
    given: {} as Record<string, number>,
    join: (peerId: string): void => assert.fail(`${peerId} cannot join yet`),
  };
  async function* fetch(
    peerId: string,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const peer = (peers[peerId] ?? late[peerId]) as Peer;
    run.active++;
    run.asked = Math.max(run.asked, offset + length);
    try {
      for (let sent = 0; sent < length; sent += CHUNK) {
        const given = run.given[peerId] ?? 0;
        if (given >= (peer.cutAt ?? Infinity)) throw new Error('reset');
        if (given >= (peer.stallAt ?? Infinity)) await sleep(clock, 1e9, signal);
        const size = Math.min(CHUNK, length - sent);
        await sleep(clock, (size * 1000) / peer.rate, signal);
        run.given[peerId] = (run.given[peerId] ?? 0) + size;
        yield whole.slice(offset + sent, offset + sent + size);
      }
    } finally {
      run.active--;
    }
  }
  const chunks = parallelRanges({
    start: from,
    end: whole.length,
    peers: Object.keys(peers),
    fetch,
    onBegun: (join) => void (run.join = join),
    onFailure: (peerId) => void run.failed.push(peerId),
    clock,
    memory,
    signal: controller.signal,
  });
  return Object.assign(run, { chunks });
}

async function settle<T>(run: Run, promise: Promise<T>): Promise<T> {
  const state = { over: false };
  const finish = (): void => void (state.over = true);
  promise.then(finish, finish);
  for (let n = 0; !state.over && n < 4000; n++) await run.clock.advance(25);
  return promise;
}

async function drain(run: Run, from = 0): Promise<Uint8Array> {
  const out = new Uint8Array(whole.length - from);
  let at = from;
  for await (const { offset, bytes } of run.chunks) {
    assert.equal(offset, at, 'in order, without gaps');
    out.set(bytes, at - from);
    at += bytes.length;
  }
  return out.subarray(0, at - from);
}

test('several peers give one blob, in order, about as fast as all of them together', async () => {
  const run = start({ a: { rate: 2 * MiB }, b: { rate: 2 * MiB }, c: { rate: 2 * MiB } });
  same(await settle(run, drain(run)), whole);
  assert.ok(run.clock.monotonic() < 4000, `${run.clock.monotonic()}`);
  for (const peer of ['a', 'b', 'c']) assert.ok((run.given[peer] ?? 0) >= MiB);
  assert.equal(run.memory.taken, 0);
});

test('it may begin in the middle', async () => {
  const run = start({ a: { rate: 9 * MiB }, b: { rate: 9 * MiB } }, 64 * MiB, 5 * MiB + 3);
  same(await settle(run, drain(run, 5 * MiB + 3)), whole.subarray(5 * MiB + 3));
});

test('what a broken peer did not bring another goes on with, at the byte reached', async () => {
  const run = start({ a: { rate: 4 * MiB, cutAt: MiB + CHUNK }, b: { rate: 4 * MiB } });
  same(await settle(run, drain(run)), whole);
  assert.deepEqual(run.failed, ['a']);
  assert.equal((run.given['a'] ?? 0) + (run.given['b'] ?? 0), whole.length, 'nothing was fetched twice');
});

test('a peer that stalls on the unit that all wait for loses it', async () => {
  const run = start({ a: { rate: 4 * MiB, stallAt: 0 }, b: { rate: 4 * MiB } });
  same(await settle(run, drain(run)), whole);
  assert.deepEqual(run.failed, ['a']);
  assert.ok(run.clock.monotonic() < 8000, `${run.clock.monotonic()}`);
});

test('when no peer is left it fails with what the last one said', async () => {
  const run = start({ a: { rate: 4 * MiB, cutAt: MiB }, b: { rate: 4 * MiB, cutAt: MiB } });
  await assert.rejects(settle(run, drain(run)), /reset/);
  assert.deepEqual(run.failed.sort(), ['a', 'b']);
  assert.equal(run.memory.taken, 0);
});

test('no more than 16 MiB run ahead of a reader that stands still', async () => {
  const long = start({ a: { rate: 99 * MiB }, b: { rate: 99 * MiB } });
  const reader = long.chunks[Symbol.asyncIterator]();
  await settle(long, reader.next());
  await long.clock.advance(20_000);
  assert.ok(long.memory.taken <= 16 * MiB, `${long.memory.taken}`);
  assert.equal(long.active, 0);
  await settle(long, reader.return(undefined));
});

test('without memory it goes on, a unit at a time', async () => {
  const run = start({ a: { rate: 8 * MiB }, b: { rate: 8 * MiB } }, 0);
  same(await settle(run, drain(run)), whole);
  assert.equal(run.memory.taken, 0);
});

test('memory that was not free bounds how far it runs ahead', async () => {
  const run = start({ a: { rate: 99 * MiB }, b: { rate: 99 * MiB } }, 3 * MiB);
  const reader = run.chunks[Symbol.asyncIterator]();
  await settle(run, reader.next());
  await run.clock.advance(5000);
  assert.ok(run.asked <= 5 * MiB, `${run.asked}`);
  await settle(run, reader.return(undefined));
  assert.equal(run.memory.taken, 0);
});

test('leaving the loop ends all requests', async () => {
  const run = start({ a: { rate: MiB }, b: { rate: MiB } });
  const reader = run.chunks[Symbol.asyncIterator]();
  await settle(run, reader.next());
  assert.ok(run.active > 0);
  await settle(run, reader.return(undefined));
  assert.equal(run.active, 0);
  assert.equal(run.clock.pending, 0);
});

test('an abort ends it at once', async () => {
  const run = start({ a: { rate: 1000 }, b: { rate: 1000 } });
  const draining = drain(run);
  await run.clock.advance(100);
  run.controller.abort(new Error('enough'));
  await assert.rejects(settle(run, draining), /enough/);
  assert.equal(run.active, 0);
});

test('a peer that joins while it runs takes its share; who joins when it is over does nothing', async () => {
  const run = start({ a: { rate: MiB } }, 64 * MiB, 0, { b: { rate: 4 * MiB } });
  const draining = drain(run);
  await run.clock.advance(1000);
  run.join('b');
  run.join('b');
  same(await settle(run, draining), whole);
  assert.ok(run.clock.monotonic() < 5000, `${run.clock.monotonic()}`);
  assert.ok((run.given['b'] ?? 0) > 6 * MiB);
  assert.equal((run.given['a'] ?? 0) + (run.given['b'] ?? 0), whole.length);
  run.join('c');
  await run.clock.advance(1000);
  assert.equal(run.active, 0);
  assert.equal(run.memory.taken, 0);
});

test('it goes on with who joined when the first one breaks', async () => {
  const run = start({ a: { rate: 2 * MiB, cutAt: 3 * MiB } }, 64 * MiB, 0, { b: { rate: 2 * MiB } });
  const draining = drain(run);
  await run.clock.advance(500);
  run.join('b');
  same(await settle(run, draining), whole);
  assert.deepEqual(run.failed, ['a']);
});
