/** The plots of a sweep: what matters against each thing that was varied, one line for each setting of the others. */
import type { StoredRun } from './stored-runs.ts';
import { plotFile, variantText, type PlotFile } from './run-plots.ts';
import { sweepAxes, type SweepAxis } from './sweep-axes.ts';
import { distinctLines } from './svg/palette.ts';
import { renderSweepPlot, type SweepLine } from './svg/sweep-plot.ts';

/** What a sweep is made for; first where the axis is the one that the metric is asked against. */
const QUESTIONS = [
  { axis: /replication/, metric: /^availability/ },
  { axis: /\/for$/, metric: /^reconverge.*\.(p50|p99|max|failed_share)$/ },
  { axis: /replication/, metric: /^lookup/ },
  { axis: /.*/, metric: /^(availability|lookup_|delivery)|^reconverge.*\.(p50|p99|max|failed_share)$/ },
];
/** Where nothing of the above was measured. */
const OTHERS = 12;

export function renderSweepPlots(runs: readonly StoredRun[]): PlotFile[] {
  const axes = sweepAxes(runs.map(({ summary }) => summary.settings));
  const metrics = [...new Set(runs.flatMap(({ summary }) => summary.metrics.map(({ metric }) => metric)))];
  const pairs = axes.flatMap((axis) => metrics.map((metric) => ({ axis, metric })));
  const rank = (pair: { axis: SweepAxis; metric: string }): number =>
    QUESTIONS.findIndex((one) => one.axis.test(pair.axis.name) && one.metric.test(pair.metric));
  const asked = pairs.filter((pair) => rank(pair) >= 0).sort((a, b) => rank(a) - rank(b));
  return (asked.length > 0 ? asked : pairs.slice(0, OTHERS)).map(({ axis, metric }, index) => {
    const others = axes.filter((other) => other !== axis);
    const lines = linesOf(runs, metric, { axis, others });
    const { name = '', variant } = runs[0]?.summary ?? {};
    const left =
      lines.length > distinctLines ? `; ${distinctLines} of ${lines.length} settings of the others` : '';
    const title = `${metric} against ${axis.name}: ${name}${variantText(variant)}${left}`;
    const unit =
      runs.flatMap(({ summary }) => summary.metrics).find((one) => one.metric === metric)?.unit ?? '';
    const shown = lines.slice(0, distinctLines);
    const svg = renderSweepPlot({ title, axis: axis.name, steps: axis.steps, metric, unit, lines: shown });
    return { file: plotFile(`${metric} ${axis.name}`, index), title, svg };
  });
}

/** One value a run. undefined: not measured. */
export function runValue({ summary }: StoredRun, metric: string): number | undefined {
  const found = summary.metrics.find((one) => one.metric === metric);
  return found === undefined ? undefined : (found.value ?? Infinity);
}

function linesOf(
  runs: readonly StoredRun[],
  metric: string,
  { axis, others }: { readonly axis: SweepAxis; readonly others: readonly SweepAxis[] },
): SweepLine[] {
  const nameOf = ({ summary }: StoredRun): string =>
    others.map((other) => `${other.name} = ${other.stepOf(summary.settings)}`).join(', ') || 'runs';
  return [...new Set(runs.map(nameOf))].map((name) => ({
    name,
    places: axis.steps.map((step) =>
      runs
        .filter((run) => nameOf(run) === name && axis.stepOf(run.summary.settings) === step)
        .flatMap((run) => runValue(run, metric) ?? []),
    ),
  }));
}
