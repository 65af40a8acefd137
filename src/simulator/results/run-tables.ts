/** The tables of a run's report that join several metrics: by side of a cut, by protocol, and what matters most. */
import { fold, table, type Html } from './html.ts';
import { metricWords, scalarRank } from './metric-words.ts';
import type { RunResult } from './run-result.ts';
import { runScalars, type RunScalar } from './run-scalars.ts';
import { formatNumber, formatQuantity } from './svg/axis.ts';

/** One row a cut and side; undefined: no cut had sides. */
export function sidesTable({ counters }: RunResult): Html | undefined {
  const sides = counters.flatMap(({ metric, group }) => {
    const fault = /^lookups\.count\((.*)\)$/.exec(metric)?.[1];
    return fault === undefined || group === undefined ? [] : [{ fault, group }];
  });
  if (sides.length === 0) return undefined;
  const value = (metric: string, { fault, group }: { fault: string; group: string }): string => {
    const found = counters.find((one) => one.metric === `${metric}(${fault})` && one.group === group);
    if (found === undefined) return '';
    return metric.endsWith('.count') ? formatNumber(found.value) : percent(found.value);
  };
  return table(
    [
      { head: 'cut' },
      { head: 'side' },
      { head: 'look-ups', number: true },
      { head: 'failed', number: true },
      { head: 'found in 30 s', number: true },
      { head: 'eligible', number: true },
      { head: 'found of these', number: true },
    ],
    sides.map((side) => [
      side.fault,
      side.group,
      value('lookups.count', side),
      value('lookups_failed.count', side),
      value('lookup_all', side),
      value('lookups_eligible.count', side),
      value('lookup_eligible', side),
    ]),
  );
}

/** undefined: nothing was sent, or nobody counted. */
export function trafficTable(result: RunResult): Html | undefined {
  const totals = result.counters.filter(({ metric }) => metric === 'bytes_sent.total');
  if (totals.length === 0) return undefined;
  const all = totals.reduce((sum, { value }) => sum + value, 0);
  const scalars = new Map(runScalars(result).map(({ metric, value }) => [metric, value]));
  const mean = (metric: string, group: string): string => {
    const value = scalars.get(`${metric}[${group}].mean`);
    return value === undefined ? '' : formatNumber(value);
  };
  return table(
    [
      { head: 'protocol' },
      { head: 'bytes, all nodes', number: true },
      { head: 'share', number: true },
      { head: 'B/s a node', number: true },
      { head: 'messages/s a node', number: true },
    ],
    totals
      .toSorted((a, b) => b.value - a.value)
      .map(({ group = '', value }) => [
        group,
        formatNumber(value),
        percent(all === 0 ? 0 : value / all),
        mean('bytes_sent', group),
        mean('messages_sent', group),
      ]),
  );
}

/** What matters most with a line on what it is, and the rest folded. */
export function scalarTables(result: RunResult): { readonly first: Html | undefined; readonly rest: Html } {
  const all = runScalars(result);
  const ranked = all
    .flatMap((one) => {
      const rank = scalarRank(one.metric);
      return rank === undefined ? [] : [{ one, rank }];
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one);
  const rest = table(
    [{ head: 'metric' }, { head: 'value', number: true }],
    all.map((one) => [one.metric, shown(one)]),
  );
  return {
    first:
      ranked.length === 0
        ? undefined
        : table(
            [{ head: 'metric' }, { head: 'value', number: true }, { head: 'what it is' }],
            ranked.map((one) => [one.metric, shown(one), metricWords(one.metric) ?? '']),
          ),
    rest: fold(`All ${all.length} numbers of the run`, [rest]),
  };
}

function shown({ value, bound, unit }: RunScalar): string {
  return value === Infinity && bound !== undefined
    ? `> ${formatQuantity(bound, unit)}`
    : formatQuantity(value, unit);
}

function percent(share: number): string {
  return `${formatNumber(share * 100)} %`;
}
