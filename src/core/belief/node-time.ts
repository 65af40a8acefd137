/**
 * The time by which a node judges records and ages: the highest that its clock ever showed, kept across restarts, so
 * that a clock that is set back makes nothing young again.
 */
import { limits } from '../limits.ts';

export class NodeTime {
  #highest: number;

  /** @param kept the highest time of earlier runs. */
  constructor(kept = 0) {
    this.#highest = kept;
  }

  /** To be written down from time to time. */
  get highest(): number {
    return this.#highest;
  }

  read(clockNow: number): number {
    this.#highest = Math.max(this.#highest, clockNow);
    return this.#highest;
  }

  /** A person says that the clock was wrong and is right now. */
  reset(clockNow: number): void {
    this.#highest = clockNow;
  }
}

/** The newest `signedAt` that each slot has shown, deferred records included. */
export type SlotTimes = ReadonlyMap<string, number>;

/**
 * What k slots say has passed has passed, whatever our clock shows: fewer than k liars cannot make it too late. For
 * ages only; nothing is accepted by it.
 */
export function timeForAges(now: number, signed: SlotTimes, k: number): number {
  return Math.max(now, kthHighest(signed.values(), k) ?? now);
}

/** `behind`: k slots are ahead of us, so it is our clock that is wrong. `set-back`: it showed a later time before. */
export function judgeClock(
  clockNow: number,
  highest: number,
  signed: SlotTimes,
  k: number,
): 'plausible' | 'behind' | 'set-back' {
  const others = kthHighest(signed.values(), k);
  if (others !== undefined && others > clockNow + limits.belief.clockSlack) return 'behind';
  return clockNow + limits.belief.clockSlack < highest ? 'set-back' : 'plausible';
}

export function kthHighest(values: Iterable<number>, k: number): number | undefined {
  return [...values].sort((a, b) => b - a)[k - 1];
}
