/**
 * The libp2p node with every setting that its defaults get wrong for us, each with the reason (measured: design/network,
 * "How js-libp2p really behaves"). Made stopped: what listens to it is wired first.
 */
import { noise } from '@chainsafe/libp2p-noise';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import type { GossipSub } from '@libp2p/gossipsub';
import { identify, identifyPush } from '@libp2p/identify';
import type { Identify, IdentifyPush } from '@libp2p/identify';
import type {
  ComponentLogger,
  ConnectionGater,
  Libp2p,
  Metrics,
  PeerId,
  PeerStore,
  PrivateKey,
  Transport,
} from '@libp2p/interface';
import { kadDHT } from '@libp2p/kad-dht';
import type { KadDHT } from '@libp2p/kad-dht';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import type { Ping } from '@libp2p/ping';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import type { Libp2pOptions } from 'libp2p';
import type { Datastore } from 'interface-datastore';
import type { Randomness } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { GossipFactory } from './index-gossip-settings.ts';
import { valueSettings, type ValueRules } from './index-value-rules.ts';
import { announcedAddresses } from './listen-addresses.ts';
import { createMdns } from './mdns-service.ts';
import type { MdnsService } from './mdns-service.ts';
import { createNoiseCrypto } from './noise-crypto.ts';
import { confirmOwnAddresses } from './own-addresses.ts';
import { kadProtocol } from './protocol-names.ts';

/** A type, not an interface: libp2p wants an index signature. */
type NodeServices = {
  readonly peerStore: PeerStore;
  readonly ownAddresses: { confirm(): void };
  readonly identify: Identify;
  readonly identifyPush: IdentifyPush;
  readonly ping: Ping;
  readonly dht: KadDHT;
  readonly mdns?: MdnsService;
  readonly pubsub?: GossipSub;
};

export type Node = Libp2p<NodeServices>;

export interface TransportFactory {
  // libp2p's components are its own business; transports take what they need from them.
  (components: never): Transport;
}

export interface NodeOptions {
  /** In place of libp2p's own, which `DEBUG` turns on. */
  readonly logger?: ComponentLogger | undefined;
  /** Who measures libp2p from outside; nobody by default. */
  readonly metrics?: Metrics | undefined;
  /** In place of Noise's ciphers. */
  readonly noiseCrypto?: ICryptoInterface | undefined;
  readonly randomness: Randomness;
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly datastore: Datastore;
  readonly transport: TransportFactory;
  readonly gater: ConnectionGater;
  readonly boundPeerStore: (inner: PeerStore) => PeerStore;
  /** Whether we would dial this address of a peer; others are neither routed to nor told on. */
  readonly accepts: (address: string) => boolean;
  readonly maxConnections: number;
  readonly dhtServer: boolean;
  readonly mdns: boolean;
  /** What the signed index needs of libp2p; undefined: this node takes no part in it, and pays nothing for it. */
  readonly index: { readonly gossip: GossipFactory; readonly rules: ValueRules } | undefined;
}

export function peerIdOf(privateKey: PrivateKey): PeerId {
  return peerIdFromPrivateKey(privateKey);
}

export async function createNode(options: NodeOptions): Promise<Node> {
  const { network } = limits;
  const { metrics } = options;
  const settings: Libp2pOptions<NodeServices> = {
    start: false,
    ...(options.logger ? { logger: options.logger } : {}),
    ...(metrics ? { metrics: () => metrics } : {}),
    privateKey: options.privateKey,
    nodeInfo: { name: 'fondue', userAgent: 'fondue' },
    addresses: { listen: [...options.listen], announceFilter: announcedAddresses },
    datastore: options.datastore,
    // Provider records live 24 h but give no address once these ages have passed: 1 h and 6 h by default.
    peerStore: { maxAddressAge: network.peerAge, maxPeerAge: network.peerAge },
    transports: [options.transport as (components: unknown) => Transport],
    connectionEncrypters: [noise({ crypto: options.noiseCrypto ?? createNoiseCrypto(options.randomness) })],
    streamMuxers: [
      yamux({
        // Its ping also measures the round trip by which windows grow: without one they stay at 256 KiB.
        enableKeepAlive: true,
        keepAliveInterval: network.pingEvery,
        maxInboundStreams: network.connectionStreams,
        maxOutboundStreams: network.connectionStreams,
        maxEarlyStreams: network.earlyStreams,
        // A read buffer below twice the window aborts streams whose reader pauses.
        streamOptions: {
          maxStreamWindowSize: network.streamWindow,
          maxReadBufferLength: network.streamReadBuffer,
        },
      }),
    ],
    connectionGater: options.gater,
    connectionManager: {
      // Ours rule (connection-limits.ts): these only catch what slips past.
      maxConnections: options.maxConnections * 2,
      inboundConnectionThreshold: network.handshakesPerSecond * 2,
      maxIncomingPendingConnections: network.handshakesPerSecond * 10,
      inboundUpgradeTimeout: network.handshakeTime,
      maxPeerAddrsToDial: network.addressesPerPeer,
      // A stranger's /dnsaddr would be resolved, recursively, before any rule sees it.
      resolvers: {},
    },
    // It opens a stream for a ping every 10 s and aborts busy connections.
    connectionMonitor: { enabled: false },
    services: {
      // First: what is made after it writes through it.
      peerStore: (components: { peerStore: PeerStore }) => options.boundPeerStore(components.peerStore),
      ownAddresses: confirmOwnAddresses,
      identify: identify(),
      // Else nobody who is connected hears of a change of our role in the DHT or of our addresses. Sends only then.
      identifyPush: identifyPush(),
      ping: ping(),
      dht: kadDHT({
        protocol: kadProtocol,
        clientMode: !options.dhtServer,
        ...(options.index ? valueSettings(options.index.rules) : {}),
        peerInfoMapper: ({ multiaddrs, ...peer }) => ({
          ...peer,
          multiaddrs: multiaddrs.filter((ma) => options.accepts(ma.toString())),
        }),
        allowQueryWithZeroPeers: true,
        alpha: 3,
        disjointPaths: 2,
        // The announcer re-provides; bounded-datastore.ts lets the built-in one find nothing.
        reprovide: {
          validity: network.recordLife,
          interval: 7 * network.recordLife,
          threshold: 0,
          concurrency: 1,
        },
      }),
      ...(options.mdns ? { mdns: createMdns } : {}),
      ...(options.index ? { pubsub: options.index.gossip } : {}),
    },
  };
  return await createLibp2p(settings);
}
