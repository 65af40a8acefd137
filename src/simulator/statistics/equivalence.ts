/**
 * Whether two samples are the same but for a margin that was named before. Two one-sided tests at 5 %: the 90 % interval of
 * the difference lies within the margin. Never passed by having too little data.
 */
import type { Randomness } from '../../core/clock.ts';
import { differenceInterval } from './bootstrap.ts';
import { medianOf, type Interval } from './median.ts';
import { INTERVAL_RUNS } from './run-summary.ts';

export interface Equivalence {
  readonly verdict: 'equivalent' | 'not shown' | 'too few runs';
  /** Of the medians, first less second. */
  readonly difference: number;
  /** 90 %; undefined with too few runs. */
  readonly interval: Interval | undefined;
  readonly margin: number;
}

/** max(15 % of the real median, half the shortest period of the timers that were active); same unit. */
export function timingMargin(real: readonly number[], shortestPeriod: number): number {
  const median = medianOf(real) ?? 0;
  // A real median that never came excuses nothing.
  return Math.max(Number.isFinite(median) ? 0.15 * median : 0, shortestPeriod / 2);
}

export function testEquivalence(
  simulated: readonly number[],
  real: readonly number[],
  { margin, randomness }: { readonly margin: number; readonly randomness: Randomness },
): Equivalence {
  const median = (values: readonly number[]): number => medianOf(values) ?? Number.NaN;
  const difference = median(simulated) - median(real);
  if (Math.min(simulated.length, real.length) < INTERVAL_RUNS)
    return { verdict: 'too few runs', difference, interval: undefined, margin };
  const interval = differenceInterval(simulated, real, { coverage: 0.9, statistic: median, randomness });
  const within = interval.low >= -margin && interval.high <= margin;
  return { verdict: within ? 'equivalent' : 'not shown', difference, interval, margin };
}
