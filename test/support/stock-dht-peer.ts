/**
 * A stock js-libp2p peer with kad-dht under our protocol name, that imports nothing from `src/`: what any other
 * implementation would be. Also with an address of its choice, for peers that lie about where they are.
 */
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import type { PrivateKey } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';

export type StockDhtPeer = Awaited<ReturnType<typeof createStockDhtPeer>>;

export async function createStockDhtPeer(
  options: { listen?: boolean; announce?: string[]; privateKey?: PrivateKey } = {},
) {
  return await createLibp2p({
    ...(options.privateKey === undefined ? {} : { privateKey: options.privateKey }),
    addresses: {
      listen: options.listen === false ? [] : ['/ip4/127.0.0.1/tcp/0'],
      ...(options.announce === undefined ? {} : { announce: options.announce }),
    },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: '/fondue/kad/1.0.0',
        clientMode: options.listen === false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
      }),
    },
  });
}
