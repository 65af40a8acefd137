/**
 * libp2p's peer store with four repairs. It stands in for the store inside libp2p (as the component `peerStore`), so that
 * identify and kad-dht write through it.
 *
 * - At most 8 addresses a peer, of at most 128 bytes, and only such as we would dial: stock kad-dht stored 1,000.
 * - An address that is heard again counts as seen now. js-libp2p keeps the time of the first sight for ever: 25 h later the
 *   addresses of a peer that re-announces itself every 10 h would be gone, and with them its provider records.
 * - `get` of a peer that has provider records but was dropped gives an empty peer: GET_PROVIDERS would throw, and one dead
 *   provider would hide the live ones.
 *
 * - What a peer was merged with in the last minutes, and still has, is not written again: libp2p merges the protocol of every stream, and
 *   the DHT every address of every answer, each time reading, coding and writing the whole peer.
 *
 * Keep-alive tags are dropped: whom to dial again is the re-seed loop's business. Of what one message of a stranger says of a
 * peer the first 64 protocols and addresses are read: 4 MB hold 500,000. Signed records come by identify, never by themselves.
 */
import { KEEP_ALIVE } from '@libp2p/interface';
import type { AbortOptions, Address, Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { createExpiringMap } from './expiring-map.ts';

export interface BoundedPeerStoreOptions {
  readonly clock: Clock;
  readonly self: PeerId;
  readonly accepts: (address: string) => boolean;
  readonly hasRecords: (peerId: string) => boolean;
}

export function boundPeerStore(inner: PeerStore, options: BoundedPeerStoreOptions): PeerStore {
  const { clock, self } = options;
  const refreshed = createExpiringMap<true>(clock, limits.network.peersKept);
  /** By peer: protocols and addresses that were merged lately. */
  const merged = createExpiringMap<Set<string>>(clock, limits.network.peersMerged);
  /** Writes of one peer in order: a refresh writes everything that was read just before. */
  const writing = new Map<string, Promise<unknown>>();

  const inOrder = async <T>(id: PeerId, write: () => Promise<T>): Promise<T> => {
    const key = id.toString();
    const before = writing.get(key);
    const turn = (async () => {
      await before?.catch(() => undefined);
      return await write();
    })();
    writing.set(key, turn);
    try {
      return await turn;
    } finally {
      if (writing.get(key) === turn) writing.delete(key);
    }
  };

  const bound = (heardData: PeerData): PeerData => {
    const data = readable(heardData);
    const { multiaddrs, addresses, tags, ...rest } = data;
    if (multiaddrs === undefined && addresses === undefined && tags === undefined) return data;
    const given = [
      ...(addresses ?? []),
      ...(multiaddrs ?? []).map((ma) => ({ multiaddr: ma, isCertified: false })),
    ];
    const heard =
      multiaddrs === undefined && addresses === undefined ? {} : { addresses: atMost(given.filter(fits)) };
    const entries = tags instanceof Map ? [...tags] : Object.entries(tags ?? {});
    const kept = entries.filter(([name, tag]) => tag === undefined || !name.startsWith(KEEP_ALIVE));
    return { ...rest, ...heard, ...(tags === undefined ? {} : { tags: new Map(kept) }) };
  };
  const fits = ({ multiaddr }: Address): boolean =>
    multiaddr.bytes.length <= limits.network.addressBytes && options.accepts(multiaddr.toString());

  const update = (id: PeerId, data: PeerData, write: (data: PeerData) => Promise<Peer>): Promise<Peer> => {
    if (id.equals(self)) return write(data);
    return inOrder(id, async () => {
      const bounded = bound(data);
      const peer = await write(bounded);
      const heard = bounded.addresses ?? [];
      if (heard.length === 0) return peer;
      const addresses = atMost([...heard, ...peer.addresses]);
      if (refreshed.has(id.toString()) && addresses.length === peer.addresses.length) return peer;
      refreshed.set(id.toString(), true, limits.network.addressRefresh);
      const { protocols, metadata, tags, peerRecordEnvelope } = peer;
      const envelope = peerRecordEnvelope === undefined ? {} : { peerRecordEnvelope };
      // Only `save` forgets when an address was first seen.
      return await inner.save(id, { addresses, protocols, metadata, tags, ...envelope });
    });
  };

  const merge = async (id: PeerId, heard: PeerData, abort?: AbortOptions): Promise<Peer> => {
    const data = id.equals(self) ? heard : readable(heard);
    const write = (): Promise<Peer> => update(id, data, (bounded) => inner.merge(id, bounded, abort));
    const parts = partsOf(data);
    if (parts === undefined || id.equals(self)) return await write();
    const key = id.toString();
    const known = merged.get(key);
    if (known !== undefined && parts.every((part) => known.has(part))) {
      const peer = await inner.get(id, abort).catch(() => undefined);
      if (peer !== undefined && holds(peer, data)) return peer;
    }
    const peer = await write();
    const all = merged.get(key);
    if (all === undefined) merged.set(key, new Set(parts), limits.network.mergedKept);
    else if (all.size < limits.network.mergedParts) for (const part of parts) all.add(part);
    return peer;
  };

  const get = async (id: PeerId, abort?: AbortOptions): Promise<Peer> => {
    try {
      return await inner.get(id, abort);
    } catch (error) {
      if ((error as Error).name !== 'NotFoundError' || !options.hasRecords(id.toString())) throw error;
      return { id, addresses: [], protocols: [], metadata: new Map(), tags: new Map() };
    }
  };

  return {
    forEach: (fn, query) => inner.forEach(fn, query),
    all: (query) => inner.all(query),
    delete: (id, abort) => inOrder(id, () => inner.delete(id, abort)),
    has: (id, abort) => inner.has(id, abort),
    get,
    async getInfo(id, abort) {
      const peer = await get(id, abort);
      return { id: peer.id, multiaddrs: peer.addresses.map(({ multiaddr }) => multiaddr) };
    },
    save: (id, data, abort) => update(id, data, (bounded) => inner.save(id, bounded, abort)),
    patch: (id, data, abort) => update(id, data, (bounded) => inner.patch(id, bounded, abort)),
    merge,
    // It would write past the bounds. Only gossipsub's peer exchange asks for it, which is off.
    consumePeerRecord: async () => false,
  };
}

/** No more of it than is worth reading. */
function readable({ multiaddrs, addresses, protocols, ...rest }: PeerData): PeerData {
  const { mergedParts, addressBytes } = limits.network;
  return {
    ...rest,
    ...(multiaddrs === undefined ? {} : { multiaddrs: multiaddrs.slice(0, mergedParts) }),
    ...(addresses === undefined ? {} : { addresses: addresses.slice(0, mergedParts) }),
    ...(protocols === undefined
      ? {}
      : { protocols: protocols.slice(0, mergedParts).filter(({ length }) => length <= addressBytes) }),
  };
}

/** What a merge of only protocols or only addresses adds; undefined for any other. */
function partsOf({ protocols, multiaddrs, ...rest }: PeerData): readonly string[] | undefined {
  if (Object.values(rest).some((value) => value !== undefined)) return undefined;
  return [...(protocols ?? []), ...(multiaddrs ?? []).map((ma) => ma.toString())];
}

function holds(peer: Peer, { protocols = [], multiaddrs = [] }: PeerData): boolean {
  const addresses = new Set(peer.addresses.map(({ multiaddr }) => withoutPeerId(multiaddr)));
  return (
    protocols.every((protocol) => peer.protocols.includes(protocol)) &&
    multiaddrs.every((ma) => addresses.has(withoutPeerId(ma)))
  );
}

/** The store strips the peer id; so that both forms are one address here too. */
function withoutPeerId(ma: Multiaddr): string {
  return ma.toString().replace(/\/p2p\/[^/]+$/, '');
}

/** The first 8 different addresses. */
function atMost(addresses: readonly Address[]): Address[] {
  const seen = new Map<string, Address>();
  for (const address of addresses) {
    const key = withoutPeerId(address.multiaddr);
    if (!seen.has(key)) seen.set(key, address);
    if (seen.size === limits.network.addressesPerPeer) break;
  }
  return [...seen.values()];
}
