/**
 * libp2p's transport over the simulated network: `/ip4/<address>/tcp/<port>`, so that our filters, gater and scoring see
 * what they would see in the open.
 */
import { AbortError, serviceCapabilities, transportSymbol, TypedEventEmitter } from '@libp2p/interface';
import type {
  ComponentLogger,
  Connection,
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  ListenerEvents,
  Transport,
  Upgrader,
} from '@libp2p/interface';
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import type { Kernel } from '../kernel/kernel.ts';
import type { Owner } from '../kernel/owner.ts';
import type { Host } from './host.ts';
import { SimulatedConnection } from './multiaddr-connection.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import type { Socket, SocketAddress } from './socket.ts';

export interface TransportGround {
  readonly kernel: Kernel;
  readonly network: SimulatedNetwork;
  readonly host: Host;
  readonly owner: Owner;
}

interface Components {
  readonly logger: ComponentLogger;
}

export function createSimulatedTransport(ground: TransportGround): (components: Components) => Transport {
  return (components) => new SimulatedTransport(ground, components);
}

class SimulatedTransport implements Transport {
  readonly [transportSymbol] = true as const;
  readonly [Symbol.toStringTag] = '@fondue/simulated';
  readonly [serviceCapabilities] = ['@libp2p/transport'];
  readonly #ground: TransportGround;
  readonly #components: Components;

  constructor(ground: TransportGround, components: Components) {
    this.#ground = ground;
    this.#components = components;
  }

  async dial(ma: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const { kernel, network, host, owner } = this.#ground;
    options.signal.throwIfAborted();
    const address = parse(ma);
    if (address === undefined) throw new Error(`${ma.toString()} is not in the simulated network`);
    const socket = await network.connect(host, owner, address, options.signal).catch((error: Error) => {
      throw options.signal.aborted ? new AbortError() : error;
    });
    const log = this.#components.logger.forComponent('libp2p:simulated:connection');
    const connection = new SimulatedConnection({
      kernel,
      socket,
      remoteAddr: ma,
      direction: 'outbound',
      log,
    });
    try {
      return await options.upgrader.upgradeOutbound(connection, options);
    } catch (error) {
      connection.abort(error as Error);
      throw error;
    }
  }

  createListener({ upgrader }: CreateListenerOptions): Listener {
    return new SimulatedListener(this.#ground, this.#components, upgrader);
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter((ma) => parse(ma) !== undefined);
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(addresses);
  }
}

class SimulatedListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #ground: TransportGround;
  readonly #components: Components;
  readonly #upgrader: Upgrader;
  readonly #connections = new Set<SimulatedConnection>();
  readonly #shutdown = new AbortController();
  #address: Multiaddr | undefined;
  #stop: (() => void) | undefined;

  constructor(ground: TransportGround, components: Components, upgrader: Upgrader) {
    super();
    this.#ground = ground;
    this.#components = components;
    this.#upgrader = upgrader;
  }

  async listen(ma: Multiaddr): Promise<void> {
    const { network, host, owner } = this.#ground;
    const { port } = parse(ma) as SocketAddress;
    this.#stop = network.listen(host, owner, port, (socket) => this.#accept(socket));
    this.#address = multiaddr(`/ip4/${host.localAddress}/tcp/${port}`);
    this.safeDispatchEvent('listening');
  }

  #accept(socket: Socket): void {
    const { address, port } = socket.remote;
    const connection = new SimulatedConnection({
      kernel: this.#ground.kernel,
      socket,
      remoteAddr: multiaddr(`/ip4/${address}/tcp/${port}`),
      direction: 'inbound',
      log: this.#components.logger.forComponent('libp2p:simulated:connection'),
    });
    this.#connections.add(connection);
    connection.addEventListener('close', () => this.#connections.delete(connection), { once: true });
    this.#upgrader
      .upgradeInbound(connection, { signal: this.#shutdown.signal })
      .catch((error: Error) => connection.abort(error));
  }

  getAddrs(): Multiaddr[] {
    return this.#address && this.#stop ? [this.#address] : [];
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
    this.#shutdown.abort();
    for (const connection of this.#connections) connection.abort(new Error('the listener is closed'));
    this.safeDispatchEvent('close');
  }
}

function parse(ma: Multiaddr): SocketAddress | undefined {
  const [, family, address, transport, port] = ma.toString().split('/');
  if (family !== 'ip4' || transport !== 'tcp' || address === undefined || port === undefined)
    return undefined;
  return { address, port: Number(port) };
}
