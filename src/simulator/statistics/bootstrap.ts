/**
 * Intervals by drawing anew from what was seen. Draws come from an injected stream, so that equal data gives equal intervals.
 */
import type { Randomness } from '../../core/clock.ts';
import type { Interval } from './median.ts';
import { normalCdf, normalQuantile } from './normal.ts';

/** An odd multiple less one: the percentiles at 2.5 % and 5 % fall on draws. */
const DRAWS = 9_999;

type Statistic = (values: readonly number[]) => number;

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Bias-corrected and accelerated (Efron, JASA 82, 1987): second-order right also for skewed differences. For smooth
 * statistics such as the mean; the jackknife that it leans on is not consistent for a median.
 */
export function bcaInterval(
  values: readonly number[],
  options: { readonly coverage: number; readonly statistic?: Statistic; readonly randomness: Randomness },
): Interval {
  const { coverage, statistic = meanOf, randomness } = options;
  if (values.length < 2) throw new RangeError('an interval needs two values or more');
  const estimate = statistic(values);
  const draws = drawStatistics(values, statistic, randomness);
  const below = draws.filter((draw) => draw < estimate).length;
  const same = draws.filter((draw) => draw === estimate).length;
  // Half of the ties, and never quite none or all: those would put the interval at infinity.
  const share = Math.min(Math.max((below + same / 2) / DRAWS, 0.5 / DRAWS), 1 - 0.5 / DRAWS);
  const bias = normalQuantile(share);
  const acceleration = accelerationOf(values, statistic);
  const at = (p: number): number => {
    const z = bias + normalQuantile(p);
    return pick(draws, normalCdf(bias + z / (1 - acceleration * z)));
  };
  return { low: at((1 - coverage) / 2), high: at((1 + coverage) / 2) };
}

/** A sixth of the skewness of the jackknife's values. */
function accelerationOf(values: readonly number[], statistic: Statistic): number {
  const without = values.map((_, left) => statistic(values.filter((_one, index) => index !== left)));
  const middle = meanOf(without);
  const squares = without.reduce((sum, value) => sum + (middle - value) ** 2, 0);
  const cubes = without.reduce((sum, value) => sum + (middle - value) ** 3, 0);
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

/** `difference` of two samples by percentiles, each drawn anew on its own. One that is no number counts at both ends. */
export function differenceInterval(
  a: readonly number[],
  b: readonly number[],
  options: { readonly coverage: number; readonly statistic: Statistic; readonly randomness: Randomness },
): Interval {
  const { coverage, statistic, randomness } = options;
  if (a.length < 2 || b.length < 2) throw new RangeError('an interval needs two values or more a side');
  const draws = Array.from(
    { length: DRAWS },
    () => statistic(resample(a, randomness)) - statistic(resample(b, randomness)),
  );
  const sortedWith = (unknown: number): number[] =>
    draws.map((draw) => (Number.isNaN(draw) ? unknown : draw)).sort((x, y) => x - y);
  return {
    low: pick(sortedWith(-Infinity), (1 - coverage) / 2),
    high: pick(sortedWith(Infinity), (1 + coverage) / 2),
  };
}

function drawStatistics(values: readonly number[], statistic: Statistic, randomness: Randomness): number[] {
  return Array.from({ length: DRAWS }, () => statistic(resample(values, randomness))).sort((x, y) => x - y);
}

function resample(values: readonly number[], randomness: Randomness): number[] {
  return Array.from(values, () => values[Math.floor(randomness.float() * values.length)] as number);
}

function pick(sorted: readonly number[], p: number): number {
  const rank = Math.round(p * (sorted.length + 1));
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] as number;
}
