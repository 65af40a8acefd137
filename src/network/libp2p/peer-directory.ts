/**
 * The peers we are connected to that speak the blob protocol: who they are, where they are, whether they are on our LAN.
 * Says facts of coming and going, and wakes those who wait for a peer.
 */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface';
import type { FactEmitter } from '../../core/facts.ts';
import { BLOB_PROTOCOL } from '../blob-protocol/frames.ts';

export interface ConnectedPeer {
  readonly peerId: string;
  readonly address: string;
  readonly lan: boolean;
}

export interface PeerDirectory {
  start(libp2p: Libp2p): Promise<void>;
  list(): readonly ConnectedPeer[];
  get(peerId: string): ConnectedPeer | undefined;
  /** Resolves when a peer connects. */
  next(signal: AbortSignal | undefined): Promise<void>;
  onConnect(listener: (peer: ConnectedPeer, connection: Connection) => void): void;
}

export function createPeerDirectory(deps: {
  facts: FactEmitter;
  isLanAddress: (address: string) => boolean;
}): PeerDirectory {
  const peers = new Map<string, ConnectedPeer>();
  const connections = new Map<string, Connection>();
  const waiting = new Set<() => void>();
  const listeners: ((peer: ConnectedPeer, connection: Connection) => void)[] = [];

  const connected = (id: PeerId, connection: Connection): void => {
    const peerId = id.toString();
    const address = connection.remoteAddr.toString();
    const peer = { peerId, address, lan: deps.isLanAddress(address) };
    const isNew = !peers.has(peerId);
    // A second connection, which may soon be closed again, says nothing new of where it is.
    if (connections.get(peerId)?.status !== 'open') {
      connections.set(peerId, connection);
      peers.set(peerId, peer);
    }
    for (const listener of listeners) listener(peer, connection);
    if (!isNew) return;
    deps.facts.emit('peer:connected', peer);
    for (const wake of waiting) wake();
    waiting.clear();
  };
  const disconnected = (id: PeerId): void => {
    const peerId = id.toString();
    connections.delete(peerId);
    if (peers.delete(peerId)) deps.facts.emit('peer:disconnected', { peerId });
  };

  return {
    async start(libp2p) {
      // Identify has said what the peer speaks by then: a stock DHT peer is never asked for blobs.
      await libp2p.register(BLOB_PROTOCOL, {
        onConnect(peerId, connection) {
          if (libp2p.getConnections(peerId).length > 0) connected(peerId, connection);
        },
      });
      libp2p.addEventListener('peer:disconnect', ({ detail }) => disconnected(detail));
    },
    list: () => [...peers.values()],
    get: (peerId) => peers.get(peerId),
    next: (signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason as Error);
        const wake = (): void => {
          signal?.removeEventListener('abort', leave);
          resolve();
        };
        const leave = (): void => {
          waiting.delete(wake);
          reject(signal?.reason as Error);
        };
        waiting.add(wake);
        signal?.addEventListener('abort', leave, { once: true });
      }),
    onConnect: (listener) => void listeners.push(listener),
  };
}
