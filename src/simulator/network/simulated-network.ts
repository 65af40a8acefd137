/**
 * Hosts and what lies between them: latency, faults, who can be dialled. Fixed-rule TCP above it (flow.ts); no shared
 * bottleneck beyond the access lines.
 */
import type { Randomness } from '../../core/clock.ts';
import type { Kernel, KernelEvent } from '../kernel/kernel.ts';
import type { Owner } from '../kernel/owner.ts';
import type { Trace } from '../kernel/trace.ts';
import type { LinkMode } from '../scenario/links.ts';
import type { Flow, Path } from './flow.ts';
import { Host, type AcceptSocket, type HostOptions } from './host.ts';
import type { LatencyTable } from '../scenario/latency-tables.ts';
import type { LinkState } from './link-state.ts';
import { Socket, type SocketAddress, type SocketGround } from './socket.ts';

/** When a SYN goes again, counted from the first; and when its sender gives up: Linux since 6.5 (`tcp_syn_linear_timeouts` 4). */
const SYN_TIMES = [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67].map((s) => s * 1e6);
const SYN_GIVES_UP = 131e6;
const NAT_FORGETS = 300e6;

export interface NetworkOptions {
  readonly latency: LatencyTable;
  /** Share by which a packet's latency varies, both ways. */
  readonly jitter: number;
  /** Share of segments that is lost. */
  readonly loss: number;
}

export interface NetworkDeps {
  readonly kernel: Kernel;
  readonly randomness: Randomness;
  readonly links: LinkState;
  readonly trace?: Trace | undefined;
  /** Told of every packet that a fault swallowed or answered. */
  readonly onFault?: (from: number, to: number, mode: LinkMode) => void;
  /** Told of every attempt to connect, whatever comes of it. */
  readonly onDial?: ((from: number) => void) | undefined;
}

/** What both directions of a connection know. */
interface ConnectionState {
  /** When something last passed a NAT on its way. */
  lastPassed: number;
}

export class SimulatedNetwork {
  readonly #deps: NetworkDeps;
  readonly #options: NetworkOptions;
  readonly #hosts: Host[] = [];
  readonly #byAddress = new Map<string, Host>();
  readonly #written = new Set<Flow>();
  readonly #ground: SocketGround;
  #connections = 0;

  constructor(deps: NetworkDeps, options: NetworkOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#ground = {
      kernel: deps.kernel,
      trace: deps.trace,
      afterEvent: (flow) => void this.#written.add(flow),
    };
    deps.kernel.afterEvent(() => {
      if (this.#written.size === 0) return;
      for (const flow of this.#written) flow.pump();
      this.#written.clear();
    });
  }

  addHost(options: HostOptions): Host {
    const region = this.#options.latency.regions.indexOf(options.region);
    if (region < 0) throw new Error(`the latency table has no region "${options.region}"`);
    if (this.#byAddress.has(options.address))
      throw new Error(`two hosts have the address ${options.address}`);
    const host = new Host(this.#deps.kernel, this.#hosts.length, region, options);
    this.#hosts.push(host);
    this.#byAddress.set(host.address, host);
    return host;
  }

  /** Its process is gone: no connection of it ends in order. `up: false`: the machine too, and nothing answers. */
  crash(host: Host, { up = false } = {}): void {
    host.up = up;
    host.listeners.clear();
    for (const socket of host.sockets) socket.vanish();
  }

  restart(host: Host, address = host.address): void {
    this.#byAddress.delete(host.address);
    if (this.#byAddress.has(address)) throw new Error(`two hosts have the address ${address}`);
    host.address = address;
    this.#byAddress.set(address, host);
    host.up = true;
  }

  /** Returns how to stop. Throws when the port is taken. */
  listen(host: Host, owner: Owner, port: number, accept: AcceptSocket): () => void {
    if (host.listeners.has(port)) throw new Error(`EADDRINUSE: ${host.address}:${port} is in use`);
    host.listeners.set(port, { owner, accept });
    return () => void host.listeners.delete(port);
  }

  /** Rejects with the signal's reason, ECONNREFUSED or ETIMEDOUT. */
  connect(host: Host, owner: Owner, to: SocketAddress, signal: AbortSignal): Promise<Socket> {
    const { kernel, onDial } = this.#deps;
    onDial?.(host.index);
    const target = this.#byAddress.get(to.address);
    const latency = (): number => this.#latency(host, target as Host);
    return new Promise((resolve, reject) => {
      const events = new Set<KernelEvent>();
      let done = false;
      const finish = (): boolean => {
        if (done || !owner.alive) return false;
        done = true;
        for (const event of events) kernel.cancel(event);
        signal.removeEventListener('abort', onAbort);
        return true;
      };
      const fail = (error: Error): void => {
        if (finish()) kernel.schedule(0, 'deliver', owner, () => reject(error));
      };
      const onAbort = (): void => {
        if (finish()) reject(signal.reason as Error);
      };
      const later = (delay: number, run: () => void): void =>
        void events.add(kernel.scheduleInline(delay, 'deliver', run));
      const knock = (sentAt: number): void => {
        if (target === undefined) return;
        const fate = this.#fate(host, target);
        if (fate === 'drop') return;
        const refused = new Error(`ECONNREFUSED: nobody listens on ${to.address}:${to.port}`);
        if (fate === 'reject') return later(latency() * 2, () => fail(refused));
        later(latency(), () => {
          // Another listener may be there by now, or the machine down.
          if (!target.up || target.options.inbound !== 'open' || this.#fate(target, host) !== 'pass') return;
          const there = target.listeners.get(to.port);
          const back = this.#latency(target, host);
          later(back, () => {
            if (there === undefined || !there.owner.alive) return fail(refused);
            if (finish()) this.#establish({ host, owner, to, target, there, sentAt }, resolve);
          });
        });
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      for (const time of SYN_TIMES) later(time, () => knock(kernel.now));
      later(SYN_GIVES_UP, () => fail(new Error(`ETIMEDOUT: no answer from ${to.address}:${to.port}`)));
    });
  }

  #establish(
    {
      host,
      owner,
      to,
      target,
      there,
      sentAt,
    }: {
      host: Host;
      owner: Owner;
      to: SocketAddress;
      target: Host;
      there: { readonly owner: Owner; readonly accept: AcceptSocket };
      sentAt: number;
    },
    resolve: (socket: Socket) => void,
  ): void {
    const { kernel } = this.#deps;
    const connection = this.#connections++;
    const state: ConnectionState = { lastPassed: kernel.now };
    const ours = new Socket(this.#ground, {
      connection,
      host,
      owner,
      remote: to,
      path: this.#path(host, target, state),
    });
    const theirs = new Socket(this.#ground, {
      connection,
      host: target,
      owner: there.owner,
      remote: { address: host.address, port: host.nextPort() },
      path: this.#path(target, host, state),
    });
    ours.connect(theirs);
    theirs.connect(ours);
    const arrival = this.#latency(host, target);
    const roundTrip = kernel.now - sentAt;
    ours.flow.open(roundTrip, kernel.now + arrival);
    theirs.flow.open(roundTrip, kernel.now);
    kernel.schedule(0, 'deliver', owner, () => {
      kernel.charge(kernel.costs.handshake);
      resolve(ours);
    });
    kernel.schedule(arrival, 'deliver', there.owner, () => {
      if (!theirs.open) return;
      kernel.charge(kernel.costs.handshake);
      there.accept(theirs);
    });
  }

  #path(from: Host, to: Host, state: ConnectionState): Path {
    const { loss } = this.#options;
    const { kernel, randomness } = this.#deps;
    const isNat = (host: Host): boolean => host.options.inbound === 'nat';
    const behindNat = isNat(from) || isNat(to);
    const forward = (): 'pass' | 'drop' | 'reject' => {
      const fate = this.#fate(from, to);
      if (fate !== 'pass' || !behindNat) return fate;
      if (kernel.now - state.lastPassed > NAT_FORGETS) {
        // From outside nothing finds the mapping any more; from inside a new one begins, which the far end does not know.
        state.lastPassed = -Infinity;
        return isNat(to) ? 'drop' : 'reject';
      }
      state.lastPassed = kernel.now;
      return 'pass';
    };
    return {
      forward,
      back: () => (this.#fate(to, from) === 'pass' ? 'pass' : 'drop'),
      latency: () => this.#latency(from, to),
      latencyBack: () => this.#latency(to, from),
      loses: () => randomness.float() < loss,
      untilLoss: () =>
        loss === 0 ? Infinity : Math.floor(Math.log1p(-randomness.float()) / Math.log1p(-loss)),
      rate: Math.min(from.options.uplink, to.options.downlink),
      uplink: from.uplink,
      downlink: to.downlink,
    };
  }

  #fate(from: Host, to: Host): 'pass' | 'drop' | 'reject' {
    const mode = this.#deps.links.mode(from.index, to.index, this.#deps.kernel.now);
    if (mode === 'up') return 'pass';
    this.#deps.onFault?.(from.index, to.index, mode);
    return mode === 'reject' ? 'reject' : 'drop';
  }

  /** Microseconds, one way. */
  #latency(from: Host, to: Host): number {
    const { latency, jitter } = this.#options;
    const ms = latency.oneWay[from.region]?.[to.region] as number;
    if (jitter === 0) return ms * 1000;
    return ms * 1000 * (1 + jitter * (2 * this.#deps.randomness.float() - 1));
  }
}
