/** No room: files are passed through, verified all the same; nothing is stored, and memory is bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import type { OpenedFile } from '../../src/mirror/mirror.ts';
import { StorageFullError } from '../../src/core/errors.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { openGround } from '../../src/mirror/flight-ground.ts';
import { createMemoryBudget } from '../../src/mirror/memory-budget.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import {
  createFileNode,
  type FileNode,
  opened,
  readAll,
  refOf,
  same,
  sha256,
  someBytes,
} from './file-node.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const whole = someBytes(600 * KiB, 21);
const big = someBytes(9 * MiB, 22);

/** The disk is full after so many bytes of a partial. */
function fullAfter(node: FileNode, bytes: number): void {
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (digest, options) => {
    const partial = await open(digest, options);
    const append = partial.append.bind(partial);
    partial.append = async (chunk, source) => {
      const fits = Math.max(0, bytes - partial.length);
      if (fits > 0) await append(chunk.subarray(0, fits), source);
      if (fits < chunk.length) throw new StorageFullError('the disk is full');
    };
    return partial;
  };
}

test('a file larger than the quota is served right, and not stored', async () => {
  await using node = createFileNode({ script: { bytes: whole }, quotaBytes: 100 * KiB });
  same((await node.get(refOf(whole))).bytes, whole);
  assert.equal(node.store.totals().blobs, 0);
  assert.equal(node.store.totals().partials, 0);
  assert.equal(node.facts('storage:full').length, 1);
  assert.equal(node.facts('blob:fetched').length, 1);
});

test('the full store is told once a minute at most', async () => {
  await using node = createFileNode({ script: { bytes: whole }, quotaBytes: 100 * KiB });
  await node.get(refOf(whole));
  await node.get(refOf(whole));
  assert.equal(node.facts('storage:full').length, 1);
  await node.clock.advance(60_000);
  await node.get(refOf(whole));
  assert.equal(node.facts('storage:full').length, 2);
});

test('a disk that fills up in the middle: the rest goes past it, the client notices nothing', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 400 * KiB } });
  fullAfter(node, 250_000);
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.equal(got.error, undefined);
  assert.equal(node.store.totals().blobs, 0);
  assert.equal(node.store.totals().partials, 0, 'what did fit is given back');
  const next = node.upstream.requests[1]?.offset ?? 0;
  assert.ok(next > 250_000, 'what came and did not fit is not asked for again');
});

test('after a write that failed nothing is written behind the gap', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (digest, options) => {
    const partial = await open(digest, options);
    const append = partial.append.bind(partial);
    let calls = 0;
    partial.append = async (chunk, source) => {
      await node.clock.advance(0);
      if (++calls === 5) throw new StorageFullError('full for a moment');
      await append(chunk, source);
    };
    return partial;
  };
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.equal(node.facts('integrity:mismatch').length, 0);
});

test('wrong bytes are not completed without a store either', async () => {
  const wrong = whole.slice();
  wrong[500_000] = (wrong[500_000] ?? 0) ^ 1;
  await using node = createFileNode({ script: { bytes: wrong, rate: 400 * KiB }, quotaBytes: 100 * KiB });
  const got = await node.get(refOf(whole));
  assert.equal((got.error as { code?: string }).code, 'INTEGRITY');
  assert.ok(got.bytes.length < whole.length);
});

test('clients that come together share one request', async () => {
  await using node = createFileNode({ script: { bytes: whole, rate: 400 * KiB }, quotaBytes: 100 * KiB });
  const clients = Array.from({ length: 5 }, () => readAll(node, node.clock, refOf(whole)));
  for (const got of await node.until(Promise.all(clients))) same(got.bytes, whole);
  assert.equal(node.upstream.requests.length, 1);
});

test('a slow reader holds the source back instead of filling memory', async () => {
  await using node = createFileNode({ script: { bytes: big }, quotaBytes: 100 * KiB });
  let pulled = 0;
  const file = node.upstream.file.bind(node.upstream);
  node.upstream.file = async (url, request) => {
    const answer = await file(url, request);
    if (answer === undefined) return undefined;
    const { body } = answer;
    return {
      ...answer,
      body: (async function* () {
        for await (const bytes of body) {
          pulled += bytes.length;
          yield bytes;
        }
      })(),
    };
  };
  const slow = opened(await node.until(node.openFile(refOf(big))));
  await node.clock.advance(60_000);
  const most = limits.fetch.passThroughWindow + limits.fetch.unwritten + 64 * KiB;
  assert.ok(pulled <= most, `${pulled} bytes were taken for a reader that reads nothing`);
  assert.equal(node.upstream.requests.length, 1, 'waiting for the reader is no stall of the source');
  same(await node.until(drain(slow)), big);
});

test('a late client whose first bytes are gone gets a flight of its own', async () => {
  await using node = createFileNode({ script: { bytes: big }, quotaBytes: 100 * KiB });
  const first = opened(await node.until(node.openFile(refOf(big))));
  const head = new Uint8Array(MiB);
  await node.until(first.read(head, 0));
  await node.until(first.read(head, MiB));
  await node.clock.advance(100);
  const late = readAll(node, node.clock, refOf(big));
  same((await node.until(late)).bytes, big);
  assert.equal(node.upstream.requests.length, 2);
  await first[Symbol.asyncDispose]();
});

test('a reader that makes a full window wait while others starve is left behind; the others finish', async () => {
  await using node = createFileNode({ script: { bytes: big }, quotaBytes: 100 * KiB });
  const stuck = opened(await node.until(node.openFile(refOf(big))));
  const got = await node.get(refOf(big));
  same(got.bytes, big);
  assert.ok(got.gap < 10_000, `${got.gap}`);
  await assert.rejects(stuck.read(new Uint8Array(10), 0), { code: 'UNAVAILABLE' });
  await stuck[Symbol.asyncDispose]();
});

test('when the last client of a passed-through file leaves, the source is left at once', async () => {
  await using node = createFileNode({ script: { bytes: big, rate: MiB }, quotaBytes: 100 * KiB });
  const file = opened(await node.until(node.openFile(refOf(big))));
  await file[Symbol.asyncDispose]();
  await node.clock.advance(1000);
  assert.equal(node.flights, 0);
  assert.equal(node.upstream.active, 0);
});

test('a blob that is whole and right is served although the store cannot commit it', async () => {
  await using node = createFileNode({ script: { bytes: whole } });
  const open = node.store.openPartial.bind(node.store);
  node.store.openPartial = async (digest, options) => {
    const partial = await open(digest, options);
    partial.commit = () => Promise.reject(new StorageFullError('no room for the catalog'));
    return partial;
  };
  const got = await node.get(refOf(whole));
  same(got.bytes, whole);
  assert.equal(node.facts('storage:full').length, 1);
  assert.equal(node.flights, 0);
});

test('strangers and peers serve without a store, too', async () => {
  await using node = createFileNode({ offline: true, quotaBytes: 100 * KiB });
  node.peer('stranger', whole, { stranger: true });
  same((await node.get(refOf(whole))).bytes, whole);
});

async function drain(file: OpenedFile): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(256 * KiB);
  for (let offset = 0; ;) {
    const got = await file.read(buffer, offset);
    if (got === 0) break;
    parts.push(buffer.slice(0, got));
    offset += got;
  }
  await file[Symbol.asyncDispose]();
  return Buffer.concat(parts);
}

test('memory that was taken for a window is given back also when the disk gives nothing back', async () => {
  const store = createMemoryBlobStore({
    clock: createFakeClock(),
    facts: createFactEmitter(),
    quotaBytes: 1e9,
  });
  const open = store.openPartial.bind(store);
  store.openPartial = async (...given) => {
    const partial = await open(...given);
    await partial.append(whole.subarray(0, 1000), 'https://files.test/x');
    partial.append = () => Promise.reject(new StorageFullError('the disk is full'));
    partial.read = () => Promise.reject(new Error('EIO'));
    return partial;
  };
  const memory = createMemoryBudget(limits.fetch.memory);
  const told = { onTaken: () => {}, onFailure: () => {}, leaveBehind: () => {} };
  const ground = await openGround(
    { store, clock: createFakeClock(), memory, ...told },
    { digest: sha256(whole), size: whole.length, passThrough: false },
  );
  void ground.take(whole.subarray(1000, 2000), 'https://files.test/x');
  await assert.rejects(ground.drained(), StorageFullError);
  await assert.rejects(ground.spill(), /EIO/);
  await ground[Symbol.asyncDispose]();
  assert.equal(memory.taken, 0);
});
