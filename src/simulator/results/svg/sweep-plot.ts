/** A metric of runs against what a sweep varies: medians with intervals from ten runs on, the runs as points below. */
import { summarizeRuns } from '../../statistics/run-summary.ts';
import { valueAxis, type Axis } from './axis.ts';
import { element, px } from './element.ts';
import { renderPlot, type Place } from './frame.ts';
import { lineStyle, marker, path } from './palette.ts';

export interface SweepLine {
  readonly name: string;
  /** By place on the axis; one value a run, Infinity where it never got there. */
  readonly places: readonly (readonly number[])[];
}

export interface SweepPlotOptions {
  readonly title: string;
  /** What is varied. */
  readonly axis: string;
  /** In order, as written. */
  readonly steps: readonly string[];
  readonly metric: string;
  /** Beside the axis. */
  readonly label: string;
  readonly unit: string;
  /** So many units is a value of 1. */
  readonly scale: number;
  readonly lines: readonly SweepLine[];
}

export function renderSweepPlot(options: SweepPlotOptions): string {
  const { title, axis, steps, metric, label, unit, scale } = options;
  const lines = options.lines.map(({ name, places }) => ({
    name,
    places: places.map((runs) => runs.map((value) => value * scale)),
  }));
  const x: Axis = {
    label: axis,
    min: -0.5,
    max: steps.length - 0.5,
    ticks: steps.map((text, at) => ({ at, text })),
  };
  const finite = lines.flatMap(({ places }) => places.flat()).filter(Number.isFinite);
  const y = valueAxis(label, unit, finite);
  const few = lines.some(({ places }) =>
    places.some((runs) => runs.length > 0 && summarizeRuns(runs).interval === undefined),
  );
  return renderPlot({
    title,
    description: `${metric} against ${axis}: medians over runs, ${
      few
        ? 'each run as a small point, no interval below ten runs'
        : 'with 95 % intervals of order statistics'
    }. ∞ over a place: that many runs never got there.`,
    x,
    y,
    legend: lines.map(({ name }, index) => ({ text: name, style: lineStyle(index), shape: 'marker' })),
    draw: (place) =>
      lines.map((line, index) => drawLine(line, place, { index, of: lines.length, top: y.max })).join('\n'),
  });
}

function drawLine(
  { places }: SweepLine,
  place: Place,
  { index, of, top }: { readonly index: number; readonly of: number; readonly top: number },
): string {
  const style = lineStyle(index);
  const { colour, dash } = style;
  const shift = ((index - (of - 1) / 2) * 0.5) / of;
  const middles: [number, number][] = [];
  const marks = places.map((runs, at) => {
    const x = place.x(at + shift);
    const { median, interval } = summarizeRuns(runs);
    const parts: string[] = [];
    const never = runs.filter((value) => value === Infinity).length;
    if (never > 0)
      parts.push(
        element(
          'text',
          { x, y: place.y(top) + 12 + index * 13, fill: colour, 'text-anchor': 'middle', 'font-size': 11 },
          `${never} of ${runs.length} ∞`,
        ),
      );
    if (interval === undefined)
      for (const value of runs.filter(Number.isFinite))
        parts.push(
          element('circle', { cx: x, cy: place.y(value), r: 2, fill: colour, 'fill-opacity': 0.55 }),
        );
    else if (Number.isFinite(interval.low)) {
      const [low, high] = [place.y(interval.low), place.y(Math.min(interval.high, top))];
      // Without its upper cap: it goes on for ever.
      const cap = Number.isFinite(interval.high) ? `M${px(x - 5)} ${px(high)}h10` : '';
      const d = `M${px(x)} ${px(low)}V${px(high)}M${px(x - 5)} ${px(low)}h10${cap}`;
      parts.push(element('path', { d, fill: 'none', stroke: colour, 'stroke-width': 1.5 }));
    }
    if (median !== undefined && Number.isFinite(median)) {
      parts.push(marker(style, x, place.y(median)));
      middles.push([x, place.y(median)]);
    }
    return parts.join('');
  });
  const line = element('path', {
    d: middles.length > 0 ? path(middles) : 'M0 0',
    fill: 'none',
    stroke: colour,
    'stroke-width': 1.4,
    'stroke-dasharray': dash,
  });
  return `${line}\n${marks.join('\n')}`;
}
