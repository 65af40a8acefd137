/** Draws from distributions: each takes what it needs of a stream, so that the same stream gives the same draws. */
import type { Randomness } from '../../core/clock.ts';
import type { Distribution } from './scenario.ts';

/** A whole number in [0, bound); every one as likely, by rejection. */
export function drawInt(bound: number, randomness: Randomness): number {
  if (!Number.isSafeInteger(bound) || bound < 1) throw new RangeError(`no whole number is below ${bound}`);
  const fair = 2 ** 53 - (2 ** 53 % bound);
  for (;;) {
    const value = randomness.float() * 2 ** 53;
    if (value < fair) return value % bound;
  }
}

/** A new list: Fisher and Yates. */
export function shuffle<T>(items: readonly T[], randomness: Randomness): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = drawInt(i + 1, randomness);
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
  return list;
}

/** Mean 1. */
function drawExponential(randomness: Randomness): number {
  return -Math.log1p(-randomness.float());
}

/** Mean 0, deviation 1: Box and Muller, the second of the pair thrown away. */
function drawNormal(randomness: Randomness): number {
  const radius = Math.sqrt(2 * drawExponential(randomness));
  return radius * Math.cos(2 * Math.PI * randomness.float());
}

/** Gamma with `shape` above 1 and scale 1: Marsaglia and Tsang (2000). */
function drawGamma(shape: number, randomness: Randomness): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = drawNormal(randomness);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log1p(-randomness.float()) < x * x * 0.5 + d - d * v + d * Math.log(v)) return d * v;
  }
}

export function draw(distribution: Distribution, randomness: Randomness): number {
  switch (distribution.kind) {
    case 'fixed':
      return distribution.value;
    case 'exponential':
      return distribution.mean * drawExponential(randomness);
    case 'weibull':
      return weibullScale(distribution) * drawExponential(randomness) ** (1 / distribution.shape);
    case 'lognormal':
      return distribution.median * Math.exp(distribution.sigma * drawNormal(randomness));
  }
}

export function meanOf(distribution: Distribution): number {
  switch (distribution.kind) {
    case 'fixed':
      return distribution.value;
    case 'lognormal':
      return distribution.median * Math.exp(distribution.sigma ** 2 / 2);
    default:
      return distribution.mean;
  }
}

/**
 * What is left of the interval that an arbitrary moment falls into: that interval is drawn in proportion to its length
 * (inspection paradox), the moment anywhere in it.
 */
export function drawResidual(distribution: Distribution, randomness: Randomness): number {
  return drawLengthBiased(distribution, randomness) * (1 - randomness.float());
}

function drawLengthBiased(distribution: Distribution, randomness: Randomness): number {
  switch (distribution.kind) {
    case 'fixed':
      return distribution.value;
    case 'exponential':
      return distribution.mean * drawGamma(2, randomness);
    case 'weibull': {
      // x f(x) is Weibull's density with (x / scale)^shape from Gamma(1 + 1 / shape).
      const { shape } = distribution;
      return weibullScale(distribution) * drawGamma(1 + 1 / shape, randomness) ** (1 / shape);
    }
    case 'lognormal': {
      const { median, sigma } = distribution;
      return median * Math.exp(sigma ** 2 + sigma * drawNormal(randomness));
    }
  }
}

function weibullScale({ shape, mean }: { shape: number; mean: number }): number {
  return mean / gamma(1 + 1 / shape);
}

/** Lanczos, g = 7, nine terms: 15 digits for x above 1/2. */
export function gamma(x: number): number {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const y = x - 1;
  const sum = terms.reduce((total, term, i) => (i === 0 ? term : total + term / (y + i)), 0);
  const t = y + 7.5;
  return Math.sqrt(2 * Math.PI) * t ** (y + 0.5) * Math.exp(-t) * sum;
}

/** Ranks from 0, rank k in proportion to (k + 1)^-exponent; exact for any exponent from 0. */
export function createZipf(count: number, exponent: number): (randomness: Randomness) => number {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new RangeError('a choice needs something to choose from');
  const sums = new Float64Array(count);
  let total = 0;
  for (let k = 0; k < count; k++) {
    total += (k + 1) ** -exponent;
    sums[k] = total;
  }
  return (randomness) => {
    const point = randomness.float() * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) > point) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
