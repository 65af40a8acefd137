/**
 * The peer network over libp2p: everything of this folder joined, top to bottom. Only plain data crosses its interface, so
 * that it can run in a thread of its own.
 */
import { networkInterfaces } from 'node:os';
import type { NetworkInterfaceInfo } from 'node:os';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import type { ComponentLogger, Metrics, PrivateKey } from '@libp2p/interface';
import type { Datastore } from 'interface-datastore';
import { deadline } from '../../core/clock.ts';
import type { Clock, Randomness } from '../../core/clock.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { HeadValueRules } from '../index-channel.ts';
import { createNoIndexChannel } from '../no-index-channel.ts';
import type { Holder, PeerNetwork, Shelf } from '../peer-network.ts';
import { createAnnouncer, createSilentAnnouncer } from './announcer.ts';
import { askPeers } from './ask-peers.ts';
import { loadBans } from './bans.ts';
import { createBlobService } from './blob-service.ts';
import { buildNode } from './build-node.ts';
import type { BuiltNode } from './build-node.ts';
import { createDhtRole } from './dht-role.ts';
import { createProviderFinder } from './find-providers.ts';
import { createLibp2pIndex } from './index-channel.ts';
import { createValueRules } from './index-value-rules.ts';
import type { TransportFactory } from './libp2p-node.ts';
import { createMdnsDialer } from './mdns-dialer.ts';
import { openNetworkStorage } from './network-storage.ts';
import { networkStatus } from './network-status.ts';
import { createNodeCalls, recordKeyOf, withoutPeerId } from './node-calls.ts';
import { createNodeDialBack } from './node-dial-back.ts';
import { createNodeReseed } from './node-reseed.ts';
import { createUpkeep } from './node-upkeep.ts';
import { createPeerDirectory } from './peer-directory.ts';
import { createPeerQuestions } from './peer-questions.ts';
import { createRememberedPeers } from './remembered-peers.ts';
import type { RememberedPeers } from './remembered-peers.ts';
import { createSavedState } from './saved-state.ts';

export interface Libp2pNetworkConfig {
  /** Multiaddrs: IP with TCP. None: a node that only dials. */
  readonly listen: readonly string[];
  /** Multiaddrs: IP or DNS with TCP, with or without `/p2p/<id>`. */
  readonly bootstrap: readonly string[];
  readonly mdns: boolean;
  readonly share: 'all' | 'lan' | 'none';
  readonly ask: 'all' | 'lan' | 'none';
  readonly dht: 'auto' | 'server' | 'client';
  /** Bytes a second. */
  readonly uploadLimit: number | undefined;
  /** Takes part in the signed index: protocol, gossip, values. Default: no, and pays nothing for it. */
  readonly index?: boolean | undefined;
}

export interface Libp2pNetworkDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts: FactEmitter;
  readonly shelf: Shelf;
  /** Folder for `identity.key` and the peers database; undefined: nothing is kept. */
  readonly storagePath?: string | undefined;
  /** In place of the folder's. */
  readonly datastore?: Datastore | undefined;
  readonly privateKey?: PrivateKey | undefined;
  /** In place of libp2p's own. */
  readonly logger?: ComponentLogger | undefined;
  /** Told of every connection and stream, as libp2p tells it. */
  readonly metrics?: Metrics | undefined;
  /** In place of Noise's ciphers. */
  readonly noiseCrypto?: ICryptoInterface | undefined;
  /** In place of TCP. */
  readonly transport?: TransportFactory | undefined;
  readonly interfaces?: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** Of the index's values in the DHT; without them every value is refused. */
  readonly headValues?: HeadValueRules | undefined;
}

/** Listens when it resolves. Throws ConfigurationError for what a person must mend; unreachable bootstraps are no error. */
export async function createLibp2pPeerNetwork(
  config: Libp2pNetworkConfig,
  deps: Libp2pNetworkDeps,
): Promise<PeerNetwork> {
  const { clock, randomness, facts, shelf } = deps;
  await using stack = new AsyncDisposableStack();

  const storage = stack.use(await openNetworkStorage(deps));
  const bansState = stack.use(createSavedState(storage.datastore, 'bans', facts));
  const peersState = stack.use(createSavedState(storage.datastore, 'remembered', facts));
  const hangUp = { on: (peerId: string): void => void peerId };
  const bans = await loadBans({ clock, facts, state: bansState }, (peerId) => hangUp.on(peerId));
  const remembered: RememberedPeers = createRememberedPeers(
    { clock, randomness },
    await peersState.load(),
    () => peersState.save(() => remembered.list()),
  );
  const role = createDhtRole(clock, config);
  const valueRules = config.index === true ? createValueRules(deps.headValues ?? noValues) : undefined;
  const built = await buildNode(
    { ...config, dhtServer: role.isServer(remembered.list().map(({ address }) => address)) },
    {
      clock,
      randomness,
      bans,
      remembered,
      logger: deps.logger,
      metrics: deps.metrics,
      noiseCrypto: deps.noiseCrypto,
      privateKey: storage.privateKey,
      datastore: storage.datastore,
      transport: deps.transport,
      interfaces: deps.interfaces ?? networkInterfaces,
      valueRules,
    },
  );
  const { node, records } = built;
  const self = node.peerId.toString();
  const calls = createNodeCalls({ clock, randomness }, node);
  calls.onRouting((change, peerId) => facts.emit(`dht:peer-${change}`, { peerId }));
  hangUp.on = (peerId) => {
    for (const connection of calls.connectionsTo(peerId)) connection.abort(new Error('banned'));
  };

  const directory = createPeerDirectory({ facts, isLanAddress: (address) => built.isLanAddress(address) });
  // Asked for every GET, and reading an address costs as much as reading a small blob.
  const lanConnections = new WeakMap<object, boolean>();
  const isLan = (peerId: string): boolean =>
    calls.connectionsTo(peerId).some((connection) => {
      const known = lanConnections.get(connection);
      if (known !== undefined) return known;
      const lan = built.isLanAddress(connection.remoteAddr.toString());
      lanConnections.set(connection, lan);
      return lan;
    });
  // Disposed last of what follows: the blob service ends its streams before the connections go.
  stack.defer(async () => {
    // libp2p waits half a second for each connection to be closed by both ends.
    for (const connection of node.getConnections()) connection.abort(new Error('this node is closing'));
    await node.stop();
  });
  stack.use(built.connectionLimits);
  const blobs = stack.use(
    createBlobService({
      libp2p: node,
      shelf,
      clock,
      randomness,
      facts,
      uploadLimit: config.uploadLimit,
      share: config.share,
      isLan,
      isRemembered: (peerId) => remembered.has(peerId),
      ban: (peerId, reason, digest, ms) => bans.ban(peerId, reason, digest, ms),
      isBanned: (peerId) => bans.isBanned(peerId),
    }),
  );
  const { pubsub } = node.services;
  const index =
    valueRules && pubsub
      ? stack.use(
          createLibp2pIndex({
            node,
            pubsub,
            rules: valueRules,
            clock,
            facts,
            gate: blobs.gate,
            isBanned: (peerId) => bans.isBanned(peerId),
            ban: (peerId, reason, ms) => bans.ban(peerId, reason, undefined, ms),
          }),
        )
      : undefined;
  const questions = createPeerQuestions({
    clock,
    isLan,
    have: (peerId, digests, options) => blobs.have(peerId, digests, options),
    record: (peerId) => blobs.record(peerId),
  });
  const finder = createProviderFinder({
    clock,
    questions,
    self,
    lookUp: (digest, signal) => calls.lookUp(digest, signal),
    isConnected: (peerId) => calls.isConnected(peerId),
    isBanned: (peerId) => bans.isBanned(peerId),
    isKnownGood: (peerId) => blobs.record(peerId).proven || remembered.has(peerId),
    accepts: (address) => built.accepts(address),
    dial: async (provider, signal) => void (await calls.dial(provider, signal)),
  });
  directory.onConnect(({ peerId, lan }) => {
    questions.connected(peerId);
    finder.peerConnected(peerId);
    // A peer 60 ms away would miss the deadline of its first HAVE. With very many it would be streams that nobody uses.
    const asks = config.ask === 'all' || (config.ask === 'lan' && lan);
    if (asks && directory.list().length <= limits.network.prepared) blobs.prepare(peerId);
  });

  const upkeep = stack.use(
    createUpkeep({
      clock,
      node,
      directory,
      remembered,
      role,
      datastore: built.datastore,
      onError: (error) => facts.emit('network:noted', { message: `upkeep of the network: ${error.message}` }),
    }),
  );
  const announcer = stack.use(
    config.share === 'all'
      ? createAnnouncer({
          clock,
          shared: () => shelf.shared(),
          canAnnounce: () =>
            node.getMultiaddrs().length > 0 &&
            calls.routingTableSize() > 0 &&
            role.isDialable(upkeep.known()),
          provide: (digest, signal) => calls.provide(digest, signal),
          unprovide: (digest) => calls.unprovide(digest),
          providedAt: (digest) => records.at({ key: recordKeyOf(digest), peerId: self }),
        })
      : createSilentAnnouncer(),
  );
  const mdns = stack.use(
    createMdnsDialer({
      clock,
      randomness,
      isLanAddress: (address) => built.isLanAddress(address),
      isConnected: (peerId) => calls.isConnected(peerId),
      async dial(neighbour) {
        using limit = deadline(clock, limits.network.reseedDialTime);
        await calls.dial(neighbour, limit.signal);
      },
    }),
  );
  node.services.mdns?.onPeer(({ id, multiaddrs }) => {
    mdns.found({ peerId: id.toString(), addresses: multiaddrs.map((ma) => withoutPeerId(ma.toString())) });
  });
  node.services.mdns?.onFailure((message) => {
    facts.emit('network:noted', { message: `neighbours are not looked for (mDNS): ${message}` });
  });
  const reseed = stack.use(createNodeReseed({ clock, randomness }, { built, calls, remembered, directory }));

  const dialBack = stack.use(createNodeDialBack({ clock, randomness }, { built, calls }));

  await blobs.ready;
  await index?.register();
  await directory.start(node);
  await startNode(node, config.listen);
  built.connectionLimits.start(node);
  index?.start();
  upkeep.start();
  announcer.start();
  reseed.start();
  dialBack.start();

  const open = stack.move();
  return {
    peerId: self,
    multiaddrs: () => node.getMultiaddrs().map((ma) => ma.toString()),
    ask: (digest, options) =>
      askPeers(
        {
          clock,
          randomness,
          questions,
          reach: config.ask,
          connected: () => directory.list(),
          isBanned: (peerId) => bans.isBanned(peerId),
          record: (peerId) => blobs.record(peerId),
        },
        digest,
        options,
      ),
    // A look-up tells the digest to strangers near its key.
    find: (digest, options) => (config.ask === 'all' ? finder.find(digest, options) : nobody()),
    range: (peerId, request) => blobs.range(peerId, request),
    advertise: (digest) => announcer.advertise(digest),
    withdraw: (digest) => announcer.withdraw(digest),
    judge(peerId, verdict) {
      blobs.judge(peerId, verdict);
      if (verdict.kind === 'verified') upkeep.verified(peerId);
      if (verdict.kind === 'not-found') questions.saidNo(peerId, verdict.digest);
    },
    peerConnected: (options) => directory.next(options?.signal),
    index: index?.channel ?? createNoIndexChannel(),
    status: () =>
      networkStatus({ node, directory, blobs, bans, records, routingTable: calls.routingTableSize() }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

const noValues: HeadValueRules = {
  validate() {
    throw new Error('this node knows no rules for it');
  },
  select: () => 0,
};

async function startNode(node: BuiltNode['node'], listen: readonly string[]): Promise<void> {
  try {
    await node.start();
  } catch (error) {
    const taken = /EADDRINUSE/.test((error as Error).message);
    throw new ConfigurationError(
      'environment',
      `cannot listen on ${listen.join(', ')}: ${taken ? 'the address is in use' : (error as Error).message.trim()}`,
      taken
        ? 'stop the other program that listens there, or choose another port with --listen (port 0 means any free one)'
        : 'choose addresses of this machine with --listen',
      { cause: error },
    );
  }
}

async function* nobody(): AsyncGenerator<Holder> {
  // Nothing to yield: this node asks nobody, or only its LAN.
}
