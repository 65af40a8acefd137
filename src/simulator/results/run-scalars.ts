/** One number a run and metric: what sweeps and comparisons work with. */
import { summarizeTimes } from '../statistics/run-summary.ts';
import type { SurvivalQuantile } from '../statistics/kaplan-meier.ts';
import { meanOver } from '../statistics/time-weighted.ts';
import type { RunResult } from './run-result.ts';

export interface RunScalar {
  readonly metric: string;
  readonly unit: string;
  /** Infinity: it never got there; see `bound`. */
  readonly value: number;
  /** With Infinity: more than this. */
  readonly bound?: number;
}

/** A mean that was counted stands for that of the series: blank bins are no part of the latter. */
export function runScalars({ series, times, counters, duration }: RunResult): RunScalar[] {
  const counted = counters
    .filter(({ node }) => node === undefined)
    .map(({ metric, unit, group, value }) => ({ metric: named(metric, group), unit, value }));
  const known = new Set(counted.map(({ metric }) => metric));
  return [
    ...counted,
    ...times.flatMap(({ metric, unit, window, values }) => {
      const { median, tail, failedShare } = summarizeTimes(values, window);
      return [
        ...quantile(`${metric}.p50`, unit, median),
        ...quantile(`${metric}.${tail.name}`, unit, tail.value),
        ...(failedShare === undefined
          ? []
          : [{ metric: `${metric}.failed_share`, unit: '1', value: failedShare }]),
      ];
    }),
    ...series
      .filter(({ node }) => node === undefined)
      .flatMap(({ metric, unit, group, points }) => {
        const name = named(`${metric}.mean`, group);
        const mean = known.has(name) ? undefined : meanOver(points, 0, duration);
        return mean === undefined ? [] : [{ metric: name, unit, value: mean }];
      }),
  ];
}

/** `bytes_sent[kad].mean` of `bytes_sent.mean` and `kad`. */
function named(metric: string, group: string | undefined): string {
  if (group === undefined) return metric;
  const base = metric.replace(/\.mean$/, '');
  return `${base}[${group}]${metric.slice(base.length)}`;
}

function quantile(metric: string, unit: string, found: SurvivalQuantile | undefined): RunScalar[] {
  if (found === undefined) return [];
  if (found.kind === 'reached') return [{ metric, unit, value: found.value }];
  return [{ metric, unit, value: Infinity, bound: found.bound }];
}
