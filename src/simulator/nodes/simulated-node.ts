/**
 * A node of ours in the simulated world: what `fondue up` runs, made by the same `createNode`. Only what would leave this
 * thread or this machine is replaced: TCP, the disk, the upstream, the measurements of the process, and HTTP, for which
 * clients call the use cases.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { Metrics, PrivateKey } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import type { Config } from '../../config.ts';
import { createFactEmitter, type FactEmitter } from '../../core/facts.ts';
import { headValueRules } from '../../core/log/head-value.ts';
import type { Policy } from '../../core/log/policy.ts';
import type { Signer } from '../../core/log/signer-key.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { createLibp2pPeerNetwork } from '../../network/libp2p/libp2p-peer-network.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import type { Shelf } from '../../network/peer-network.ts';
import { createNode, type FondueNode } from '../../node.ts';
import { createLevelCatalog } from '../../store/level-catalog.ts';
import { createMemoryBlobStore } from '../../store/memory-blob-store.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { createVirtualClock } from '../kernel/virtual-clock.ts';
import type { Host } from '../network/host.ts';
import { createSimulatedTransport, type TransportGround } from '../network/transport.ts';
import type { NodeDisk } from './node-disk.ts';
import { createPlainNoise } from './plain-noise.ts';
import { silentLogger } from './silent-logger.ts';

/** What connections are: `noise` with its ciphers, `plaintext` with the same messages and sizes without them. */
export type Security = 'noise' | 'plaintext';

export interface SimulatedNodeOptions {
  readonly config: Config;
  readonly privateKey: PrivateKey;
  readonly disk: NodeDisk;
  readonly upstream: (clock: Clock) => Upstream;
  readonly policy: Policy;
  readonly security: Security;
  /** Publishes what the upstream says, every `interval` ms. */
  readonly publish?:
    | {
        readonly signer: Signer;
        readonly projects: readonly ProjectName[] | undefined;
        readonly interval: number;
      }
    | undefined;
  readonly onFacts?: ((facts: FactEmitter) => void) | undefined;
  /** Who measures its libp2p. */
  readonly metrics?: Metrics | undefined;
  /** What a liar's node shows to peers in place of its own. */
  readonly disguise?: NodeDisguise | undefined;
}

export interface NodeDisguise {
  shelf(honest: Shelf): Shelf;
  index(honest: IndexChannel, clock: Clock): IndexChannel;
}

/** Listens when it resolves. Call it as its owner. */
export async function createSimulatedNode(
  ground: TransportGround,
  options: SimulatedNodeOptions,
): Promise<FondueNode> {
  const { kernel, owner, host } = ground;
  const { config, disk, publish } = options;
  const clock = createVirtualClock(kernel, owner);
  const { randomness } = owner;
  // The store is made before the node whose facts it tells.
  let facts: FactEmitter | undefined;
  const storeFacts = createFactEmitter();
  storeFacts.onAny((name, fact) => facts?.emit(name, fact));
  const parts = publish && (await disk.publisher(publish.signer));
  const takesPart = config.mode === 'quorum' || publish !== undefined || options.policy.publishers.length > 0;
  return createNode(config, {
    version: 'simulated',
    clock,
    randomness,
    store: createMemoryBlobStore({ clock, quotaBytes: config.quota, facts: storeFacts, kept: disk.blobs }),
    catalog: await createLevelCatalog(disk.catalog, { clock }),
    index: disk.index,
    policy: options.policy,
    ...(publish && parts
      ? { publish: { keyFile: '', projects: publish.projects, interval: publish.interval, parts } }
      : {}),
    upstream: options.upstream(clock),
    monitor: { measure: () => ({ rssBytes: 0, eventLoopDelayP99Ms: 0 }), [Symbol.dispose]() {} },
    serve: false,
    onFacts(emitter) {
      facts = emitter;
      options.onFacts?.(emitter);
    },
    network: async (deps) => {
      const network = await createLibp2pPeerNetwork(
        { ...config, index: takesPart },
        {
          ...deps,
          shelf: options.disguise?.shelf(deps.shelf) ?? deps.shelf,
          clock,
          randomness,
          privateKey: options.privateKey,
          datastore: disk.peers,
          logger: silentLogger,
          metrics: options.metrics,
          ...(options.security === 'plaintext' ? { noiseCrypto: createPlainNoise(randomness) } : {}),
          transport: createSimulatedTransport(ground),
          interfaces: () => interfacesOf(host),
          headValues: headValueRules,
        },
      );
      return options.disguise === undefined
        ? network
        : { ...network, index: options.disguise.index(network.index, clock) };
    },
  });
}

function interfacesOf({ localAddress }: Host): NodeJS.Dict<NetworkInterfaceInfo[]> {
  return {
    eth0: [
      {
        address: localAddress,
        netmask: '255.255.255.0',
        family: 'IPv4',
        mac: '00:00:00:00:00:00',
        internal: false,
        cidr: `${localAddress}/24`,
      },
    ],
  };
}
