/** The comparison of both sides as numbers, a table and a plot. A run is the unit; nodes of one run are no repetition. */
import { limits } from '../../src/core/limits.ts';
import { renderCsv } from '../../src/simulator/results/csv.ts';
import type { Times } from '../../src/simulator/results/run-result.ts';
import { renderEcdfPlot } from '../../src/simulator/results/svg/ecdf-plot.ts';
import {
  type Equivalence,
  testEquivalence,
  timingMargin,
} from '../../src/simulator/statistics/equivalence.ts';
import { medianOf } from '../../src/simulator/statistics/median.ts';
import { createRandomness, deriveStream } from '../../src/simulator/scenario/streams.ts';
import type { SideMeasures } from './measure-side.ts';

/** Shares of deliveries may differ by two points. */
const DELIVERY_MARGIN = 0.02;
/** Of the machine's CPU time: more than this taken by others, and a run on real processes says nothing. */
export const MOST_ELSEWHERE = 0.1;

export interface SideResult extends SideMeasures {
  readonly cpuSeconds: number;
  /** Of a real run. */
  readonly machineElsewhere: number | undefined;
}

export interface Comparison {
  readonly metric: string;
  readonly unit: 's' | '1';
  readonly simulated: number;
  readonly real: number;
  /** Undefined: shown, not tested. */
  readonly test: Equivalence | undefined;
}

export interface Validation {
  readonly runs: number;
  readonly verdict: 'passed' | 'failed' | 'too few runs' | 'disturbed';
  readonly why: string;
  readonly comparisons: readonly Comparison[];
}

const seconds = (us: number): number => us / 1e6;

export function compareSides(simulated: readonly SideResult[], real: readonly SideResult[]): Validation {
  const of = (side: readonly SideResult[], read: (one: SideResult) => number): number[] => side.map(read);
  const comparison = (
    metric: string,
    unit: Comparison['unit'],
    read: (one: SideResult) => number,
    margin?: (real: readonly number[]) => number,
  ): Comparison => {
    const [a, b] = [of(simulated, read), of(real, read)];
    const randomness = createRandomness(deriveStream(0, 0, 'validation', metric));
    return {
      metric,
      unit,
      simulated: medianOf(a) ?? NaN,
      real: medianOf(b) ?? NaN,
      test: margin && testEquivalence(a, b, { margin: margin(b), randomness }),
    };
  };
  // Of the timers that were active the shortest is gossip's heartbeat.
  const shortest = limits.indexChannel.heartbeat / 1000;
  const comparisons = [
    comparison(
      'time to reconverge, median of the nodes',
      's',
      ({ median }) => seconds(median),
      (values) => timingMargin(values, shortest),
    ),
    comparison(
      'delivery within 10 s',
      '1',
      ({ delivery }) => delivery,
      () => DELIVERY_MARGIN,
    ),
    comparison('delivery within 10 s where no cut parts them', '1', ({ deliveryReach }) => deliveryReach),
    comparison('time to reconverge, last node', 's', ({ reconverge }) =>
      seconds(Math.max(...reconverge.map((value) => value ?? Infinity))),
    ),
    comparison('records signed', '1', ({ records }) => records),
    comparison('connections when the cut begins', '1', ({ connections }) => connections.atCut),
    comparison('connections at the heal', '1', ({ connections }) => connections.atHeal),
  ];
  return { runs: Math.min(simulated.length, real.length), ...verdictOf(comparisons, real), comparisons };
}

function verdictOf(
  comparisons: readonly Comparison[],
  real: readonly SideResult[],
): Pick<Validation, 'verdict' | 'why'> {
  const disturbed = real.filter(({ machineElsewhere = 0 }) => machineElsewhere > MOST_ELSEWHERE);
  const tests = comparisons.flatMap(({ metric, test }) => (test === undefined ? [] : [{ metric, ...test }]));
  if (tests.some(({ verdict }) => verdict === 'too few runs'))
    return {
      verdict: 'too few runs',
      why: 'below ten runs a side there is no interval: this claims nothing',
    };
  if (disturbed.length > 0)
    return {
      verdict: 'disturbed',
      why: `in ${disturbed.length} runs other programs took more than ${MOST_ELSEWHERE * 100} % of this machine: run it again on a quiet one`,
    };
  const missed = tests.filter(({ verdict }) => verdict !== 'equivalent').map(({ metric }) => metric);
  return missed.length === 0
    ? { verdict: 'passed', why: 'each 90 % interval of the difference lies within its margin' }
    : { verdict: 'failed', why: `not shown to be equal: ${missed.join(', ')}` };
}

const number = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);

export function renderTable({ comparisons }: Validation): string {
  const head = ['', 'simulated', 'real', 'difference', '90 % interval', 'margin', ''];
  const rows = comparisons.map(({ metric, unit, simulated, real, test }) => {
    const text = (value: number): string => (unit === 's' ? `${number(value)} s` : number(value));
    return [
      metric,
      text(simulated),
      text(real),
      text(simulated - real),
      test?.interval === undefined ? '' : `${text(test.interval.low)} to ${text(test.interval.high)}`,
      test === undefined ? '' : `± ${text(test.margin)}`,
      test?.verdict ?? 'not tested',
    ];
  });
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** A row a heal and node. */
export function renderNodes(simulated: readonly SideResult[], real: readonly SideResult[]): string {
  const rows = Object.entries({ simulated, real }).flatMap(([side, runs]) =>
    runs.flatMap(({ run, heals, reconverge, delivery }) =>
      reconverge.map((value, at) => [
        side,
        String(run),
        String(Math.floor(at / (reconverge.length / heals))),
        String(at % (reconverge.length / heals)),
        value === null ? '' : String(seconds(value)),
        String(delivery),
      ]),
    ),
  );
  return renderCsv([['side', 'run', 'heal', 'node', 'reconverge_s', 'delivery_of_run'], ...rows]);
}

/** `window`: microseconds after the last heal that were watched. */
export function renderSides(
  simulated: readonly SideResult[],
  real: readonly SideResult[],
  window: number,
): string {
  const times = (side: readonly SideResult[]): Times => ({
    metric: 'reconverge',
    unit: 's',
    window: seconds(window),
    values: side.flatMap(({ reconverge }) =>
      reconverge.map((value) =>
        value === null ? { kind: 'failed' as const } : { kind: 'observed' as const, value: seconds(value) },
      ),
    ),
  });
  return renderEcdfPlot({
    title: `Time to reconverge after the heal, ${real.length} runs a side`,
    lines: [
      { name: 'simulated', times: times(simulated) },
      { name: 'real processes', times: times(real) },
    ],
  });
}
