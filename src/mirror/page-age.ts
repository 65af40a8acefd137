/**
 * How old a page is and how long it is fresh. Always true: the age told is never younger than the truth, and for one
 * reading never smaller than what was told before, whatever the wall clock does. Both clocks are needed: the wall clock
 * may be set back, the monotonic one stands still while a laptop sleeps.
 */
import type { Clock } from '../core/clock.ts';

export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

export function momentNow(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/** Milliseconds since `moment`, by whichever clock says more. */
export function elapsedSince(clock: Clock, moment: Moment): number {
  return Math.max(clock.now() - moment.wall, clock.monotonic() - moment.monotonic, 0);
}

export interface AgeLine {
  /** Milliseconds since the content was last known to be current. */
  age(): number;
}

/**
 * @param observedAt wall time of the reading, ms.
 * @param highest the latest wall time that this node has ever seen: after a start with a clock set back, the truth is not below it.
 */
export function createAgeLine(clock: Clock, observedAt: number, highest = 0): AgeLine {
  let said = Math.max(0, Math.max(clock.now(), highest) - observedAt);
  let saidAt = clock.monotonic();
  return {
    age() {
      const byMonotonic = said + clock.monotonic() - saidAt;
      const byWall = clock.now() - observedAt;
      said = Math.max(byMonotonic, byWall);
      saidAt = clock.monotonic();
      return said;
    },
  };
}
