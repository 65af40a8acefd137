/** What peers who are connected already hear of a node that changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { MemoryDatastore } from 'datastore-core/memory';
import { createNode, type Node } from '../../src/network/libp2p/libp2p-node.ts';
import { kadProtocol } from '../../src/network/libp2p/protocol-names.ts';
import { systemRandomness } from '../../src/system-clock.ts';
import { eventually } from '../support/eventually.ts';

async function startNode(): Promise<Node> {
  const node = await createNode({
    randomness: systemRandomness,
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    datastore: new MemoryDatastore(),
    transport: tcp() as never,
    gater: {},
    boundPeerStore: (inner) => inner,
    accepts: () => true,
    maxConnections: 10,
    dhtServer: true,
    mdns: false,
    index: undefined,
  });
  await node.start();
  return node;
}

test('a change of role in the DHT is told to who is connected, both ways, and nothing is told while nothing changes', async () => {
  const [changing, peer] = await Promise.all([startNode(), startNode()]);
  try {
    await peer.dial(multiaddr(changing.getMultiaddrs()[0]!.toString()));
    const isServer = async (): Promise<boolean> =>
      (await peer.peerStore.get(changing.peerId)).protocols.includes(kadProtocol);
    await eventually('identify is through', () => isServer().catch(() => false));
    await changing.services.dht.setMode('client');
    await eventually('the peer knows it for a client', async () => !(await isServer()));
    await changing.services.dht.setMode('server');
    await eventually('the peer knows it for a server', isServer);
    let pushes = 0;
    peer.addEventListener('peer:identify', () => pushes++);
    changing.services.ownAddresses.confirm();
    await changing.services.dht.setMode('server');
    // Longer than the second that a push waits for others to go with it.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(pushes, 0);
  } finally {
    await Promise.all([changing.stop(), peer.stop()]);
  }
});
