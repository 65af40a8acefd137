/** Which plots a run has: every series over time, and how long things took. */
import type { RunResult, Series, Times } from './run-result.ts';
import { renderEcdfPlot } from './svg/ecdf-plot.ts';
import { renderStepPlot } from './svg/step-plot.ts';

export interface PlotFile {
  /** `heads.svg`. */
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

export function renderRunPlots(result: RunResult): PlotFile[] {
  const { series, times, duration, faults } = result;
  const origin = `${result.name}, seed ${result.seed}, run ${result.run}${variantText(result.variant)}`;
  const plots = [
    ...[...groupBy(times, ({ metric, unit }) => `${baseOf(metric)} ${unit}`).values()].map((list) => {
      const metric = baseOf((list[0] as Times).metric);
      const title = `${metric}: ${origin}`;
      const lines = list.map((one) => ({ name: one.metric, times: one }));
      return { metric, title, svg: renderEcdfPlot({ title, lines }) };
    }),
    ...[...groupBy(series, ({ metric, node }) => `${metric}${node === undefined ? '' : ' by node'}`)].map(
      ([metric, list]: [string, readonly Series[]]) => {
        const title = `${metric}: ${origin}`;
        return { metric, title, svg: renderStepPlot({ title, series: list, end: duration, bands: faults }) };
      },
    ),
  ];
  return plots.map(({ metric, ...plot }, index) => ({ ...plot, file: plotFile(metric, index) }));
}

export function variantText(variant: string | undefined): string {
  return variant === undefined ? '' : ` (${variant})`;
}

/** Numbered: names of metrics may differ only in what a file's name cannot hold. */
export function plotFile(metric: string, index: number): string {
  const name = metric.replaceAll(/[^a-zA-Z0-9]+/g, '-').replaceAll(/^-|-$/g, '');
  return `${String(index + 1).padStart(2, '0')}-${name.slice(0, 60)}.svg`;
}

/** `reconverge` of `reconverge(split)`. */
function baseOf(metric: string): string {
  return metric.replace(/\(.*\)$/, '');
}

function groupBy<T>(list: readonly T[], key: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return groups;
}
