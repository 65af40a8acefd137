/** The median of runs with the interval that its order statistics give: exact for every continuous distribution. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Infinity is a value like others. undefined: of nothing. */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) return undefined;
  // Infinity - Infinity would be no number.
  return lower === upper ? lower : lower + (upper - lower) / 2;
}

export interface MedianInterval extends Interval {
  /** What it covers in truth; at least what was asked for. */
  readonly coverage: number;
}

/**
 * [X(k), X(n + 1 - k)] with the greatest k that covers the median with probability at least `coverage`:
 * 1 - 2 P(Binomial(n, 1/2) < k). undefined: so few values never do (fewer than 6 for 95 %).
 */
export function medianInterval(values: readonly number[], coverage: number): MedianInterval | undefined {
  const n = values.length;
  const sorted = [...values].sort((a, b) => a - b);
  let found: MedianInterval | undefined;
  let below = 0;
  let probability = 0.5 ** n;
  for (let k = 1; k <= n / 2; k++) {
    below += probability;
    probability *= (n - k + 1) / k;
    const low = sorted[k - 1];
    const high = sorted[n - k];
    if (1 - 2 * below < coverage || low === undefined || high === undefined) break;
    found = { low, high, coverage: 1 - 2 * below };
  }
  return found;
}
