/** A lane as the race sees it: fast, slow, or stalled. What waits for whoever takes its bytes is neither slow nor stalled. */
import { limits } from '../core/limits.ts';
import type { Lane } from './source-lanes.ts';
import { isStalled, isTooSlow } from './source-progress.ts';
import type { LaneView } from './source-race.ts';

export interface LaneTimes {
  /** Monotonic ms. */
  readonly now: number;
  readonly upstreamRate: number | undefined;
  /** Each second request beside a stalled one doubles the patience with the upstream. */
  readonly doubled: number;
}

export function viewLane(lane: Lane, { now, upstreamRate, doubled }: LaneTimes): LaneView {
  const { id, kind, position, meter } = lane;
  const { stall, firstAnswer } = limits.fetch;
  const { delivered } = meter;
  const held = lane.blocked || now - lane.freeAt < limits.race.rateWindow;
  // A request that was not answered yet may wait in our own queue: doubling it would make that longer.
  const patience = kind === 'upstream' ? (delivered > 0 ? stall : firstAnswer) * doubled : stall;
  const stalled = !held && isStalled(meter, now, patience);
  const slow = stalled || (!held && isTooSlow(meter, now, upstreamRate));
  return { id, kind, position, delivered, rate: meter.rate(now), age: now - meter.startedAt, slow, stalled };
}
