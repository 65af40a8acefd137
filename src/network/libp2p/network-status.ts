/** What the network says of itself. */
import type { NetworkStatus } from '../peer-network.ts';
import type { Bans } from './bans.ts';
import type { BlobService } from './blob-service.ts';
import type { Node } from './libp2p-node.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { ProviderRecords } from './provider-records.ts';

export function networkStatus(parts: {
  readonly node: Node;
  readonly directory: PeerDirectory;
  readonly blobs: Pick<BlobService, 'totals'>;
  readonly bans: Bans;
  /** Kept for others and of our own. */
  readonly records: ProviderRecords;
  readonly routingTable: number;
}): NetworkStatus {
  const { uploadedBytes, activeGets, busyAnswers, perPeer } = parts.blobs.totals();
  const peers = parts.directory.list();
  return {
    state: peers.length > 0 ? 'connected' : 'alone',
    connections: parts.node.getConnections().length,
    routingTable: parts.routingTable,
    uploadedBytes,
    providerRecords: parts.records.size,
    activeGets,
    busyAnswers,
    peers: peers.map(({ peerId, address }) => {
      const { receivedBytes, sentBytes } = perPeer.get(peerId) ?? { receivedBytes: 0, sentBytes: 0 };
      return { peerId, address, receivedBytes, sentBytes };
    }),
    banned: parts.bans.list(),
  };
}
