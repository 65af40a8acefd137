/** What of a flight is in memory: readers that keep up are given it, the store gets it in large pieces, and it is bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/core/limits.ts';
import { FreshBytes } from '../../src/mirror/fresh-bytes.ts';
import { createFileNode, type FileNode, opened, refOf, same, someBytes } from './file-node.ts';

const KiB = 1024;
const { chunksKept, freshRoom, writeAtOnce } = limits.fetch;
const whole = someBytes(3000 * KiB, 51);

interface Seen {
  appends: number;
  reads: number;
}

function watchPartials(node: FileNode): Seen {
  const seen = { appends: 0, reads: 0 };
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (...given) => {
    const partial = await open(...given);
    const [append, read] = [partial.append.bind(partial), partial.read.bind(partial)];
    partial.append = (...bytes) => (seen.appends++, append(...bytes));
    partial.read = (...where) => (seen.reads++, read(...where));
    return partial;
  };
  return seen;
}

test('a client that keeps up is given what came: nothing is read back, and the store is written to in large pieces', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 1000 * KiB } });
  const seen = watchPartials(node);
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(seen.reads, 0);
  const least = Math.ceil(whole.length / writeAtOnce);
  assert.ok(seen.appends <= 2 * least, `${seen.appends} writes for ${whole.length} bytes`);
});

test('a client that comes later reads what is not in memory any more from the partial, then what came', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 1000 * KiB } });
  const seen = watchPartials(node);
  const first = opened(await answerOf(node, node.openFile(refOf(whole))));
  while ((first.available ?? 0) < 2000 * KiB) await node.clock.advance(50);
  const second = opened(await node.openFile(refOf(whole)));
  const early = new Uint8Array(100 * KiB);
  assert.ok((await second.read(early, 0)) > 0);
  assert.equal(seen.reads, 1);
  const late = new Uint8Array(10 * KiB);
  assert.equal(await second.read(late, 1900 * KiB), late.length);
  assert.equal(seen.reads, 1);
  same(early.subarray(0, 100), whole.subarray(0, 100));
  same(late, whole.subarray(1900 * KiB, 1910 * KiB));
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

async function answerOf<T>(node: FileNode, asked: Promise<T>): Promise<T> {
  let over = false;
  void asked.finally(() => (over = true)).catch(() => undefined);
  while (!over) await node.clock.advance(50);
  return asked;
}

test('it is what came, however it was cut, written, released and read', () => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant('add' as const),
      bytes: fc.integer({ min: 1, max: 300 * KiB }),
      peer: fc.boolean(),
    }),
    fc.record({ what: fc.constant('write' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ what: fc.constant('release' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ what: fc.constant('read' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  const all = someBytes(8000 * KiB, 52);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const fresh = new FreshBytes(0, freshRoom);
      let written = 0;
      let least = 0;
      for (const now of steps) {
        if (now.what === 'add') {
          fresh.add(all.slice(fresh.end, fresh.end + now.bytes), now.peer ? 'peer:a' : 'http://u');
        } else if (now.what === 'write') {
          const run = fresh.nextRun();
          if (run === undefined) continue;
          same(run.bytes, all.subarray(written, written + run.bytes.length));
          written += Math.ceil(run.bytes.length * now.part);
          fresh.wrote(written);
        } else if (now.what === 'release') {
          least = Math.max(least, Math.floor(fresh.end * now.at));
          fresh.release(least);
        } else {
          const offset = Math.floor(fresh.end * now.at);
          const target = new Uint8Array(5000);
          const read = fresh.read(target, offset);
          same(target.subarray(0, read), all.subarray(offset, offset + read));
          if (offset >= written) assert.equal(read, Math.min(target.length, fresh.end - offset));
        }
        assert.equal(fresh.unwritten, fresh.end - written);
      }
    }),
    { numRuns: 200 },
  );
});

test('what is written stays within its room, in bytes and in pieces', () => {
  const fresh = new FreshBytes(0, freshRoom);
  const target = new Uint8Array(1);
  for (let at = 0; at < 40; at++) fresh.add(new Uint8Array(64 * KiB), 'http://u');
  fresh.wrote(fresh.end);
  assert.equal(fresh.read(target, fresh.end - freshRoom - 64 * KiB - 1), 0);
  assert.equal(fresh.read(target, fresh.end - freshRoom + 64 * KiB), 1);
  const small = new FreshBytes(0, freshRoom);
  for (let at = 0; at < 10 * chunksKept; at++) {
    small.add(new Uint8Array(1), 'http://u');
    assert.equal(small.worthWriting, small.unwritten >= chunksKept);
    if (small.worthWriting) small.wrote(small.end);
  }
  assert.equal(small.read(target, small.end - chunksKept - 1), 0);
});

test('pieces of two senders are never written as one', () => {
  const fresh = new FreshBytes(0, freshRoom);
  fresh.add(new Uint8Array([1, 2]), 'http://u');
  fresh.add(new Uint8Array([3]), 'peer:a');
  assert.deepEqual(fresh.nextRun(), { bytes: new Uint8Array([1, 2]), source: 'http://u' });
  fresh.wrote(2);
  assert.deepEqual(fresh.nextRun(), { bytes: new Uint8Array([3]), source: 'peer:a' });
});
