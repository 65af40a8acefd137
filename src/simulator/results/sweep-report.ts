/** `report.html` of many runs: the run is the unit, so intervals are over runs, and there are none below ten. */
import { INTERVAL_RUNS, summarizeRuns } from '../statistics/run-summary.ts';
import { details, figure, fold, list, renderPage, table, tag, type Html } from './html.ts';
import { variantText, type PlotFile } from './run-plots.ts';
import { heading, when } from './run-report.ts';
import type { SweepPoint } from './sweep-folder.ts';
import { runValue, type SweepPlots } from './sweep-plots.ts';
import { formatNumber, shownUnit } from './svg/axis.ts';

export function renderSweepReport(points: readonly SweepPoint[], { plots, never }: SweepPlots): string {
  const runs = points.flatMap((point) => point.runs);
  const [first] = runs;
  const title = `${first?.summary.name}, ${runs.length} runs${variantText(first?.summary.variant)}`;
  const passed = runs.filter(({ summary }) => summary.verdict === 'pass').length;
  const least = Math.min(...points.map((point) => point.runs.length));
  const honesty = [...new Set(runs.flatMap(({ summary }) => summary.honesty))];
  // Lines that say a number of each run's own would be as many as runs.
  const shared = honesty.filter((line) => runs.every(({ summary }) => summary.honesty.includes(line)));
  return renderPage(title, [
    tag('h1', title),
    tag('p', `Fondue simulator. ${points.length === 1 ? 'One point' : `${points.length} points`}.`, 'soft'),
    tag(
      'p',
      `${passed} of ${runs.length} runs hold what the scenario asserts.`,
      `verdict ${passed === runs.length ? 'pass' : 'fail'}`,
    ),
    tag('p', intervalRule(least)),
    ...when([...plots, ...never], 'What it depends on', () => pictures({ plots, never })),
    heading('Points'),
    pointsTable(points),
    heading('All that was measured'),
    ...points.map((point) =>
      points.length === 1
        ? metricsTable(point)
        : fold(`Point ${describeSettings(point)}`, [metricsTable(point)]),
    ),
    heading('What not to conclude'),
    list([
      ...shared,
      'runs of one number share topology, keys, churn and workload over all points: compare them in pairs',
    ]),
    tag(
      'p',
      'Beside this page: index.json, metrics.csv (a row a run and metric), plots/, notebook.ipynb; each run has a report of its own.',
      'soft',
    ),
    details('The scenario of the first point, with nothing left open', first?.scenario ?? ''),
  ]);
}

function pictures({ plots, never }: SweepPlots): Html {
  const figures = (some: readonly PlotFile[]): Html[] => some.map(({ svg, words }) => figure(svg, words));
  const [first, others] = [
    plots.filter((one) => one.first === true),
    plots.filter((one) => one.first !== true),
  ];
  const parts = [
    ...figures(first),
    ...(never.length === 0
      ? []
      : [tag('p', `Not drawn, since no run got there: ${never.join(', ')}.`, 'soft')]),
    ...(others.length === 0
      ? []
      : [fold(`${others.length} more plot${others.length === 1 ? '' : 's'}`, figures(others))]),
  ];
  return { html: parts.map(({ html }) => html).join('\n') };
}

function intervalRule(least: number): string {
  return least < INTERVAL_RUNS
    ? `Some points have fewer than ${INTERVAL_RUNS} runs: those are shown run by run, without intervals.`
    : 'Medians over runs with 95 % intervals of their order statistics (at least 95 %: ranks are whole).';
}

function describeSettings({ point, settings }: SweepPoint): string {
  return settings.map(({ pointer, value }) => `${pointer} = ${value}`).join(', ') || String(point);
}

function pointsTable(points: readonly SweepPoint[]): Html {
  const count = ({ runs }: SweepPoint, verdict: string): string =>
    String(runs.filter(({ summary }) => summary.verdict === verdict).length);
  return table(
    [
      { head: 'point' },
      ...['runs', 'holds', 'fails', 'inconclusive'].map((head) => ({ head, number: true })),
    ],
    points.map((point) => [
      describeSettings(point),
      String(point.runs.length),
      ...['pass', 'fail', 'inconclusive'].map((verdict) => count(point, verdict)),
    ]),
  );
}

function metricsTable({ runs }: SweepPoint): Html {
  const metrics = new Map(
    runs.flatMap(({ summary }) => summary.metrics.map(({ metric, unit }) => [metric, unit])),
  );
  return table(
    [
      { head: 'metric' },
      { head: 'median', number: true },
      { head: '95 % interval, or each run' },
      { head: 'unit' },
    ],
    [...metrics].map(([metric, measured]) => {
      const { unit, scale } = shownUnit(measured);
      const values = runs.flatMap((run) => runValue(run, metric) ?? []).map((value) => value * scale);
      const { median, interval } = summarizeRuns(values);
      const shown =
        interval === undefined
          ? values.map(formatNumber).join(', ')
          : `${formatNumber(interval.low)} to ${formatNumber(interval.high)} (${values.length} runs)`;
      // Those in which it could not be measured say nothing of it.
      const missing =
        values.length === runs.length ? '' : `; not in ${runs.length - values.length} of ${runs.length} runs`;
      return [metric, median === undefined ? '' : formatNumber(median), `${shown}${missing}`, unit];
    }),
  );
}
