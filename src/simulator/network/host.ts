/** A machine with one address in the simulated network: its line, what may come in, and whether it is up. */
import type { Kernel } from '../kernel/kernel.ts';
import type { Owner } from '../kernel/owner.ts';
import { AccessLink } from './access-link.ts';
import type { Socket } from './socket.ts';

/** `filtered` and `nat` drop what nobody inside asked for; `nat` has a private address and forgets idle mappings. */
export type Inbound = 'open' | 'filtered' | 'nat';

export interface HostOptions {
  /** IPv4, as others see it. */
  readonly address: string;
  readonly region: string;
  readonly inbound: Inbound;
  /** Bytes a second, of content and headers; may be infinite. */
  readonly uplink: number;
  readonly downlink: number;
}

export interface AcceptSocket {
  (socket: Socket): void;
}

export class Host {
  readonly index: number;
  readonly options: HostOptions;
  readonly region: number;
  readonly uplink: AccessLink;
  readonly downlink: AccessLink;
  readonly listeners = new Map<number, { readonly owner: Owner; readonly accept: AcceptSocket }>();
  readonly sockets = new Set<Socket>();
  address: string;
  up = true;
  #ports = 49_151;

  constructor(kernel: Kernel, index: number, region: number, options: HostOptions) {
    this.index = index;
    this.region = region;
    this.options = options;
    this.address = options.address;
    this.uplink = new AccessLink(kernel, options.uplink);
    this.downlink = new AccessLink(kernel, options.downlink);
  }

  /** What its own interface has. */
  get localAddress(): string {
    return this.options.inbound === 'nat' ? '192.168.1.10' : this.address;
  }

  nextPort(): number {
    this.#ports = this.#ports >= 65_535 ? 49_152 : this.#ports + 1;
    return this.#ports;
  }
}
