import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Key } from 'interface-datastore';
import { createHash } from 'node:crypto';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { type Digest, digestFromBytes } from '../../../src/core/digest.ts';
import type { Owner } from '../../../src/simulator/kernel/owner.ts';
import { NodeDisk } from '../../../src/simulator/nodes/node-disk.ts';
import { tables } from '../../../src/store/level-database.ts';
import { createMemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { SharedContent } from '../../../src/store/shared-content.ts';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';

const randomness = createRandomness(deriveStream(1, 0, 'world', 'test'));
const life = (node: number, incarnation = 0): Owner => ({
  node,
  incarnation,
  randomness,
  skew: 0,
  alive: true,
});

function world() {
  const owner = life(1);
  const failures: Error[] = [];
  const kernel = { current: owner, now: 0, fail: (error: Error) => void failures.push(error) };
  const shared = new SharedContent();
  const disk = new NodeDisk({ kernel, shared });
  disk.belongTo(owner);
  const clock = { now: () => 0, monotonic: () => kernel.now / 1000, setTimer: () => ({ cancel() {} }) };
  const blobs = createMemoryBlobStore({
    clock,
    quotaBytes: 1e6,
    facts: createFactEmitter(),
    kept: disk.blobs,
  });
  const add = async (text: string): Promise<Digest> => {
    const bytes = Buffer.from(text);
    const digest = digestFromBytes(createHash('sha256').update(bytes).digest());
    await using partial = await blobs.openPartial(digest, { size: bytes.length });
    await partial.append(bytes, 'peer:a');
    await partial.commit({ visibility: 'public' });
    return digest;
  };
  return { disk, kernel, owner, failures, add, blobs, shared };
}

const table = tables.documents;
const key = Buffer.from('key');
const peer = new Key('/peers/one');

test('a life that ended writes nothing more, wherever it tries', async () => {
  const { disk, owner, add, failures, blobs } = world();
  const held = await add('written in time');
  owner.alive = false;
  const dead = /node 1 \(life 0\) is dead and cannot write to its disk/;
  await assert.rejects(disk.catalog.write([{ table, key, value: key }]), dead);
  assert.throws(() => disk.peers.put(peer, key), dead);
  assert.throws(() => disk.peers.delete(peer), dead);
  await assert.rejects(add('too late'), dead);
  await assert.rejects(blobs.delete(held), dead);
  await assert.rejects(blobs.pin(held), dead);
  await assert.rejects(blobs.markVisibility(held, 'private'), dead);
  await assert.rejects(disk.index.maps.build('one', []), dead);
  assert.equal(blobs.stat(held)?.visibility, 'public');
  assert.deepEqual(failures, []);
});

test('a write in the event of another node is refused and fails the run', async () => {
  const { disk, kernel, failures } = world();
  kernel.current = life(2);
  const foreign = /the disk of node 1 \(life 0\) was written in an event of node 2/;
  await assert.rejects(disk.catalog.write([{ table, key, value: key }]), foreign);
  assert.throws(() => disk.peers.put(peer, key), foreign);
  assert.equal(failures.length, 2);
});

test('power that fails takes what was not synced within 35 s, and leaves what is older or synced', async () => {
  const { disk, kernel, add, blobs } = world();
  const at = (second: number): void => void (kernel.now = second * 1e6);
  const old = new Key('/peers/old');
  const value = (text: string): Buffer => Buffer.from(text);
  const textOf = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString();
  await disk.catalog.write([{ table, key, value: value('first') }]);
  disk.peers.put(old, value('old'));
  disk.peers.put(peer, value('first'));
  at(30);
  disk.peers.delete(old);
  disk.peers.put(peer, value('second'));
  await disk.catalog.write([{ table, key, value: value('second') }]);
  const blob = await add('committed');
  at(60);
  disk.crash();
  assert.equal(textOf(disk.peers.get(peer)), 'first');
  assert.equal(textOf(disk.peers.get(old)), 'old');
  assert.equal((await disk.catalog.get(table, key))?.toString(), 'first');
  assert.equal(blobs.stat(blob)?.size, 9);
  await disk.catalog.write([{ table, key, value: value('synced') }], { sync: true });
  disk.peers.put(peer, value('third'));
  at(96);
  disk.crash();
  assert.equal(textOf(disk.peers.get(peer)), 'third');
  assert.equal((await disk.catalog.get(table, key))?.toString(), 'synced');
});

test('a peer that is kept holds no more memory than its bytes, and is not changed by whoever wrote it', () => {
  const { disk } = world();
  const pool = Buffer.alloc(65_536, 7);
  disk.peers.put(peer, pool.subarray(100, 400));
  pool.fill(8);
  const kept = disk.peers.get(peer) as Uint8Array;
  assert.deepEqual(Buffer.from(kept), Buffer.alloc(300, 7));
  assert.equal(kept.buffer.byteLength, 300);
});
