/** `report.html` of many runs: the run is the unit, so intervals are over runs, and there are none below ten. */
import { INTERVAL_RUNS, summarizeRuns } from '../statistics/run-summary.ts';
import { details, figure, list, renderPage, table, tag, type Html } from './html.ts';
import { variantText, type PlotFile } from './run-plots.ts';
import { heading, when } from './run-report.ts';
import type { SweepPoint } from './sweep-folder.ts';
import { runValue } from './sweep-plots.ts';
import { formatNumber } from './svg/axis.ts';

export function renderSweepReport(points: readonly SweepPoint[], plots: readonly PlotFile[]): string {
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
    ...when(plots, 'What it depends on', () => ({
      html: plots.map(({ svg }) => figure(svg).html).join('\n'),
    })),
    heading('Points'),
    pointsTable(points),
    ...points.flatMap((point) => [
      tag('h2', points.length === 1 ? 'All that was measured' : `Point ${describeSettings(point)}`),
      metricsTable(point),
    ]),
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
    [...metrics].map(([metric, unit]) => {
      const values = runs.flatMap((run) => runValue(run, metric) ?? []);
      const { median, interval } = summarizeRuns(values);
      const shown =
        interval === undefined
          ? values.map(formatNumber).join(', ')
          : `${formatNumber(interval.low)} to ${formatNumber(interval.high)} (${values.length} runs)`;
      return [metric, median === undefined ? '' : formatNumber(median), shown, unit === '1' ? '' : unit];
    }),
  );
}
