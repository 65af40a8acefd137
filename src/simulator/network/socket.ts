/** One end of a simulated TCP connection. What its user is told comes in events of the user's own. */
import type { Kernel } from '../kernel/kernel.ts';
import { DeadOwnerError, type Owner } from '../kernel/owner.ts';
import type { Trace } from '../kernel/trace.ts';
import { Flow, type Path } from './flow.ts';
import type { Host } from './host.ts';
import type { Segment } from './segment.ts';

export interface SocketUser {
  data(bytes: Uint8Array): void;
  /** After `write` said to wait. */
  drained(): void;
  /** The far end closed in order. */
  ended(): void;
  failed(error: Error): void;
}

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

export interface SocketGround {
  readonly kernel: Kernel;
  readonly trace: Trace | undefined;
  /** Sends what this event wrote when it is done: one segment, not one a write. */
  afterEvent(flow: Flow): void;
}

export class Socket {
  readonly connection: number;
  readonly host: Host;
  readonly owner: Owner;
  readonly remote: SocketAddress;
  readonly flow: Flow;
  user: SocketUser | undefined;
  readonly #ground: SocketGround;
  readonly #path: Path;
  #peer: Socket | undefined;
  #open = true;

  constructor(
    ground: SocketGround,
    options: {
      readonly connection: number;
      readonly host: Host;
      readonly owner: Owner;
      readonly remote: SocketAddress;
      readonly path: Path;
    },
  ) {
    this.#ground = ground;
    this.connection = options.connection;
    this.host = options.host;
    this.owner = options.owner;
    this.remote = options.remote;
    this.#path = options.path;
    this.flow = new Flow(ground.kernel, options.path, {
      arrived: (segment) => (this.#peer as Socket).#arrive(segment, this),
      drained: () => this.#tell(() => this.user?.drained()),
      refused: () => this.#fail(new Error('ECONNRESET: the connection was reset')),
      expired: () => this.#fail(new Error('ETIMEDOUT: nothing was acknowledged')),
    });
    this.host.sockets.add(this);
  }

  connect(peer: Socket): void {
    this.#peer = peer;
  }

  get open(): boolean {
    return this.#open;
  }

  /** False: wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    if (!this.owner.alive) throw new DeadOwnerError(this.owner, 'write to a connection');
    if (!this.#open) throw new Error('EPIPE: the connection is closed');
    const { kernel } = this.#ground;
    kernel.charge(bytes.length * kernel.costs.byteSent);
    this.#ground.afterEvent(this.flow);
    return this.flow.write(bytes);
  }

  /** Closes once all that was written is sent. */
  end(): void {
    if (!this.#open) return;
    this.#leave();
    this.flow.end();
    this.#ground.afterEvent(this.flow);
  }

  /** Closes at once; the far end is told if it can be. */
  reset(): void {
    if (!this.#open) return;
    this.#leave();
    this.flow.close();
    if (this.#path.forward() !== 'pass') return;
    this.#ground.kernel.scheduleInline(this.#path.latency(), 'deliver', () => {
      if (this.#peer) this.#peer.#wasReset();
    });
  }

  /** The machine or the process is gone: nobody is told. */
  vanish(): void {
    this.#leave();
    this.flow.close();
  }

  pause(): void {
    this.#tellWindow(true);
  }

  resume(): void {
    this.#tellWindow(false);
  }

  #tellWindow(closed: boolean): void {
    if (this.#path.forward() === 'pass') {
      this.#ground.kernel.scheduleInline(this.#path.latency(), 'deliver', () =>
        this.#peer?.flow.pause(closed),
      );
    } else if (!closed) {
      // The far end's probes of a closed window would learn it later.
      this.#ground.kernel.scheduleInline(1_000_000, 'timer', () => this.#open && this.#tellWindow(false));
    }
  }

  #leave(): void {
    this.#open = false;
    this.host.sockets.delete(this);
  }

  /** In an event of its user's. */
  #tell(what: () => void): void {
    if (!this.owner.alive) return;
    this.#ground.kernel.schedule(0, 'deliver', this.owner, what);
  }

  #fail(error: Error): void {
    this.flow.close();
    if (!this.#open) return;
    this.#leave();
    this.#tell(() => this.user?.failed(error));
  }

  #wasReset(): void {
    if (this.host.up) this.#fail(new Error('ECONNRESET: the far end reset the connection'));
  }

  /** At this host's line; false when the machine is down. */
  #arrive(segment: Segment, from: Socket): boolean {
    if (!this.host.up) return false;
    if (this.#open) this.#tell(() => this.#take(segment, from));
    else this.#refuse(segment, from);
    return true;
  }

  #take(segment: Segment, from: Socket): void {
    if (!this.#open) return this.#refuse(segment, from);
    const { kernel, trace } = this.#ground;
    const { bytes } = segment;
    kernel.charge(bytes.length * kernel.costs.byteReceived);
    trace?.delivered({
      at: kernel.now,
      from: from.host.index,
      to: this.host.index,
      connection: this.connection,
      payload: bytes,
    });
    from.flow.acknowledge(segment);
    if (bytes.length > 0) this.user?.data(bytes);
    if (!segment.last || !this.#open) return;
    this.end();
    this.user?.ended();
  }

  /** Nobody is here any more: data is answered by a reset, an end is fine. */
  #refuse(segment: Segment, from: Socket): void {
    if (segment.bytes.length === 0 && this.owner.alive) return from.flow.acknowledge(segment);
    if (this.#path.forward() !== 'pass') return;
    this.#ground.kernel.scheduleInline(this.#path.latency(), 'deliver', () => from.#wasReset());
  }
}
