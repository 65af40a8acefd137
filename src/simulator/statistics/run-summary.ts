/** What may be said of a metric: of the nodes of one run, and over runs. The run is the unit: nodes of one run are no repetition. */
import { failedShare, survivalQuantile, type Observation, type SurvivalQuantile } from './kaplan-meier.ts';
import { medianInterval, medianOf, type MedianInterval } from './median.ts';

/** Below, points are shown and no interval. */
export const INTERVAL_RUNS = 10;
/** Below, the 99th percentile is the largest value and is called so. */
const TAIL_NODES = 100;
const COVERAGE = 0.95;

export interface TimesSummary {
  readonly count: number;
  readonly censored: number;
  readonly median: SurvivalQuantile | undefined;
  readonly tail: { readonly name: 'p99' | 'max'; readonly value: SurvivalQuantile | undefined };
  /** Of those watched to the end. */
  readonly failedShare: number | undefined;
}

/** `window`: how long was looked. */
export function summarizeTimes(observations: readonly Observation[], window: number): TimesSummary {
  const name = observations.length < TAIL_NODES ? 'max' : 'p99';
  return {
    count: observations.length,
    censored: observations.filter(({ kind }) => kind === 'censored').length,
    median: survivalQuantile(observations, 0.5, window),
    tail: { name, value: survivalQuantile(observations, name === 'max' ? 1 : 0.99, window) },
    failedShare: failedShare(observations),
  };
}

export interface RunsSummary {
  readonly runs: number;
  /** Infinity: half of the runs or more never got there. */
  readonly median: number | undefined;
  /** Undefined below ten runs: show the points. */
  readonly interval: MedianInterval | undefined;
}

/** One value a run. */
export function summarizeRuns(values: readonly number[]): RunsSummary {
  return {
    runs: values.length,
    median: medianOf(values),
    interval: values.length < INTERVAL_RUNS ? undefined : medianInterval(values, COVERAGE),
  };
}
