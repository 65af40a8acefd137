/**
 * Two folders of runs of one scenario, paired by seed and run: pairs share topology, keys, churn and workload, so that their
 * differences say more than two averages. Must always hold: runs of different scenarios are never compared, and fewer than
 * ten pairs give no interval.
 */
import { ConfigurationError } from '../../core/errors.ts';
import { createRandomness, deriveStream } from '../scenario/streams.ts';
import { bcaInterval, meanOf } from '../statistics/bootstrap.ts';
import { medianOf, type Interval } from '../statistics/median.ts';
import { INTERVAL_RUNS } from '../statistics/run-summary.ts';
import type { Setting } from './run-result.ts';
import { describeScenarioChanges, type ScenarioChange } from './scenario-changes.ts';
import type { StoredRun } from './stored-runs.ts';

export interface Comparison {
  readonly scenario: string;
  readonly pairs: number;
  /** Runs of one side only. */
  readonly unpaired: { readonly a: number; readonly b: number };
  /** Of the resolved scenarios, seed apart: what else the difference may be due to. */
  readonly changes: readonly ScenarioChange[];
  readonly metrics: readonly MetricComparison[];
  /** Measured on one side only. */
  readonly missing: { readonly a: readonly string[]; readonly b: readonly string[] };
}

export interface MetricComparison {
  readonly metric: string;
  readonly unit: string;
  readonly pairs: number;
  /** Medians; `null`: half of the runs or more never got there. */
  readonly a: number | null;
  readonly b: number | null;
  /** Runs that never got there. */
  readonly never: { readonly a: number; readonly b: number };
  /** Mean of b - a; undefined when a pair has one that never got there. */
  readonly difference: number | undefined;
  /** 95 %, BCa; undefined below ten pairs too. */
  readonly interval: Interval | undefined;
}

interface Pair {
  readonly point: readonly Setting[];
  readonly a: StoredRun;
  readonly b: StoredRun;
}

/** One list a point: a single one where neither side is a sweep. @throws ConfigurationError when there is nothing to pair */
export function compareRuns(a: readonly StoredRun[], b: readonly StoredRun[]): Comparison[] {
  const [one, other] = [soleName(a), soleName(b)];
  if (one !== other)
    throw new ConfigurationError(
      'usage',
      `runs of ${one} and of ${other} are different scenarios: their runs share nothing that could be paired`,
      'compare folders of one scenario, made with two programs or settings',
    );
  const points = (runs: readonly StoredRun[]): Set<string> =>
    new Set(runs.map(({ summary }) => pointKey(summary)));
  const byPoint = points(a).size > 1 || points(b).size > 1;
  const pairs = pairUp(a, b, byPoint);
  if (pairs.length === 0)
    throw new ConfigurationError(
      'usage',
      `no run of one folder has a run of the same ${byPoint ? 'point, ' : ''}seed and number in the other`,
      'run both with the same --seed and runs',
    );
  const groups = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const key = byPoint ? JSON.stringify(pair.point) : '';
    groups.set(key, [...(groups.get(key) ?? []), pair]);
  }
  return [...groups.values()].map((group) => {
    const here = (run: StoredRun): boolean =>
      !byPoint || pointKey(run.summary) === JSON.stringify(group[0]?.point);
    return compareGroup(one, group, { a: a.filter(here).length, b: b.filter(here).length });
  });
}

function soleName(runs: readonly StoredRun[]): string {
  const names = [...new Set(runs.map(({ summary }) => summary.name))];
  const [name] = names;
  if (name === undefined || names.length > 1) {
    const message = `a folder holds runs of ${names.join(' and ') || 'nothing'}`;
    throw new ConfigurationError('usage', message, 'name a folder with runs of one scenario');
  }
  return name;
}

function pointKey({ settings }: StoredRun['summary']): string {
  return JSON.stringify(settings);
}

function pairUp(a: readonly StoredRun[], b: readonly StoredRun[], byPoint: boolean): Pair[] {
  const key = ({ summary }: StoredRun): string =>
    JSON.stringify([summary.seed, summary.run, byPoint ? summary.settings : []]);
  const others = new Map(b.map((run) => [key(run), run]));
  return a.flatMap((run) => {
    const other = others.get(key(run));
    return other === undefined ? [] : [{ point: run.summary.settings, a: run, b: other }];
  });
}

function compareGroup(
  scenario: string,
  pairs: readonly Pair[],
  of: { readonly a: number; readonly b: number },
): Comparison {
  const sides = pairs.map(({ a, b }) => ({ a: scalarsOf(a), b: scalarsOf(b) }));
  const names = (side: 'a' | 'b'): string[] => [...new Set(sides.flatMap((one) => [...one[side].keys()]))];
  const [first] = pairs as [Pair, ...Pair[]];
  return {
    scenario,
    pairs: pairs.length,
    unpaired: { a: of.a - pairs.length, b: of.b - pairs.length },
    changes: describeScenarioChanges(first.a.scenario, first.b.scenario),
    metrics: names('a').flatMap((metric) => {
      const both = sides.flatMap(({ a, b }) => {
        const [one, other] = [a.get(metric), b.get(metric)];
        return one === undefined || other === undefined ? [] : [{ a: one, b: other }];
      });
      return both.length === 0 ? [] : [compareMetric(metric, both)];
    }),
    missing: {
      a: names('b').filter((metric) => !names('a').includes(metric)),
      b: names('a').filter((metric) => !names('b').includes(metric)),
    },
  };
}

interface Measured {
  readonly unit: string;
  readonly value: number;
}

function scalarsOf({ summary }: StoredRun): Map<string, Measured> {
  return new Map(
    summary.metrics.map(({ metric, unit, value }) => [metric, { unit, value: value ?? Infinity }]),
  );
}

function compareMetric(
  metric: string,
  both: readonly { readonly a: Measured; readonly b: Measured }[],
): MetricComparison {
  const [a, b] = [both.map((pair) => pair.a.value), both.map((pair) => pair.b.value)];
  const differences = both.map((pair) => pair.b.value - pair.a.value);
  const finite = differences.every(Number.isFinite);
  const randomness = createRandomness(deriveStream(0, both.length, metric, 'bootstrap'));
  const shown = (values: readonly number[]): number | null => {
    const median = medianOf(values);
    return median === undefined || !Number.isFinite(median) ? null : median;
  };
  const never = (values: readonly number[]): number => values.filter((value) => value === Infinity).length;
  return {
    metric,
    unit: both[0]?.a.unit ?? '',
    pairs: both.length,
    a: shown(a),
    b: shown(b),
    never: { a: never(a), b: never(b) },
    difference: finite ? meanOf(differences) : undefined,
    interval:
      finite && both.length >= INTERVAL_RUNS
        ? bcaInterval(differences, { coverage: 0.95, randomness })
        : undefined,
  };
}
