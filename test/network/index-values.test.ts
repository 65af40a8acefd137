import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Libp2pRecord } from '@libp2p/record';
import { multiaddr } from '@multiformats/multiaddr';
import { MemoryDatastore } from 'datastore-core/memory';
import type { Datastore } from 'interface-datastore';
import { Key } from 'interface-datastore/key';
import { base32 } from 'multiformats/bases/base32';
import { limits } from '../../src/core/limits.ts';
import { BoundedDatastore } from '../../src/network/libp2p/bounded-datastore.ts';
import { createValueRules } from '../../src/network/libp2p/index-value-rules.ts';
import { createValueStore } from '../../src/network/libp2p/index-value-store.ts';
import { createProviderRecords } from '../../src/network/libp2p/provider-records.ts';
import { stopNow } from '../support/blob-pair.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { testValueRules, valueKey, valueOf } from '../support/index-values.ts';
import { createLibp2pIndexWorld } from '../support/index-world.ts';
import { createStockDhtPeer } from '../support/stock-dht-peer.ts';

const { indexChannel } = limits;
const nameOf = (key: Uint8Array): Key => new Key(`/dht/record/${base32.baseEncode(key)}`, false);

async function datastore(clock: FakeClock, inner: Datastore, takesPart = true) {
  const store = await BoundedDatastore.open(inner, createProviderRecords(clock, 'us'), {
    subnetOf: () => undefined,
    isKept: () => false,
    values: takesPart ? createValueStore(clock, createValueRules(testValueRules)) : undefined,
  });
  return {
    store,
    put: (key: Uint8Array, value: Uint8Array) =>
      store.put(nameOf(key), new Libp2pRecord(key, value, new Date(0)).serialize()),
    async sizeOf(key: Uint8Array): Promise<number | undefined> {
      if (!(await inner.has(nameOf(key)))) return undefined;
      return Buffer.from(Libp2pRecord.deserialize(await inner.get(nameOf(key))).value).readUInt32BE(32);
    },
  };
}

describe('values that others keep with us', () => {
  it('are replaced by better ones only', async () => {
    const { put, sizeOf } = await datastore(createFakeClock(), new MemoryDatastore());
    const key = valueKey(1);
    for (const [size, then] of [
      [5, 5],
      [4, 5],
      [5, 5],
      [6, 6],
    ] as const) {
      await put(key, valueOf(key, size));
      assert.equal(await sizeOf(key), then, `${size} was put`);
    }
  });

  it('are replaced by better ones only, when several come at once too', async () => {
    const { put, sizeOf } = await datastore(createFakeClock(), new MemoryDatastore());
    const key = valueKey(1);
    await put(key, valueOf(key, 1));
    await Promise.all([put(key, valueOf(key, 6)), put(key, valueOf(key, 5)), put(key, valueOf(key, 2))]);
    assert.equal(await sizeOf(key), 6);
  });

  it('are of our namespace, well formed, small and valid, or not kept', async () => {
    const inner = new MemoryDatastore();
    const { put, store } = await datastore(createFakeClock(), inner);
    const key = valueKey(1);
    await put(Buffer.from('/pk/something'), Buffer.from('anything'));
    await put(Buffer.from('/fondue-cp/short'), valueOf(key, 1));
    await put(Buffer.concat([Buffer.from('/fondue-cq/'), Buffer.alloc(32, 1)]), valueOf(key, 1));
    await put(key, valueOf(valueKey(2), 1));
    await put(key, Buffer.concat([valueOf(key, 1), Buffer.alloc(indexChannel.valueBytes)]));
    await store.put(nameOf(key), Buffer.from('not a record'));
    const kept = [];
    for await (const name of inner.queryKeys({})) kept.push(name.toString());
    assert.deepEqual(kept, []);
  });

  it('are 64 at most; those that are put anew each hour keep their places, others make room', async () => {
    const clock = createFakeClock();
    const { put, sizeOf } = await datastore(clock, new MemoryDatastore());
    for (let i = 0; i < indexChannel.values; i++) await put(valueKey(i), valueOf(valueKey(i), 1));
    const late = valueKey(200);
    await put(late, valueOf(late, 1));
    assert.equal(await sizeOf(late), undefined);
    await clock.advance(indexChannel.valueFresh - 1000);
    for (let i = 0; i < 40; i++) await put(valueKey(i), valueOf(valueKey(i), 1));
    await clock.advance(2000);
    for (let i = 100; i < 180; i++) await put(valueKey(i), valueOf(valueKey(i), 1));
    const count = async (from: number, to: number): Promise<number> => {
      let found = 0;
      for (let i = from; i < to; i++) if ((await sizeOf(valueKey(i))) !== undefined) found++;
      return found;
    };
    assert.equal(await count(0, 40), 40, 'put anew');
    assert.equal(await count(40, indexChannel.values), 0, 'forgotten by who put them');
    assert.equal(await count(100, 180), indexChannel.values - 40);
  });

  it('are dropped after a day, and none is left of an earlier run for a node that takes no part', async () => {
    const clock = createFakeClock();
    const inner = new MemoryDatastore();
    const first = await datastore(clock, inner);
    const key = valueKey(1);
    await first.put(key, valueOf(key, 1));
    const again = await datastore(clock, inner);
    assert.equal(await again.sizeOf(key), 1, 'kept over a restart');
    await clock.advance(limits.network.recordLife + 1);
    await again.store.sweep();
    assert.equal(await again.sizeOf(key), undefined);
    await again.put(key, valueOf(key, 1));
    const outsider = await datastore(clock, inner, false);
    assert.equal(await outsider.sizeOf(key), undefined);
    await outsider.put(key, valueOf(key, 1));
    assert.equal(await outsider.sizeOf(key), undefined);
  });
});

describe('a stock kad-dht peer', () => {
  it('may put what is valid with us and nothing else, and what it answers wrongly is not believed', async () => {
    await using world = createLibp2pIndexWorld();
    const node = await world.node();
    const stock = await createStockDhtPeer();
    try {
      const { dht } = stock.services;
      // It believes anything, for every key.
      Object.assign((dht as unknown as { validators: object }).validators, {
        'fondue-cp': async () => undefined,
      });
      await stock.dial(node.inner.multiaddrs().map((text) => multiaddr(text)));
      const [good, bad] = [valueKey(1), valueKey(2)];
      const put = async (key: Uint8Array, value: Uint8Array): Promise<boolean> => {
        let took = false;
        for await (const event of dht.put(key, value))
          if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') took = true;
        return took;
      };
      const found = async (key: Uint8Array): Promise<string[]> => {
        const values: string[] = [];
        for await (const value of node.index.getValue(key)) values.push(Buffer.from(value).toString('hex'));
        return values;
      };
      await eventually('it is taken', () => put(good, valueOf(good, 3)));
      assert.equal(await put(bad, valueOf(good, 3)), false);
      assert.deepEqual(await found(good), [Buffer.from(valueOf(good, 3)).toString('hex')]);
      // The bad one lies in the stock peer's own store, under the asked key, and it gives it to whoever asks.
      assert.deepEqual(await found(bad), []);
      // Nor is a valid one of another key.
      const { datastore } = (dht as unknown as { components: { datastore: Datastore } }).components;
      const swapped = valueKey(3);
      await datastore.put(nameOf(swapped), new Libp2pRecord(good, valueOf(good, 9), new Date()).serialize());
      assert.deepEqual(await found(swapped), []);
    } finally {
      await stopNow(stock);
    }
  });
});
