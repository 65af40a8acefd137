/**
 * Builds the libp2p node under all its rules: what may be dialled, who may come in, what others may store with us. Made, not
 * started; the caller wires what listens to it.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import { tcp } from '@libp2p/tcp';
import type { ComponentLogger, Metrics, PrivateKey } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Datastore } from 'interface-datastore';
import type { Clock, Randomness } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { Bans } from './bans.ts';
import { BoundedDatastore } from './bounded-datastore.ts';
import { boundPeerStore } from './bounded-peer-store.ts';
import { createConnectionActivity } from './connection-activity.ts';
import { createConnectionGater } from './connection-gater.ts';
import { createConnectionLimits } from './connection-limits.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { createDialMemory } from './dial-memory.ts';
import { whyNotDial, whyNotHost } from './dial-rules.ts';
import type { DialContext } from './dial-rules.ts';
import { guardLookup } from './guarded-lookup.ts';
import { guardTransport } from './guarded-transport.ts';
import { createHandshakeLimits } from './handshake-limits.ts';
import type { GossipFactory } from './index-gossip-settings.ts';
import type { ValueRules } from './index-value-rules.ts';
import { createValueStore } from './index-value-store.ts';
import { createNode, peerIdOf } from './libp2p-node.ts';
import type { Node, TransportFactory } from './libp2p-node.ts';
import { isLoopbackOnly, parseBootstraps, parseListen } from './listen-addresses.ts';
import type { Bootstrap } from './listen-addresses.ts';
import { isLanAddress, keepOwnNetworks } from './own-networks.ts';
import { endpointOf, parsePeerAddress, subnetOf } from './peer-address.ts';
import { createProviderRecords } from './provider-records.ts';
import type { ProviderRecords } from './provider-records.ts';
import type { RememberedPeers } from './remembered-peers.ts';

export interface BuildOptions {
  readonly listen: readonly string[];
  readonly bootstrap: readonly string[];
  readonly mdns: boolean;
  readonly dht: 'auto' | 'server' | 'client';
  readonly dhtServer: boolean;
}

export interface BuildDeps {
  readonly logger?: ComponentLogger | undefined;
  readonly metrics?: Metrics | undefined;
  readonly noiseCrypto?: ICryptoInterface | undefined;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly privateKey: PrivateKey;
  readonly datastore: Datastore;
  readonly bans: Bans;
  readonly remembered: RememberedPeers;
  readonly transport: TransportFactory | undefined;
  readonly interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** Of the index's values in the DHT; undefined: no part in the index. */
  readonly valueRules?: ValueRules | undefined;
}

export interface BuiltNode {
  readonly node: Node;
  readonly bootstraps: readonly Bootstrap[];
  readonly records: ProviderRecords;
  readonly datastore: BoundedDatastore;
  readonly connectionLimits: ConnectionLimits;
  networks(): readonly string[];
  isLanAddress(address: string): boolean;
  /** Whether a peer's address may be dialled, now or later. */
  accepts(address: string): boolean;
  isBootstrapAddress(address: string): boolean;
}

export async function buildNode(options: BuildOptions, deps: BuildDeps): Promise<BuiltNode> {
  const { clock, bans, remembered } = deps;
  const bootstraps = parseBootstraps(options.bootstrap);
  const listen = parseListen(options.listen);
  const self = peerIdOf(deps.privateKey);
  const configured = new Set(bootstraps.map(({ address }) => endpointOf(address)));
  const names = new Set(
    bootstraps.filter(({ address }) => address.kind === 'dns').map(({ address }) => address.host),
  );
  const loopbackOnly = isLoopbackOnly(listen);

  const networks = keepOwnNetworks(clock, deps.interfaces);
  const isLan = (address: string): boolean => isLanAddress(address, networks());
  const context = (): DialContext => ({ networks: networks(), loopbackOnly, configured });
  const isBootstrapAddress = (text: string): boolean => {
    const address = parsePeerAddress(text);
    return address !== undefined && configured.has(endpointOf(address));
  };

  const dialMemory = createDialMemory(clock);
  const whyNot = (text: string): string | undefined => {
    const why = whyNotDial(text, context());
    const address = parsePeerAddress(text);
    if (why !== undefined || address === undefined) return why;
    return dialMemory.isWrong(address) ? 'another peer answers there' : undefined;
  };
  const guard = {
    begin(text: string): string | undefined {
      const address = parsePeerAddress(text);
      if (address === undefined || isBootstrapAddress(text)) return undefined;
      return whyNot(text) ?? dialMemory.begin(address);
    },
    wrongIdentity(text: string): void {
      const address = parsePeerAddress(text);
      if (address !== undefined && !isBootstrapAddress(text)) dialMemory.wrongIdentity(address);
    },
  };
  const lookup = guardLookup(
    (name) => names.has(name.toLowerCase()),
    (host) => whyNotHost(host, context()) ?? dialMemory.beginHost(host),
  );
  // `lookup` goes on to net.connect, though @libp2p/tcp's type shows only a few of its options.
  const transport = deps.transport ?? tcp({ dialOpts: { lookup } as object });

  const activity = createConnectionActivity(clock);
  const connectionLimits = createConnectionLimits({
    clock,
    activity,
    handshakes: createHandshakeLimits(clock),
    max: options.dht === 'server' ? limits.network.connectionsServer : limits.network.connections,
    isLanAddress: isLan,
    isKnownHost: (host) => remembered.hasHost(host),
    isProtected: (peerId, address) => remembered.has(peerId) || isLan(address) || isBootstrapAddress(address),
  });

  const records = createProviderRecords(clock, self.toString());
  let node: Node | undefined;
  const connected = (): string[] =>
    (node?.getPeers() ?? [])
      .map((peer) => `/peers/${peer.toCID().toString()}`)
      .concat(`/peers/${self.toCID().toString()}`);
  const datastore = await BoundedDatastore.open(deps.datastore, records, {
    subnetOf(peerId) {
      const connection = node?.getConnections(peerIdFromString(peerId))[0];
      const address = connection && parsePeerAddress(connection.remoteAddr.toString());
      return address && subnetOf(address.host);
    },
    isKept: (key) => connected().includes(key),
    values: deps.valueRules && createValueStore(clock, deps.valueRules),
  });

  node = await createNode({
    randomness: deps.randomness,
    logger: deps.logger,
    metrics: deps.metrics,
    noiseCrypto: deps.noiseCrypto,
    privateKey: deps.privateKey,
    listen: options.listen.map((text) => multiaddr(text).toString()),
    datastore,
    transport: guardTransport(transport as (components: never) => ReturnType<TransportFactory>, guard),
    gater: createConnectionGater({
      isBanned: (peerId) => bans.isBanned(peerId),
      whyNotDial: whyNot,
      admitInbound: (address) => connectionLimits.admitInbound(address),
      activity,
    }),
    boundPeerStore: (inner) =>
      boundPeerStore(inner, {
        clock,
        self,
        accepts: (address) => whyNotDial(address, context()) === undefined,
        hasRecords: (peerId) => records.hasPeer(peerId),
      }),
    accepts: (address) => whyNot(address) === undefined,
    maxConnections: options.dht === 'server' ? limits.network.connectionsServer : limits.network.connections,
    dhtServer: options.dhtServer,
    // On loopback there is no neighbour to find.
    mdns: options.mdns && listen.length > 0 && !loopbackOnly,
    index: deps.valueRules && { rules: deps.valueRules, gossip: await loadGossip(isLan) },
  });
  return {
    node,
    bootstraps,
    records,
    datastore,
    connectionLimits,
    networks,
    isLanAddress: isLan,
    accepts: (address) => whyNot(address) === undefined,
    isBootstrapAddress,
  };
}

/** Only now: loading gossipsub costs 30 ms of CPU, which a node that takes no part need not pay. */
async function loadGossip(isLan: (address: string) => boolean): Promise<GossipFactory> {
  const { createGossipFactory } = await import('./index-gossip-settings.ts');
  return createGossipFactory((host) =>
    isLan(host.includes(':') ? `/ip6/${host}/tcp/1` : `/ip4/${host}/tcp/1`),
  );
}
