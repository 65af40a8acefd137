/** A metric over time. Up to seven lines as they are; of more (one a node) the middle, and where eight of ten lie. */
import { binMeans, type StepPoint } from '../../statistics/time-weighted.ts';
import type { FaultBand, Series } from '../run-result.ts';
import { timeAxis, valueAxis } from './axis.ts';
import { element, px } from './element.ts';
import { renderPlot, type LegendEntry, type Place } from './frame.ts';
import { distinctLines, lineStyle } from './palette.ts';

/** More points than pixels are shown as means of so many bins. */
const MANY_POINTS = 1_400;
const BINS = 350;

export interface StepPlotOptions {
  readonly title: string;
  /** Of one metric and unit. */
  readonly series: readonly Series[];
  readonly end: number;
  readonly bands: readonly FaultBand[];
}

export function renderStepPlot({ title, series, end, bands }: StepPlotOptions): string {
  const { metric = '', unit = '' } = series[0] ?? {};
  const many = series.length > distinctLines;
  const of = series[0]?.node === undefined ? 'groups' : 'nodes';
  const lines = many ? [] : series.map(({ points }) => thinned(points, end));
  const spread = many ? spreadOf(series, end) : [];
  const values = [
    ...lines.flat(),
    ...spread.flatMap(({ at, low, high }) => [
      { at, value: low },
      { at, value: high },
    ]),
  ];
  const legend: LegendEntry[] = many
    ? [
        { text: `median of ${series.length} ${of}`, style: lineStyle(0), shape: 'line' },
        { text: `10th to 90th percentile of the ${of}`, style: lineStyle(0), shape: 'area' },
      ]
    : series.map((one, index) => ({ text: nameOf(one), style: lineStyle(index), shape: 'line' }));
  return renderPlot({
    title,
    description: `${metric} over time${describeBands(bands)}; a value holds until the next one, gaps are unknown.`,
    x: timeAxis(end),
    y: valueAxis(
      metric,
      unit,
      values.flatMap(({ value }) => value ?? []),
    ),
    bands,
    legend,
    draw: (place) =>
      many
        ? drawSpread(spread, place, end)
        : lines.map((points, index) => drawSteps(points, place, { end, index })).join('\n'),
  });
}

export function describeBands(bands: readonly FaultBand[]): string {
  return bands.length === 0 ? '' : `, with the faults ${bands.map(({ id }) => id).join(', ')} as grey bands`;
}

function nameOf({ metric, node, group }: Series): string {
  return node === undefined ? (group ?? metric) : `node ${node}`;
}

function thinned(points: readonly StepPoint[], end: number): readonly StepPoint[] {
  return points.length <= MANY_POINTS ? points : binMeans(points, { from: 0, to: end, length: end / BINS });
}

function drawSteps(points: readonly StepPoint[], place: Place, line: { end: number; index: number }): string {
  const { colour, dash } = lineStyle(line.index);
  let d = '';
  let drawing = false;
  for (const [index, { at, value }] of points.entries()) {
    const until = Math.min(points[index + 1]?.at ?? line.end, line.end);
    if (value === undefined || at >= line.end) {
      drawing = false;
      continue;
    }
    const y = px(place.y(value));
    d += drawing ? `V${y}` : `M${px(place.x(Math.max(at, 0)))} ${y}`;
    d += `H${px(place.x(until))}`;
    drawing = true;
  }
  if (d === '') return '';
  return element('path', { d, fill: 'none', stroke: colour, 'stroke-width': 1.8, 'stroke-dasharray': dash });
}

interface SpreadBin {
  readonly at: number;
  readonly low: number | undefined;
  readonly middle: number | undefined;
  readonly high: number | undefined;
}

function spreadOf(series: readonly Series[], end: number): SpreadBin[] {
  const length = end / BINS;
  const means = series.map(({ points }) => binMeans(points, { from: 0, to: end, length }));
  return Array.from({ length: BINS }, (_, bin) => {
    const values = means.flatMap((one) => one[bin]?.value ?? []).sort((a, b) => a - b);
    const at = (p: number): number | undefined =>
      values[Math.min(values.length - 1, Math.floor(values.length * p))];
    return { at: bin * length, low: at(0.1), middle: at(0.5), high: at(0.9) };
  });
}

function drawSpread(spread: readonly SpreadBin[], place: Place, end: number): string {
  const { colour } = lineStyle(0);
  const areas = spread.map(({ at, low, high }) => {
    if (low === undefined || high === undefined) return '';
    const [left, right] = [px(place.x(at)), px(place.x(Math.min(at + end / BINS, end)))];
    return `M${left} ${px(place.y(low))}H${right}V${px(place.y(high))}H${left}Z`;
  });
  const middle = spread.map(({ at, middle: value }) => ({ at, value }));
  const area = element('path', { d: areas.join('') || 'M0 0', fill: colour, 'fill-opacity': 0.25 });
  return `${area}\n${drawSteps(middle, place, { end, index: 0 })}`;
}
