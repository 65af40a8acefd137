/**
 * What a source's progress is: bytes a second over the last two seconds, not a first byte. A source that sends one byte
 * and then drips is slow from the first look on. Pure; time is given.
 */
import { limits } from '../core/limits.ts';

const { rateWindow, minRate } = limits.race;
const BUCKETS = 16;
const BUCKET = rateWindow / BUCKETS;
/** A burst of this length or less is not extrapolated further. */
const SHORTEST = 50;

export interface Meter {
  readonly startedAt: number;
  /** Bytes since the start. */
  readonly delivered: number;
  /** When bytes last came; the start when none came. */
  readonly lastAt: number;
  add(now: number, bytes: number): void;
  /** Bytes a second over the last two seconds, or since the start. */
  rate(now: number): number;
}

export function createMeter(now: number): Meter {
  const startedAt = now;
  const buckets = new Float64Array(BUCKETS);
  let newest = 0;
  let delivered = 0;
  let lastAt = now;
  const roll = (at: number): void => {
    const index = Math.floor((at - startedAt) / BUCKET);
    for (let step = Math.max(newest + 1, index - BUCKETS + 1); step <= index; step++)
      buckets[step % BUCKETS] = 0;
    newest = Math.max(newest, index);
  };
  return {
    startedAt,
    get delivered() {
      return delivered;
    },
    get lastAt() {
      return lastAt;
    },
    add(at, bytes) {
      roll(at);
      const slot = newest % BUCKETS;
      buckets[slot] = (buckets[slot] ?? 0) + bytes;
      delivered += bytes;
      lastAt = at;
    },
    rate(at) {
      roll(at);
      // Not `reduce`: on every look at every lane it makes a heap number a step.
      let sum = 0;
      for (let slot = 0; slot < BUCKETS; slot++) sum += buckets[slot] ?? 0;
      return (sum * 1000) / Math.min(rateWindow, Math.max(SHORTEST, at - startedAt));
    },
  };
}

/** Below this (bytes a second) a source is replaced. `upstreamRate` is what the upstream was seen to give. */
function requiredRate(upstreamRate: number | undefined): number {
  return Math.max(minRate, (upstreamRate ?? 0) / 2);
}

/** Judged only over a whole window: a source gets two seconds to start. */
export function isTooSlow(meter: Meter, now: number, upstreamRate: number | undefined): boolean {
  return now - meter.startedAt >= rateWindow && meter.rate(now) < requiredRate(upstreamRate);
}

/** True when nothing came for `patience` ms. */
export function isStalled(meter: Meter, now: number, patience: number): boolean {
  return now - meter.lastAt >= patience;
}
