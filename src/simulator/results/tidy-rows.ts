/**
 * A run as one long table, one value a row, for pandas and R. A failure is `inf`, unknown is blank, and what was censored has
 * its bound under `METRIC:censored`, so that no one takes it for a time.
 */
import { ConfigurationError } from '../../core/errors.ts';
import type { Observation } from '../statistics/kaplan-meier.ts';
import type { StepPoint } from '../statistics/time-weighted.ts';
import type { Counter, Of, RunResult, Series, Times } from './run-result.ts';

export interface TidyRow extends Of {
  readonly run: number;
  readonly point: number;
  /** Microseconds after the warm-up; undefined: of the whole run. */
  readonly time: number | undefined;
  readonly metric: string;
  readonly value: number | undefined;
  readonly unit: string;
}

export const tidyHeader = ['run', 'point', 'time_us', 'node', 'group', 'metric', 'value', 'unit'] as const;

const CENSORED = ':censored';

export function tidyRows(result: RunResult): TidyRow[] {
  const { run, point } = result;
  return [
    ...result.series.flatMap(({ metric, unit, node, group, points }) =>
      points.map(({ at, value }) => ({ run, point, time: at, node, group, metric, value, unit })),
    ),
    ...result.times.flatMap(({ metric, unit, values }) =>
      values.map((one) => ({
        run,
        point,
        time: one.at,
        node: one.node,
        group: one.group,
        unit,
        metric: one.kind === 'censored' ? `${metric}${CENSORED}` : metric,
        value: one.kind === 'observed' ? one.value : one.kind === 'failed' ? Infinity : one.bound,
      })),
    ),
    ...result.counters.map(({ metric, unit, node, group, value }) => ({
      run,
      point,
      time: undefined,
      node,
      group,
      metric,
      value,
      unit,
    })),
  ];
}

/** @throws RangeError for what is no measurement */
export function tidyFields(row: TidyRow): string[] {
  const { run, point, time, node, group, metric, value, unit } = row;
  const number = (one: number | undefined): string => {
    if (one === undefined) return '';
    if (Number.isNaN(one) || one === -Infinity) throw new RangeError(`${metric} was measured as ${one}`);
    return one === Infinity ? 'inf' : String(one);
  };
  return [run, point, time, node].map(number).concat([group ?? '', metric, number(value), unit]);
}

/** What each metric is; rows alone do not say. */
export interface MetricKinds {
  readonly series: readonly string[];
  /** With the window. */
  readonly times: readonly Pick<Times, 'metric' | 'unit' | 'window'>[];
}

/** @throws ConfigurationError for rows of another shape */
export function readTidyRows(
  fields: readonly (readonly string[])[],
  kinds: MetricKinds,
  file: string,
): Pick<RunResult, 'series' | 'times' | 'counters'> {
  const refuse = (line: number, why: string): never => {
    throw new ConfigurationError('environment', `row ${line} of ${file} ${why}`, 'run the scenario anew');
  };
  if (fields[0]?.join() !== tidyHeader.join()) refuse(1, `is not the header ${tidyHeader.join()}`);
  const isSeries = new Set(kinds.series);
  const windows = new Map(kinds.times.map((one) => [one.metric, { ...one, values: [] as Values }]));
  const series = new Map<string, Omit<Series, 'points'> & { points: StepPoint[] }>();
  const counters: Counter[] = [];
  for (const [index, row] of fields.slice(1).entries()) {
    const [, , time = '', node = '', group = '', metric = '', text = '', unit = ''] = row;
    if (row.length !== tidyHeader.length) refuse(index + 2, `has ${row.length} fields`);
    const value = text === '' ? undefined : text === 'inf' ? Infinity : Number(text);
    if (Number.isNaN(value) || Number.isNaN(Number(time)))
      refuse(index + 2, 'has no number where one belongs');
    const of: Of = { ...(node !== '' && { node: Number(node) }), ...(group !== '' && { group }) };
    const at = time === '' ? {} : { at: Number(time) };
    const times = windows.get(metric) ?? windows.get(metric.replace(/:censored$/, ''));
    if (isSeries.has(metric)) {
      const key = JSON.stringify([metric, node, group]);
      const one = series.get(key) ?? { metric, unit, ...of, points: [] };
      one.points.push({ at: Number(time), value });
      series.set(key, one);
    } else if (value === undefined) refuse(index + 2, 'has no value');
    else if (times !== undefined) {
      const censored = metric !== times.metric;
      times.values.push({ ...observation(value, censored), ...of, ...at });
    } else counters.push({ metric, unit, ...of, value });
  }
  return { series: [...series.values()], times: [...windows.values()], counters };
}

type Values = Times['values'][number][];

function observation(value: number, censored: boolean): Observation {
  if (censored) return { kind: 'censored', bound: value };
  return value === Infinity ? { kind: 'failed' } : { kind: 'observed', value };
}
