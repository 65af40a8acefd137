/** `report.html` of one run: what was asked, whether it held, how long things took, and what not to conclude. */
import { summarizeTimes } from '../statistics/run-summary.ts';
import type { SurvivalQuantile } from '../statistics/kaplan-meier.ts';
import { details, figure, fold, list, renderPage, table, tag, withWords, type Html } from './html.ts';
import { metricWords } from './metric-words.ts';
import { variantText, type PlotFile } from './run-plots.ts';
import type { RunResult, Times, Verdict } from './run-result.ts';
import { scalarTables, sidesTable, trafficTable } from './run-tables.ts';
import { formatNumber, formatQuantity, formatTime } from './svg/axis.ts';

const VERDICTS: Readonly<Record<Verdict, string>> = {
  pass: 'Everything that was asserted holds',
  fail: 'Something that was asserted does not hold',
  inconclusive: 'Nothing broke, but not everything could be judged',
};
const WORDS: Readonly<Record<Verdict, string>> = {
  pass: 'holds',
  fail: 'FAILS',
  inconclusive: 'inconclusive',
};

export function renderRunReport(result: RunResult, plots: readonly PlotFile[]): string {
  const { name, seed, run, variant, settings, faults, findings, times, verdict } = result;
  const title = `${name}, seed ${seed}, run ${run}${variantText(variant)}`;
  const [sides, traffic, scalars] = [sidesTable(result), trafficTable(result), scalarTables(result)];
  const figures = (some: readonly PlotFile[]): Html[] => some.map(({ svg, words }) => figure(svg, words));
  const others = plots.filter(({ first }) => first !== true);
  const set = settings.map(({ pointer, value }) => `${pointer} = ${value}`).join(', ');
  return renderPage(title, [
    tag('h1', title),
    tag(
      'p',
      `Fondue simulator. ${formatTime(result.duration)} of virtual time after the warm-up.${set && ` ${set}.`}`,
      'soft',
    ),
    tag('p', `${VERDICTS[verdict]}.`, `verdict ${verdict}`),
    heading('What was asserted'),
    table(
      [{ head: 'assertion' }, { head: 'verdict' }, { head: 'why' }],
      findings.map((one) => [one.what, tag('span', WORDS[one.verdict], one.verdict), one.why]),
    ),
    ...when(faults, 'Faults', () =>
      table(
        [{ head: 'id' }, { head: 'what' }, { head: 'when' }],
        faults.map(({ id, label, intervals }) => [id, label, describeIntervals(intervals)]),
      ),
    ),
    ...when(times, 'How long it took', () => timesTable(times)),
    tag(
      'p',
      'One run: its nodes are no repetition, so there are no intervals. “>”: more than what was looked at.',
      'soft',
    ),
    ...section('Look-ups on each side while the cut lasted', sides),
    ...section('What came of it', scalars.first),
    ...section('What the nodes sent', traffic),
    ...when(plots, 'In pictures', () => ({
      html: [
        ...figures(plots.filter(({ first }) => first === true)),
        ...(others.length === 0
          ? []
          : [fold(`${others.length} more plot${others.length === 1 ? '' : 's'}`, figures(others))]),
      ]
        .map(({ html }) => html)
        .join('\n'),
    })),
    heading('All numbers'),
    scalars.rest,
    heading('What not to conclude'),
    list(result.honesty),
    heading('Again'),
    { html: `<pre>${tag('span', result.replay).html}</pre>` },
    tag('p', `Trace ${result.trace}`, 'soft'),
    tag(
      'p',
      'Beside this page: metrics.csv and metrics.parquet (tidy, one value a row), summary.json, env.json, events.jsonl.zst, plots/, notebook.ipynb.',
      'soft',
    ),
    details('The scenario, with nothing left open', result.scenario),
  ]);
}

export function heading(text: string): Html {
  return tag('h2', text);
}

/** A section is left out when it has nothing. */
export function when(content: readonly unknown[], title: string, body: () => Html): Html[] {
  return content.length === 0 ? [] : [heading(title), body()];
}

function section(title: string, body: Html | undefined): Html[] {
  return body === undefined ? [] : [heading(title), body];
}

function describeIntervals(intervals: readonly { readonly from: number; readonly to: number }[]): string {
  const shown = intervals.slice(0, 3).map(({ from, to }) => `${formatTime(from)} to ${formatTime(to)}`);
  const more = intervals.length > shown.length ? `, and ${intervals.length - shown.length} more times` : '';
  return `${shown.join('; ')}${more}`;
}

function timesTable(times: readonly Times[]): Html {
  return table(
    [
      { head: 'what' },
      { head: 'n', number: true },
      { head: 'p50', number: true },
      { head: 'p99 or max', number: true },
      { head: 'not within the window', number: true },
      { head: 'censored', number: true },
    ],
    times.map(({ metric, unit, window, values }) => {
      const { count, median, tail, failedShare, censored } = summarizeTimes(values, window);
      return [
        withWords(metric, metricWords(metric)),
        String(count),
        describeQuantile(median, unit),
        `${tail.name} ${describeQuantile(tail.value, unit)}`,
        failedShare === undefined ? '' : `${formatNumber(failedShare * 100)} % of ${count - censored}`,
        String(censored),
      ];
    }),
  );
}

function describeQuantile(found: SurvivalQuantile | undefined, unit: string): string {
  if (found === undefined) return 'none';
  return found.kind === 'reached'
    ? formatQuantity(found.value, unit)
    : `> ${formatQuantity(found.bound, unit)}`;
}
