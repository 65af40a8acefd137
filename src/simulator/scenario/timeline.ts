/** What the faults do and when, in the order of one instant: heals, cuts, crashes, starts; deliveries and timers follow. */
import { endOf, type Fault } from './scenario.ts';

export const instantOrder = ['heal', 'cut', 'crash', 'start', 'deliver', 'timer'] as const;
export type InstantPhase = (typeof instantOrder)[number];

export interface FaultEvent {
  /** Microseconds after the warm-up. */
  readonly at: number;
  readonly phase: InstantPhase;
  readonly edge: 'begin' | 'end';
  readonly fault: Fault;
}

/** Sorted by time, phase and place in the file. A flaky link's turns are no events: `Links.mode` knows them. */
export function faultTimeline(faults: readonly Fault[]): FaultEvent[] {
  return faults
    .flatMap((fault): FaultEvent[] => {
      const process = fault.kind === 'crash' || fault.kind === 'restart';
      const begin = { at: fault.at, phase: process ? 'crash' : 'cut', edge: 'begin', fault } as const;
      const end = { at: endOf(fault), phase: process ? 'start' : 'heal', edge: 'end', fault } as const;
      return end.at === Infinity ? [begin] : [begin, end];
    })
    .sort((a, b) => a.at - b.at || instantOrder.indexOf(a.phase) - instantOrder.indexOf(b.phase));
}
