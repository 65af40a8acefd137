/** What `compare` says on a terminal: aligned columns, and in words what may not be concluded. */
import type { Comparison, MetricComparison } from './compare-runs.ts';
import { formatNumber, shownUnit } from './svg/axis.ts';
import { INTERVAL_RUNS } from '../statistics/run-summary.ts';

export function renderComparison(comparison: Comparison): string {
  const { scenario, pairs, unpaired, changes, metrics, missing } = comparison;
  const rows = [
    ['metric', 'unit', 'A', 'B', 'B - A', '95 % interval', 'n'],
    ...metrics.map((one) => {
      const { unit, scale } = shownUnit(one.unit);
      return [
        one.metric,
        unit,
        side(one.a === null ? null : one.a * scale, one.never.a),
        side(one.b === null ? null : one.b * scale, one.never.b),
        one.difference === undefined ? '-' : signed(one.difference * scale),
        interval(one.interval, scale),
        String(one.pairs),
      ];
    }),
  ];
  const notes = [
    `${scenario}: ${pairs} pairs of runs by seed and number; A and B are medians, B - A the mean of the pairs' differences.`,
    ...changes.map(({ pointer, a, b }) => `differs: ${pointer}: ${a ?? 'not there'} -> ${b ?? 'not there'}`),
    ...(unpaired.a + unpaired.b > 0 ? [`without a partner: ${unpaired.a} of A, ${unpaired.b} of B`] : []),
    ...(missing.a.length > 0 ? [`only in B: ${missing.a.join(', ')}`] : []),
    ...(missing.b.length > 0 ? [`only in A: ${missing.b.join(', ')}`] : []),
    ...(pairs < INTERVAL_RUNS ? [`fewer than ${INTERVAL_RUNS} pairs: no intervals`] : []),
    ...(metrics.some(({ never }) => never.a + never.b > 0)
      ? ['∞: so many runs never got there; their differences have no mean and no interval']
      : []),
  ];
  return `${[...notes, '', ...alignColumns(rows)].join('\n')}\n`;
}

function side(value: number | null, never: number): string {
  const text = value === null ? '∞' : formatNumber(value);
  return never === 0 ? text : `${text} (${never} ∞)`;
}

function interval(found: MetricComparison['interval'], scale: number): string {
  if (found === undefined) return '-';
  // An interval without 0 speaks for a difference.
  const mark = found.low > 0 || found.high < 0 ? ' *' : '';
  return `${signed(found.low * scale)} .. ${signed(found.high * scale)}${mark}`;
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${formatNumber(value)}`;
}

/** Text to the left, numbers to the right. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
