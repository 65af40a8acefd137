/** Which plots a run has: every series over time, and how long things took. */
import { baseOf, metricWords, plotRank } from './metric-words.ts';
import type { RunResult, Series, Times } from './run-result.ts';
import { renderEcdfPlot } from './svg/ecdf-plot.ts';
import { renderStepPlot } from './svg/step-plot.ts';

export interface PlotFile {
  /** `heads.svg`. */
  readonly file: string;
  readonly title: string;
  readonly svg: string;
  /** One of those that a reader looks for. */
  readonly first?: boolean;
  /** What is shown, in a line. */
  readonly words?: string | undefined;
}

export function renderRunPlots(result: RunResult): PlotFile[] {
  const { series, times, duration, faults } = result;
  const origin = `${result.name}, seed ${result.seed}, run ${result.run}${variantText(result.variant)}`;
  const plots = [
    ...[...groupBy(times, ({ metric, unit }) => `${baseOf(metric)} ${unit}`).values()].map((list) => {
      const metric = baseOf((list[0] as Times).metric);
      const title = `${metric}: ${origin}`;
      const lines = list.map((one) => ({ name: one.metric, times: inSeconds(one) }));
      return { metric, title, svg: renderEcdfPlot({ title, lines }) };
    }),
    ...[...groupBy(series, ({ metric, node }) => `${metric}${node === undefined ? '' : ' by node'}`)].map(
      ([metric, list]: [string, readonly Series[]]) => {
        const title = `${metric}: ${origin}`;
        return { metric, title, svg: renderStepPlot({ title, series: list, end: duration, bands: faults }) };
      },
    ),
  ];
  const rankOf = ({ metric }: { readonly metric: string }): number => plotRank(metric) ?? Infinity;
  return plots
    .sort((a, b) => (rankOf(a) === rankOf(b) ? 0 : rankOf(a) - rankOf(b)))
    .map((plot, index) => ({
      title: plot.title,
      svg: plot.svg,
      file: plotFile(plot.metric, index),
      first: rankOf(plot) < Infinity,
      words: metricWords(plot.metric),
    }));
}

function inSeconds(times: Times): Times {
  if (times.unit !== 'us') return times;
  const values = times.values.map((one) => {
    if (one.kind === 'observed') return { ...one, value: one.value / 1e6 };
    return one.kind === 'censored' ? { ...one, bound: one.bound / 1e6 } : one;
  });
  return { ...times, unit: 's', window: times.window / 1e6, values };
}

export function variantText(variant: string | undefined): string {
  return variant === undefined ? '' : ` (${variant})`;
}

/** Numbered: names of metrics may differ only in what a file's name cannot hold. */
export function plotFile(metric: string, index: number): string {
  const name = metric.replaceAll(/[^a-zA-Z0-9]+/g, '-').replaceAll(/^-|-$/g, '');
  return `${String(index + 1).padStart(2, '0')}-${name.slice(0, 60)}.svg`;
}

function groupBy<T>(list: readonly T[], key: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return groups;
}
