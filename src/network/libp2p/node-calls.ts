/** What the rules ask of the running libp2p node, in plain terms: ids and addresses are text on this side. */
import type { Connection, PeerId } from '@libp2p/interface';
import type { KadDHT } from '@libp2p/kad-dht';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { LRUCache } from 'lru-cache';
import { base32 } from 'multiformats/bases/base32';
import { deadline } from '../../core/clock.ts';
import type { Clock, Randomness } from '../../core/clock.ts';
import { digestToCid } from '../../core/digest.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { Provider } from './find-providers.ts';
import type { Node } from './libp2p-node.ts';
import { orAborted } from './or-aborted.ts';

const IDS_KEPT = 1024;

export interface NodeCalls {
  connectionsTo(peerId: string): readonly Connection[];
  isConnected(peerId: string): boolean;
  /** Dials exactly these addresses (without `/p2p`); rejects when none is reached. */
  dial(
    peer: { peerId: string | undefined; addresses: readonly string[] },
    signal: AbortSignal,
  ): Promise<Connection>;
  /** Walks the DHT for providers. */
  lookUp(digest: Digest, signal: AbortSignal): AsyncGenerator<Provider>;
  /** Puts our record where it belongs; resolves to how many peers took it. */
  provide(digest: Digest, signal: AbortSignal): Promise<number>;
  unprovide(digest: Digest): Promise<void>;
  lookUpRandomKey(signal: AbortSignal): Promise<void>;
  /** Waits a little until the DHT knows a peer that was just dialled. */
  routed(peer: PeerId, signal: AbortSignal): Promise<void>;
  routingTableSize(): number;
  onRouting(listener: (change: 'added' | 'removed', peerId: string) => void): void;
}

export function createNodeCalls(deps: { clock: Clock; randomness: Randomness }, node: Node): NodeCalls {
  const { clock, randomness } = deps;
  const { dht } = node.services;
  const table = routingTableOf(dht);
  // Asked for every GET: reading an id and writing it again costs as much as hashing a small blob.
  const ids = new LRUCache<string, PeerId>({ max: IDS_KEPT, memoMethod: (text) => peerIdFromString(text) });
  const connectionsTo = (peerId: string): readonly Connection[] =>
    node.getConnections(ids.memo(peerId)).filter(({ status }) => status === 'open');
  return {
    connectionsTo,
    isConnected: (peerId) => connectionsTo(peerId).length > 0,
    async dial({ peerId, addresses }, signal) {
      const suffix = peerId === undefined ? '' : `/p2p/${peerId}`;
      const targets = addresses.map((address) => multiaddr(`${address}${suffix}`));
      try {
        return await node.dial(targets, { signal });
      } catch (error) {
        // It joined a dial of kad-dht to the same peer, begun before any address was known.
        if ((error as Error).name !== 'NoValidAddressesError' || signal.aborted) throw error;
        return await node.dial(targets, { signal });
      }
    },
    async *lookUp(digest, signal) {
      // The DHT's keys are multihashes; kad-dht takes the CID and uses its multihash.
      for await (const event of dht.findProviders(digestToCid(digest), { signal })) {
        if (event.name !== 'PROVIDER') continue;
        for (const { id, multiaddrs } of event.providers) {
          yield { peerId: id.toString(), addresses: multiaddrs.map((ma) => withoutPeerId(ma.toString())) };
        }
      }
    },
    async provide(digest, signal) {
      let told = 0;
      for await (const event of dht.provide(digestToCid(digest), { signal })) {
        if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') told += 1;
      }
      return told;
    },
    unprovide: (digest) => dht.cancelReprovide(digestToCid(digest)),
    async lookUpRandomKey(signal) {
      using limit = deadline(clock, limits.network.reseedLookUpTime, signal);
      const walk = async (): Promise<void> => {
        // Walking is all: whoever answers enters the routing table.
        for await (const event of dht.getClosestPeers(randomness.bytes(32), limit)) void event;
      };
      await orAborted(walk(), limit.signal);
    },
    async routed(peer, signal) {
      using limit = deadline(clock, limits.network.routedTime, signal);
      const added = Promise.withResolvers<void>();
      const onAdd = ({ detail }: CustomEvent<PeerId>): void => {
        if (detail.equals(peer)) added.resolve();
      };
      table.addEventListener('peer:add', onAdd);
      limit.signal.addEventListener('abort', () => added.resolve(), { once: true });
      try {
        if ((await table.find(peer)) === undefined && !limit.signal.aborted) await added.promise;
      } finally {
        table.removeEventListener('peer:add', onAdd);
      }
    },
    routingTableSize: () => table.size,
    onRouting(listener) {
      table.addEventListener('peer:add', ({ detail }) => listener('added', detail.toString()));
      table.addEventListener('peer:remove', ({ detail }) => listener('removed', detail.toString()));
    },
  };
}

/** How kad-dht names a key in its datastore. */
export function recordKeyOf(digest: Digest): string {
  return base32.baseEncode(digestToCid(digest).multihash.bytes);
}

export function withoutPeerId(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '');
}

interface RoutingTable {
  readonly size: number;
  find(peer: PeerId): Promise<PeerId | undefined>;
  addEventListener(name: 'peer:add' | 'peer:remove', listener: (event: CustomEvent<PeerId>) => void): void;
  removeEventListener(name: 'peer:add', listener: (event: CustomEvent<PeerId>) => void): void;
}

/** Public in kad-dht's class, though its interface shows nothing of it. */
function routingTableOf(dht: KadDHT): RoutingTable {
  return (dht as unknown as { routingTable: RoutingTable }).routingTable;
}
