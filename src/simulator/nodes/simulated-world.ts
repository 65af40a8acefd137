/**
 * A network of simulated nodes: their hosts, disks and lives. Must always hold: a life's work is done as its owner, and
 * nothing of a life happens after its end.
 */
import { createHash } from 'node:crypto';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { loadConfig } from '../../config.ts';
import type { FondueNode } from '../../node.ts';
import { SharedContent } from '../../store/shared-content.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Owner } from '../kernel/owner.ts';
import type { Trace } from '../kernel/trace.ts';
import type { Host, HostOptions } from '../network/host.ts';
import type { LatencyTable } from '../scenario/latency-tables.ts';
import type { LinkState } from '../network/link-state.ts';
import { SimulatedNetwork, type NetworkDeps } from '../network/simulated-network.ts';
import { createRandomness, deriveStream } from '../scenario/streams.ts';
import { NodeDisk } from './node-disk.ts';
import { createSimulatedNode, type Security, type SimulatedNodeOptions } from './simulated-node.ts';

const PORT = 8382;
/** How often each node's state goes into the trace; microseconds. */
const STATE_EVERY = 60_000_000;

export interface WorldOptions {
  readonly seed: number;
  readonly run: number;
  readonly latency: LatencyTable;
  /** Shares. */
  readonly jitter: number;
  readonly loss: number;
  readonly links: LinkState;
  /** Default: plaintext. Virtual time and sizes are the same, only the bytes differ. */
  readonly security?: Security;
  readonly onFault?: NetworkDeps['onFault'];
  readonly onDial?: NetworkDeps['onDial'];
}

export interface MemberOptions extends Omit<HostOptions, 'address'> {
  /** IPv4; undefined: one in a /24 of its own. */
  readonly address?: string;
  /** By the names of `fondue up`'s flags; `bootstrap` as {@link Member.multiaddr} gives it. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly node: Omit<SimulatedNodeOptions, 'config' | 'privateKey' | 'disk' | 'security'>;
}

export class SimulatedWorld {
  readonly kernel: Kernel;
  readonly trace: Trace;
  readonly network: SimulatedNetwork;
  readonly members: Member[] = [];
  /** What the nodes' disks hold once for all of them: for the memory a node, which counts it apart. */
  readonly shared = new SharedContent();
  readonly options: WorldOptions;

  constructor(ground: { readonly kernel: Kernel; readonly trace: Trace }, options: WorldOptions) {
    this.kernel = ground.kernel;
    this.trace = ground.trace;
    this.options = options;
    this.network = new SimulatedNetwork(
      {
        kernel: this.kernel,
        trace: this.trace,
        randomness: createRandomness(deriveStream(options.seed, options.run, 'network', 'packets')),
        links: options.links,
        ...(options.onFault ? { onFault: options.onFault } : {}),
        onDial: options.onDial,
      },
      options,
    );
    this.#traceStates();
  }

  /** A machine that is not running yet. Nodes are numbered in this order, which is that of the links' hosts. */
  async addMember(options: MemberOptions): Promise<Member> {
    const number = this.members.length;
    const { seed, run } = this.options;
    const key = await generateKeyPairFromSeed('Ed25519', deriveStream(seed, run, number, 'identity'));
    const host = this.network.addHost({ ...options, address: options.address ?? addressOf(number, 0) });
    const member = new Member(this, { number, key, host, options });
    this.members.push(member);
    return member;
  }

  #traceStates(): void {
    this.kernel.schedule(STATE_EVERY, 'timer', this.kernel.world, () => {
      for (const { number, node } of this.members) {
        if (node) this.trace.state(this.kernel.now, number, digestOf(node));
      }
      this.#traceStates();
    });
  }
}

/** A program that is read and compiled has the machine's cores in turn with the others, microseconds. */
const START_SLICE = 10_000;

export class Member {
  readonly number: number;
  readonly host: Host;
  readonly peerId: string;
  disk: NodeDisk;
  /** While it runs and has started. */
  node: FondueNode | undefined;
  /** Of its present life. */
  owner: Owner | undefined;
  readonly #world: SimulatedWorld;
  readonly #key: PrivateKey;
  readonly #options: MemberOptions;
  #lives = 0;

  constructor(
    world: SimulatedWorld,
    own: {
      readonly number: number;
      readonly key: PrivateKey;
      readonly host: Host;
      readonly options: MemberOptions;
    },
  ) {
    this.#world = world;
    this.disk = new NodeDisk(world);
    this.number = own.number;
    this.host = own.host;
    this.#key = own.key;
    this.#options = own.options;
    this.peerId = peerIdFromPrivateKey(own.key).toString();
  }

  /** For others' `bootstrap`. */
  get multiaddr(): string {
    return `/ip4/${this.host.address}/tcp/${PORT}/p2p/${this.peerId}`;
  }

  /** Begins a life; resolves when it listens, and never if it ends before. */
  async start(
    rejoin: { readonly address?: 'keep' | 'new'; readonly state?: 'keep' | 'wipe' } = {},
  ): Promise<FondueNode> {
    if (this.owner) throw new Error(`node ${this.number} is running already`);
    const { kernel, network, options } = this.#world;
    const incarnation = this.#lives++;
    const stream = deriveStream(options.seed, options.run, this.number, `life ${incarnation}`);
    const owner = {
      node: this.number,
      incarnation,
      randomness: createRandomness(stream),
      skew: 0,
      alive: true,
    };
    this.owner = owner;
    if (incarnation > 0 && rejoin.state === 'wipe') this.disk = new NodeDisk(this.#world);
    this.disk.belongTo(owner);
    network.restart(
      this.host,
      incarnation > 0 && rejoin.address === 'new' ? addressOf(this.number, incarnation) : this.host.address,
    );
    const ground = { kernel, network, host: this.host, owner };
    for (let left = kernel.costs.start; left > 0; left -= START_SLICE)
      await kernel.perform(owner, async () => kernel.charge(Math.min(left, START_SLICE)));
    const node = await kernel.perform(owner, () =>
      createSimulatedNode(ground, {
        ...this.#options.node,
        config: this.#config(),
        privateKey: this.#key,
        disk: this.disk,
        security: options.security ?? 'plaintext',
      }),
    );
    this.node = node;
    return node;
  }

  /** Closes in order; its machine stays and answers that nobody listens. */
  async stop(): Promise<void> {
    const { node, owner } = this;
    if (node === undefined || owner === undefined) return;
    this.node = undefined;
    await this.#world.kernel.perform(owner, async () => node[Symbol.asyncDispose]());
    if (this.owner === owner) this.#end(owner, true);
  }

  /** Its machine is gone at once, with what was not synced. Call it in an event of the world's. */
  crash(): void {
    if (this.owner) this.#end(this.owner, false);
    this.disk.crash();
  }

  #end(owner: Owner, up: boolean): void {
    this.#world.kernel.kill(owner);
    this.#world.network.crash(this.host, { up });
    this.node = undefined;
    this.owner = undefined;
  }

  #config(): ReturnType<typeof loadConfig> {
    return loadConfig({
      flags: {
        listen: [`/ip4/${this.host.localAddress}/tcp/${PORT}`],
        mdns: false,
        'data-dir': `/simulated/${this.number}`,
        ...this.#options.flags,
      },
      env: {},
      readFile: (path) => {
        throw Object.assign(new Error(`${path} is not in the simulation`), { code: 'ENOENT' });
      },
      home: '/simulated',
      platform: 'linux',
    });
  }
}

/** Public, and in a /24 of its own: nodes are not each other's neighbours. */
function addressOf(number: number, incarnation: number): string {
  return `${20 + (incarnation % 100)}.${number >> 8}.${number & 255}.7`;
}

function digestOf(node: FondueNode): string {
  return createHash('sha256').update(JSON.stringify(node.status())).digest('hex');
}
