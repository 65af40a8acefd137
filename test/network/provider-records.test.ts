import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryDatastore } from 'datastore-core/memory';
import { Key } from 'interface-datastore/key';
import type { Digest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import { BoundedDatastore } from '../../src/network/libp2p/bounded-datastore.ts';
import { recordKeyOf } from '../../src/network/libp2p/node-calls.ts';
import { createProviderRecords } from '../../src/network/libp2p/provider-records.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const peersOf = (records: ReturnType<typeof createProviderRecords>, key: string): string[] =>
  records.of(key).map(({ peerId }) => peerId);

describe('provider records', () => {
  it('of one peer are bounded: of 20,001 the 2,000 newest stay', () => {
    const records = createProviderRecords(createFakeClock(), 'self');
    for (let i = 0; i < 20_001; i++) records.add({ key: `k${i}`, peerId: 'flood' }, '1.2.3.0/24');
    assert.equal(records.size, limits.network.recordsPerPeer);
    assert.deepEqual(peersOf(records, 'k18000'), []);
    assert.deepEqual(peersOf(records, 'k18001'), ['flood']);
    assert.deepEqual(peersOf(records, 'k20000'), ['flood']);
  });

  it('of one key are 20; a newcomer takes the place of the oldest of its own /24', async () => {
    const clock = createFakeClock();
    const records = createProviderRecords(clock, 'self');
    for (let i = 0; i < 20; i++) {
      records.add({ key: 'k', peerId: `p${i}` }, i >= 5 && i < 10 ? '6.6.6.0/24' : `1.1.${i}.0/24`);
      await clock.advance(1);
    }
    assert.deepEqual(records.add({ key: 'k', peerId: 'sybil' }, '6.6.6.0/24'), [{ key: 'k', peerId: 'p5' }]);
    assert.deepEqual(records.add({ key: 'k', peerId: 'other' }, '9.9.9.0/24'), [{ key: 'k', peerId: 'p0' }]);
    assert.equal(peersOf(records, 'k').length, limits.network.recordsPerKey);
  });

  it('are refreshed in place, and our own are never the ones to go', () => {
    const records = createProviderRecords(createFakeClock(), 'self');
    for (let i = 0; i < 3000; i++) records.add({ key: `k${i}`, peerId: 'self' }, undefined);
    assert.equal(records.size, 3000);
    for (let i = 0; i < 30; i++) records.add({ key: 'k0', peerId: `p${i}` }, undefined);
    assert.ok(peersOf(records, 'k0').includes('self'));
    const before = records.size;
    assert.deepEqual(records.add({ key: 'k0', peerId: 'p29' }, undefined), []);
    assert.equal(records.size, before);
  });

  it('are 200,000 in all; then the busiest peer pays for a new one', () => {
    const records = createProviderRecords(createFakeClock(), 'self');
    for (let p = 0; p < 101; p++) {
      for (let i = 0; i < 2000; i++) {
        if (records.size === limits.network.records) break;
        records.add({ key: `k${p}-${i}`, peerId: `p${p}` }, undefined);
      }
    }
    const gone = records.add({ key: 'honest', peerId: 'modest' }, undefined);
    assert.equal(records.size, limits.network.records);
    assert.equal(gone.length, 1);
    assert.deepEqual(peersOf(records, 'honest'), ['modest']);
  });

  it('are not told after 24 h, and are swept', async () => {
    const clock = createFakeClock();
    const records = createProviderRecords(clock, 'self');
    records.add({ key: 'k', peerId: 'p' }, undefined);
    await clock.advance(limits.network.recordLife - 1);
    assert.deepEqual(peersOf(records, 'k'), ['p']);
    await clock.advance(1);
    assert.deepEqual(peersOf(records, 'k'), []);
    assert.deepEqual(records.sweep(), [{ key: 'k', peerId: 'p' }]);
    assert.equal(records.size, 0);
    assert.ok(!records.hasPeer('p'));
  });
});

const provider = (key: string, peer: string): Key => new Key(`/dht/provider/${key}/${peer}`);

const count = async (datastore: MemoryDatastore, prefix: string): Promise<number> => {
  let found = 0;
  for await (const key of datastore.queryKeys({ prefix })) if (key.toString() !== '') found += 1;
  return found;
};

const open = async (inner: MemoryDatastore, clock = createFakeClock(), kept: string[] = []) => {
  const records = createProviderRecords(clock, 'self');
  const datastore = await BoundedDatastore.open(inner, records, {
    subnetOf: () => undefined,
    isKept: (key) => kept.includes(key),
  });
  return { records, datastore };
};

describe('the bounded datastore', () => {
  it('keeps the disk within the same bounds as the memory', async () => {
    const inner = new MemoryDatastore();
    const { datastore } = await open(inner);
    for (let i = 0; i < 2500; i++) await datastore.put(provider(`k${i}`, 'flood'), new Uint8Array([1]));
    assert.equal(await count(inner, '/dht/provider/'), limits.network.recordsPerPeer);
  });

  it('keeps the disk within the bounds when many write at once', async () => {
    const inner = new MemoryDatastore();
    const { datastore, records } = await open(inner);
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => datastore.put(provider('k', `p${i}`), varint(1))),
    );
    assert.equal(records.size, limits.network.recordsPerKey);
    assert.equal(await count(inner, '/dht/provider/'), limits.network.recordsPerKey);
  });

  it('keeps no key longer than that of a SHA-256, though kad-dht takes 4 MB of hash, and drops those of before', async () => {
    const inner = new MemoryDatastore();
    const key = recordKeyOf('ab'.repeat(32) as Digest);
    await inner.put(provider(`${key}q`, 'p'), varint(Date.now()));
    const { datastore, records } = await open(inner);
    assert.equal(await count(inner, '/dht/provider/'), 0);
    await datastore.put(provider(`${key}q`, 'p'), varint(1));
    await datastore.put(provider('k'.repeat(4_000_000), 'p'), varint(1));
    assert.deepEqual([records.size, await count(inner, '/dht/provider/')], [0, 0]);
    await datastore.put(provider(key, 'p'), varint(1));
    assert.deepEqual([records.size, await count(inner, '/dht/provider/')], [1, 1]);
  });

  it('answers kad-dht with the time in its own form, and reads it back after a restart', async () => {
    const clock = createFakeClock();
    const inner = new MemoryDatastore();
    const first = await open(inner, clock);
    await first.datastore.put(provider('k', 'p'), varint(clock.now()));
    const [pair] = [
      ...(first.datastore.query({ prefix: '/dht/provider/k' }) as Iterable<{ key: Key; value: Uint8Array }>),
    ];
    assert.equal(pair?.key.toString(), '/dht/provider/k/p');
    assert.deepEqual(pair?.value, varint(clock.now()));
    await clock.advance(1000);
    const second = await open(inner, clock);
    assert.equal(second.records.at({ key: 'k', peerId: 'p' }), clock.now() - 1000);
    await clock.advance(limits.network.recordLife);
    const third = await open(inner, clock);
    assert.equal(third.records.size, 0);
    assert.equal(await count(inner, '/dht/provider/'), 0);
  });

  it('refuses DHT values, whatever their validator thinks', async () => {
    const inner = new MemoryDatastore();
    const { datastore } = await open(inner);
    await datastore.put(new Key('/dht/record/abc'), new Uint8Array(10));
    assert.equal(await count(inner, '/'), 0);
  });

  it('keeps 10,000 peers however many ids churn by, and those that are connected', async () => {
    const inner = new MemoryDatastore();
    const { datastore } = await open(inner, createFakeClock(), ['/peers/friend']);
    await datastore.put(new Key('/peers/friend'), new Uint8Array(1));
    for (let i = 0; i < limits.network.peersKept + 500; i++)
      await datastore.put(new Key(`/peers/p${i}`), new Uint8Array(1));
    assert.equal(await count(inner, '/peers/'), limits.network.peersKept);
    assert.ok(await inner.has(new Key('/peers/friend')));
    assert.ok(!(await inner.has(new Key('/peers/p0'))));
    assert.ok(await inner.has(new Key(`/peers/p${limits.network.peersKept + 499}`)));
  });
});

/** As kad-dht writes times. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest /= 128n) bytes.push(Number(rest % 128n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}
