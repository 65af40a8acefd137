import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { limits } from '../../src/core/limits.ts';
import { boundPeerStore } from '../../src/network/libp2p/bounded-peer-store.ts';
import { createBuiltNode } from '../support/built-node.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const hour = 3_600_000;
const peerId = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
const addressesOf = (peer: Peer): string[] => peer.addresses.map(({ multiaddr: ma }) => ma.toString());

describe('the peer store', () => {
  it('keeps 8 addresses a peer, of 128 bytes at most, and none that we would not dial', async () => {
    const { node } = await createBuiltNode();
    const store = node.services.peerStore;
    const id = await peerId();
    const longName = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.org`;
    for (let round = 0; round < 125; round++) {
      await store.merge(id, {
        multiaddrs: [
          ...Array.from({ length: 8 }, (_, i) => multiaddr(`/ip4/11.${round}.${i}.1/tcp/8382`)),
          multiaddr('/ip4/10.0.0.1/tcp/8382'),
          multiaddr('/ip4/127.0.0.1/tcp/8382'),
          multiaddr(`/dns4/${longName}/tcp/8382`),
        ],
      });
    }
    const kept = addressesOf(await store.get(id));
    assert.equal(kept.length, limits.network.addressesPerPeer);
    assert.ok(
      kept.every((address) => address.startsWith('/ip4/11.124.')),
      'the newest',
    );
  });

  it('reads 64 addresses and protocols of what one message says of a peer, and remembers no more of it', async () => {
    const id = await peerId();
    const written: PeerData[] = [];
    let judged = 0;
    let read = 0;
    const write = async (_id: PeerId, data: PeerData): Promise<Peer> => {
      written.push(data);
      const { addresses = [], protocols = [] } = data;
      return { id, addresses, protocols: [...protocols], metadata: new Map(), tags: new Map() };
    };
    const inner = { merge: write, patch: write, save: write, get: async () => ((read += 1), write(id, {})) };
    const store = boundPeerStore(inner as unknown as PeerStore, {
      clock: createFakeClock(),
      self: await peerId(),
      accepts: () => ((judged += 1), true),
      hasRecords: () => false,
    });
    const many = Array.from({ length: 5000 }, (_, i) => multiaddr(`/ip4/11.1.${i >> 8}.${i & 255}/tcp/8382`));
    const protocols = ['x'.repeat(129), ...Array.from({ length: 5000 }, (_, i) => `/p/${i}`)];
    await store.merge(id, { multiaddrs: many });
    assert.ok(judged <= 2 * 64, `${judged} were judged`);
    await store.merge(id, { multiaddrs: [many[4999] as Multiaddr] });
    assert.equal(read, 0, 'the last of them is news');
    await store.patch(id, { addresses: many.map((ma) => ({ multiaddr: ma, isCertified: true })), protocols });
    assert.ok(judged <= 4 * 64, `${judged} were judged`);
    await store.merge(id, { protocols });
    for (const { protocols: kept = [] } of written) {
      assert.ok(kept.length <= 64);
      assert.ok(kept.every(({ length }) => length <= 128));
    }
  });

  it('takes signed records from nobody but identify: they would go past the bounds', async () => {
    const inner = { consumePeerRecord: async () => true } as unknown as PeerStore;
    const store = boundPeerStore(inner, {
      clock: createFakeClock(),
      self: await peerId(),
      accepts: () => true,
      hasRecords: () => false,
    });
    assert.equal(await store.consumePeerRecord(new Uint8Array(100)), false);
  });

  it('keeps an address as long as it is heard again, past the age at which js-libp2p drops it', async () => {
    const { node, clock } = await createBuiltNode();
    const store = node.services.peerStore;
    const id = await peerId();
    const address = '/ip4/11.1.1.1/tcp/8382';
    const tell = () => store.merge(id, { multiaddrs: [multiaddr(address)], tags: { good: { value: 1 } } });
    const start = Date.now();
    mock.timers.enable({ apis: ['Date'], now: start });
    try {
      for (const at of [0, 10, 20, 30, 40]) {
        mock.timers.setTime(start + at * hour);
        await clock.advance(10 * hour);
        await tell();
      }
      const peer = await store.get(id);
      assert.deepEqual(addressesOf(peer), [address]);
      assert.ok(peer.tags.has('good'));
      mock.timers.setTime(start + 40 * hour + limits.network.peerAge + hour);
      await assert.rejects(store.get(id), { name: 'NotFoundError' });
    } finally {
      mock.timers.reset();
    }
  });

  it('writes what it was told lately once, and again when it was lost or is old', async () => {
    const { node, clock, datastore } = await createBuiltNode();
    const store = node.services.peerStore;
    const id = await peerId();
    const written = mock.method(datastore, 'put');
    const writes = async (data: PeerData): Promise<number> => {
      const before = written.mock.callCount();
      await store.merge(id, data);
      return written.mock.callCount() - before;
    };
    const address = { multiaddrs: [multiaddr('/ip4/11.1.1.1/tcp/8382')] };
    const protocol = { protocols: ['/blob/1'] };
    assert.ok((await writes(address)) > 0);
    assert.ok((await writes(protocol)) > 0);
    assert.equal(await writes(address), 0);
    assert.equal(await writes(protocol), 0);
    assert.ok((await writes({ protocols: ['/blob/1', '/blob/2'] })) > 0);
    assert.ok((await writes({ ...protocol, tags: { good: { value: 1 } } })) > 0);
    const others = Array.from({ length: 8 }, (_, i) => multiaddr(`/ip4/12.1.${i}.1/tcp/8382`));
    await store.patch(id, { multiaddrs: others, protocols: [] });
    assert.ok((await writes(protocol)) > 0, 'the protocol was taken away');
    assert.ok((await writes(address)) > 0, 'others pushed the address out');
    await store.patch(id, address);
    assert.equal(await writes(address), 0);
    await clock.advance(limits.network.mergedKept);
    assert.ok((await writes(address)) > 0, 'heard again');
    await store.delete(id);
    assert.ok((await writes(address)) > 0, 'the peer was deleted');
  });

  it('answers for a provider that was dropped, so that it does not hide the live ones', async () => {
    const { node, records } = await createBuiltNode();
    const [dead, stranger] = [await peerId(), await peerId()];
    records.add({ key: 'k', peerId: dead.toString() }, undefined);
    assert.deepEqual(addressesOf(await node.services.peerStore.get(dead)), []);
    await assert.rejects(node.services.peerStore.get(stranger), { name: 'NotFoundError' });
  });

  it('drops keep-alive tags: whom to dial again is the re-seed loop’s business', async () => {
    const { node } = await createBuiltNode();
    const id = await peerId();
    await node.services.peerStore.merge(id, {
      tags: { 'keep-alive-kad-dht': { value: 1 }, near: { value: 5 } },
    });
    assert.deepEqual([...(await node.services.peerStore.get(id)).tags.keys()], ['near']);
  });

  it('loses nothing when one peer is written from many sides at once', async () => {
    const { node } = await createBuiltNode();
    const store = node.services.peerStore;
    const id = await peerId();
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store.merge(id, { protocols: [`/p/${i}`], multiaddrs: [multiaddr(`/ip4/11.1.${i % 4}.1/tcp/8382`)] }),
      ),
    );
    const peer = await store.get(id);
    assert.equal(peer.protocols.length, 20);
    assert.equal(peer.addresses.length, 4);
  });
});

describe('our own public addresses', () => {
  it('are told to others, though js-libp2p takes them for unverified', async () => {
    const confirmed: string[] = [];
    const { confirmOwnAddresses } = await import('../../src/network/libp2p/own-addresses.ts');
    const addresses = [
      { multiaddr: multiaddr('/ip4/93.184.216.34/tcp/8382'), verified: false, type: 'transport' },
      { multiaddr: multiaddr('/ip4/198.41.0.4/tcp/8382'), verified: false, type: 'observed' },
      { multiaddr: multiaddr('/ip4/192.168.1.5/tcp/8382'), verified: true, type: 'transport' },
    ];
    confirmOwnAddresses({
      addressManager: {
        getAddressesWithMetadata: () => addresses,
        confirmObservedAddr: (address) => confirmed.push(address.toString()),
      },
      events: { addEventListener: () => undefined },
    }).confirm();
    assert.deepEqual(confirmed, ['/ip4/93.184.216.34/tcp/8382']);
  });
});
