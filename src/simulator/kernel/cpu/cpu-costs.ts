/**
 * What a node's work costs in time, in microseconds: one table, never measured during a run, so that runs repeat.
 * `reference.json` holds what js-libp2p with Noise cost on the machine of design/network.md: 3-5 CPU seconds a GB received, 2
 * sent, 7 ms a handshake for both sides.
 */
import reference from './reference.json' with { type: 'json' };

export interface CpuCosts {
  /** Each event of a node but its timers: most of those are libp2p's queues saying that they are empty. */
  readonly event: number;
  readonly timer: number;
  readonly byteReceived: number;
  readonly byteSent: number;
  /** Of a connection, each side. */
  readonly handshake: number;
}

export const cpuCosts: Record<'reference' | 'zero', CpuCosts> = {
  reference,
  zero: { event: 0, timer: 0, byteReceived: 0, byteSent: 0, handshake: 0 },
};
