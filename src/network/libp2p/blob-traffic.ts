/** Content bytes to and from each peer; the peers used last. */
import { limits } from '../../core/limits.ts';

export interface PeerTraffic {
  sent(peerId: string, bytes: number): void;
  received(peerId: string, bytes: number): void;
  readonly uploadedBytes: number;
  perPeer(): ReadonlyMap<string, { readonly receivedBytes: number; readonly sentBytes: number }>;
}

export function createPeerTraffic(): PeerTraffic {
  const peers = new Map<string, { receivedBytes: number; sentBytes: number }>();
  let uploadedBytes = 0;
  const of = (peerId: string): { receivedBytes: number; sentBytes: number } => {
    let found = peers.get(peerId);
    if (!found) {
      found = { receivedBytes: 0, sentBytes: 0 };
      peers.set(peerId, found);
      if (peers.size > limits.blob.recordsKept) peers.delete(peers.keys().next().value as string);
    }
    return found;
  };
  return {
    sent(peerId, bytes) {
      of(peerId).sentBytes += bytes;
      uploadedBytes += bytes;
    },
    received: (peerId, bytes) => void (of(peerId).receivedBytes += bytes),
    get uploadedBytes() {
      return uploadedBytes;
    },
    perPeer: () => new Map([...peers].map(([peerId, bytes]) => [peerId, { ...bytes }])),
  };
}
