/**
 * What a node's work costs in time, in microseconds: a table, never measured during a run, so that runs repeat.
 * `reference.json` holds what js-libp2p with Noise cost on the machine of design/network.md: 3-5 CPU seconds a GB received, 2
 * sent, 7 ms a handshake for both sides. `young.json` is for a node's first minutes, before its code is compiled well: with it the nodes
 * of scripts/sim-validate/validate.yaml use as much CPU time after the warm-up as real processes did (docs/simulator.md); and a node's start
 * takes what a process took until its ready line.
 */
import reference from './reference.json' with { type: 'json' };
import young from './young.json' with { type: 'json' };

export interface CpuCosts {
  /** Each event of a node but its timers: most of those are libp2p's queues saying that they are empty. */
  readonly event: number;
  readonly timer: number;
  readonly byteReceived: number;
  readonly byteSent: number;
  /** Of a connection, each side. */
  readonly handshake: number;
  /** Of a program, until its node begins. */
  readonly start: number;
}

export type CpuTable = 'reference' | 'young' | 'zero';

export const cpuCosts: Record<CpuTable, CpuCosts> = {
  reference,
  young,
  zero: { event: 0, timer: 0, byteReceived: 0, byteSent: 0, handshake: 0, start: 0 },
};
