/** Real nodes on loopback, in this process, whose clocks a test may hurry and whose network it may cut. */
import { tcp } from '@libp2p/tcp';
import { createFactEmitter } from '../../src/core/facts.ts';
import type { FactEmitter } from '../../src/core/facts.ts';
import { createLibp2pPeerNetwork } from '../../src/network/libp2p/libp2p-peer-network.ts';
import type { Libp2pNetworkConfig, Libp2pNetworkDeps } from '../../src/network/libp2p/libp2p-peer-network.ts';
import type { PeerNetwork, Shelf } from '../../src/network/peer-network.ts';
import { systemRandomness } from '../../src/system-clock.ts';
import { createMemoryShelf } from './memory-shelf.ts';
import { createSkippingClock } from './skipping-clock.ts';
import type { SkippingClock } from './skipping-clock.ts';

export interface TestNode extends PeerNetwork {
  readonly clock: SkippingClock;
  readonly facts: FactEmitter;
  readonly address: string;
}

export interface NodeSetup {
  readonly shelf?: Shelf;
  readonly bootstrap?: readonly string[];
  readonly config?: Partial<Libp2pNetworkConfig>;
  readonly deps?: Partial<Libp2pNetworkDeps>;
}

export interface Libp2pWorld extends AsyncDisposable {
  node(setup?: NodeSetup): Promise<TestNode>;
  /** Until healed no node of one group reaches one of the other; connections between them are closed. */
  cut(one: readonly TestNode[], other: readonly TestNode[]): void;
  heal(): void;
  /** Lets time pass on all clocks. */
  pass(ms: number): Promise<void>;
  /** Moves all clocks ahead in steps until `done`, or fails after `ms` of their time. Resolves to what it took. */
  hurry(ms: number, done: () => boolean | Promise<boolean>): Promise<number>;
  /** Waits in real time, for what libp2p does by itself; fails after 5 s. */
  until(done: () => boolean): Promise<void>;
}

export function createLibp2pWorld(): Libp2pWorld {
  const nodes: TestNode[] = [];
  /** `<own port>-<other port>` of dials that fail. */
  const blocked = new Set<string>();
  const sockets = new Set<{ from: string; to: string; close(): void }>();
  return {
    async node(setup = {}) {
      const clock = createSkippingClock();
      const facts = createFactEmitter();
      let own = '';
      const create = tcp();
      const transport = (components: never) => {
        const inner = create(components);
        const dial = inner.dial.bind(inner);
        inner.dial = async (ma, options) => {
          const to = portOf(ma.toString());
          if (blocked.has(`${own}-${to}`)) throw new Error('cut');
          const connection = await dial(ma, options);
          const socket = { from: own, to, close: () => connection.abort(new Error('cut')) };
          sockets.add(socket);
          connection.addEventListener('close', () => sockets.delete(socket));
          return connection;
        };
        return inner;
      };
      const network = await createLibp2pPeerNetwork(
        {
          listen: ['/ip4/127.0.0.1/tcp/0'],
          bootstrap: setup.bootstrap ?? [],
          mdns: false,
          share: 'all',
          ask: 'all',
          dht: 'auto',
          uploadLimit: undefined,
          ...setup.config,
        },
        {
          clock,
          facts,
          randomness: systemRandomness,
          shelf: setup.shelf ?? createMemoryShelf(),
          transport,
          ...setup.deps,
        },
      );
      const [address = ''] = network.multiaddrs();
      own = portOf(address);
      const node = Object.assign(network, { clock, facts, address });
      nodes.push(node);
      return node;
    },
    cut(one, other) {
      for (const a of one.map(({ address }) => portOf(address))) {
        for (const b of other.map(({ address }) => portOf(address))) {
          blocked.add(`${a}-${b}`);
          blocked.add(`${b}-${a}`);
        }
      }
      for (const socket of sockets) if (blocked.has(`${socket.from}-${socket.to}`)) socket.close();
    },
    heal: () => blocked.clear(),
    async pass(ms) {
      for (let gone = 0; gone < ms; gone += 5000) {
        for (const node of nodes) node.clock.skip(5000);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async hurry(ms, done) {
      const step = 1000;
      for (let gone = 0; gone <= ms; gone += step) {
        // What the last step set off takes real time: a handshake on a busy machine some 50 ms.
        for (let wait = 0; wait < 4; wait++) {
          if (await done()) return gone;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        for (const node of nodes) node.clock.skip(step);
      }
      throw new Error(`not within ${ms} ms`);
    },
    async until(done) {
      const end = performance.now() + 5000;
      while (!done()) {
        if (performance.now() > end) throw new Error('not within 5 s');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    },
  };
}

function portOf(address: string): string {
  return /\/tcp\/(\d+)/.exec(address)?.[1] ?? '';
}
