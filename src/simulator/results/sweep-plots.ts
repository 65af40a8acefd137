/** The plots of a sweep: what matters against each thing that was varied, one line for each setting of the others. */
import { metricWords } from './metric-words.ts';
import { plotFile, variantText, type PlotFile } from './run-plots.ts';
import type { StoredRun } from './stored-runs.ts';
import { sweepAxes, type SweepAxis } from './sweep-axes.ts';
import { axisTitle, metricLabel, metricTitle } from './sweep-words.ts';
import { shownUnit } from './svg/axis.ts';
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
/** Shown at once; the others are folded. */
const FIRST = 8;

export interface SweepPlots {
  readonly plots: readonly PlotFile[];
  /** What was never reached in any run: nothing to draw. */
  readonly never: readonly string[];
}

export function renderSweepPlots(runs: readonly StoredRun[]): SweepPlots {
  const axes = sweepAxes(runs.map(({ summary }) => summary.settings));
  const measured = [...new Set(runs.flatMap(({ summary }) => summary.metrics.map(({ metric }) => metric)))];
  const isReached = (metric: string): boolean =>
    runs.some((run) => Number.isFinite(runValue(run, metric) ?? Infinity));
  const pairsOf = (metrics: readonly string[]): Pair[] =>
    axes.flatMap((axis) => metrics.map((metric) => ({ axis, metric })));
  const asked = (pairs: readonly Pair[]): Pair[] =>
    pairs.filter((pair) => rankOf(pair) >= 0).sort((a, b) => rankOf(a) - rankOf(b));
  const pairs = pairsOf(measured.filter(isReached));
  const some = asked(pairs);
  const shown = some.length > 0 ? some : pairs.slice(0, OTHERS);
  return {
    plots: shown.map((pair, index) => drawPair(runs, axes, { pair, index })),
    never: [
      ...new Set(asked(pairsOf(measured.filter((metric) => !isReached(metric)))).map(({ metric }) => metric)),
    ],
  };
}

interface Pair {
  readonly axis: SweepAxis;
  readonly metric: string;
}

/** -1: nobody asks. */
function rankOf({ axis, metric }: Pair): number {
  return QUESTIONS.findIndex((one) => one.axis.test(axis.name) && one.metric.test(metric));
}

function drawPair(
  runs: readonly StoredRun[],
  axes: readonly SweepAxis[],
  { pair, index }: { readonly pair: Pair; readonly index: number },
): PlotFile {
  const { axis, metric } = pair;
  const [first] = runs;
  const words = (one: SweepAxis): string => axisTitle(one.name, first?.scenario ?? '');
  const others = axes.filter((other) => other !== axis);
  const lines = linesOf(runs, metric, { axis, others, words });
  const { name = '', variant } = first?.summary ?? {};
  const unit =
    runs.flatMap(({ summary }) => summary.metrics).find((one) => one.metric === metric)?.unit ?? '';
  const left =
    lines.length > distinctLines ? `; ${distinctLines} of ${lines.length} settings of the others` : '';
  const title = `${metricTitle(metric)}, against ${words(axis)}: ${name}${variantText(variant)}${left}`;
  const svg = renderSweepPlot({
    title,
    axis: axis.name === `/${words(axis)}` ? axis.name : `${words(axis)} (${axis.name})`,
    steps: axis.steps,
    metric,
    label: metricLabel(metric),
    lines: lines.slice(0, distinctLines),
    ...shownUnit(unit),
  });
  return {
    file: plotFile(`${metric} ${axis.name}`, index),
    title,
    svg,
    first: index < FIRST,
    words: `${metric}: ${metricWords(metric.replaceAll(/\[.*\]|\.[a-z0-9_]+$/g, '')) ?? 'one number a run'}`,
  };
}

/** One value a run. undefined: not measured. */
export function runValue({ summary }: StoredRun, metric: string): number | undefined {
  const found = summary.metrics.find((one) => one.metric === metric);
  return found === undefined ? undefined : (found.value ?? Infinity);
}

function linesOf(
  runs: readonly StoredRun[],
  metric: string,
  {
    axis,
    others,
    words,
  }: {
    readonly axis: SweepAxis;
    readonly others: readonly SweepAxis[];
    readonly words: (axis: SweepAxis) => string;
  },
): SweepLine[] {
  const nameOf = ({ summary }: StoredRun): string =>
    others.map((other) => `${words(other)} = ${other.stepOf(summary.settings)}`).join(', ') || 'runs';
  return [...new Set(runs.map(nameOf))].map((name) => ({
    name,
    places: axis.steps.map((step) =>
      runs
        .filter((run) => nameOf(run) === name && axis.stepOf(run.summary.settings) === step)
        .flatMap((run) => runValue(run, metric) ?? []),
    ),
  }));
}
