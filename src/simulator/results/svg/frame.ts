/** The paper of every plot: title, bands of the faults with their ids, grid, axes with units, the legend under it all. */
import type { FaultBand } from '../run-result.ts';
import type { Axis } from './axis.ts';
import { element, escapeXml, px, textElement, widthOf } from './element.ts';
import { marker, plotStyle, type LineStyle } from './palette.ts';

const WIDTH = 760;
const LEFT = 76;
const RIGHT = 18;
const INNER = WIDTH - LEFT - RIGHT;
const PLOT = 230;
const LANE = 16;
const LINE = 20;

export interface LegendEntry {
  readonly text: string;
  readonly style: LineStyle;
  readonly shape: 'line' | 'marker' | 'area';
}

export interface Plot {
  readonly title: string;
  /** For those who cannot see it. */
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly bands?: readonly FaultBand[];
  readonly legend: readonly LegendEntry[];
  /** What is drawn between the axes. */
  readonly draw: (place: Place) => string;
}

export interface Place {
  x(value: number): number;
  y(value: number): number;
}

export function renderPlot(plot: Plot): string {
  const titles = wrapText(plot.title, (WIDTH - 24) / widthOf('x', 14));
  const lanes = placeLabels(plot.bands ?? [], plot.x);
  const top = 16 + titles.length * LINE + Math.max(0, ...lanes.map(({ lane }) => lane + 1)) * LANE;
  const bottom = top + PLOT;
  const legend = drawLegend(plot.legend, bottom + 58);
  const height = bottom + 52 + legend.height;
  const place: Place = {
    x: (value) => LEFT + ((value - plot.x.min) / (plot.x.max - plot.x.min)) * INNER,
    y: (value) => bottom - ((value - plot.y.min) / (plot.y.max - plot.y.min)) * PLOT,
  };
  const content = [
    `<title>${escapeXml(plot.title)}</title><desc>${escapeXml(plot.description)}</desc><style>${plotStyle}</style>`,
    element('rect', { class: 'fp-bg', x: 0, y: 0, width: WIDTH, height, fill: '#fff' }),
    ...titles.map((text, index) =>
      textElement(text, {
        class: 'fp-ink',
        x: 12,
        y: 24 + index * LINE,
        fill: '#1f2328',
        'font-size': 14,
        'font-weight': 600,
      }),
    ),
    drawBands(plot, place, top),
    ...lanes.map(({ id, x, lane, anchor }) =>
      textElement(id, {
        class: 'fp-soft',
        x,
        y: top - 5 - lane * LANE,
        fill: '#57606a',
        'text-anchor': anchor,
      }),
    ),
    drawAxes(plot, place, top),
    plot.draw(place),
    legend.content,
  ].join('\n');
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${px(height)}`,
      width: WIDTH,
      height,
      role: 'img',
      'aria-label': plot.title,
      'font-family': 'system-ui, sans-serif',
      'font-size': 12,
    },
    `\n${content}\n`,
  )}\n`;
}

function drawBands({ bands = [], x }: Plot, place: Place, top: number): string {
  return bands
    .flatMap(({ id, label, intervals }) =>
      intervals
        .map(({ from, to }) => ({ from: Math.max(from, x.min), to: Math.min(to, x.max) }))
        .filter(({ from, to }) => to > from)
        .map(({ from, to }) => {
          const left = place.x(from);
          const right = place.x(to);
          const edge = (at: number): string =>
            element('line', {
              class: 'fp-edge',
              x1: at,
              x2: at,
              y1: top,
              y2: top + PLOT,
              stroke: '#6e7781',
              'stroke-dasharray': '3 3',
            });
          const area = element('rect', {
            class: 'fp-band',
            x: left,
            y: top,
            width: Math.max(right - left, 1),
            height: PLOT,
            fill: '#8c959f',
            'fill-opacity': 0.22,
          });
          return element(
            'g',
            {},
            `<title>${escapeXml(`${id}: ${label}`)}</title>${area}${edge(left)}${edge(right)}`,
          );
        }),
    )
    .join('\n');
}

interface BandLabel {
  readonly id: string;
  readonly x: number;
  readonly lane: number;
  readonly anchor: 'start' | 'end';
}

/** One a fault, over its first interval, in the lowest lane where it covers no other. */
function placeLabels(bands: readonly FaultBand[], axis: Axis): BandLabel[] {
  const ends: { from: number; to: number }[][] = [];
  return bands.flatMap(({ id, intervals }) => {
    const first = intervals.find(({ from, to }) => to > axis.min && from < axis.max);
    if (first === undefined) return [];
    const at = LEFT + ((Math.max(first.from, axis.min) - axis.min) / (axis.max - axis.min)) * INNER;
    const width = widthOf(id) + 8;
    const anchor = at + width > WIDTH - 4 ? 'end' : 'start';
    const from = anchor === 'start' ? at : at - width;
    const free = (taken: { from: number; to: number }[]): boolean =>
      taken.every((other) => other.to <= from || other.from >= from + width);
    const found = ends.findIndex(free);
    const lane = found === -1 ? ends.length : found;
    (ends[lane] ??= []).push({ from, to: from + width });
    return [{ id, x: at + (anchor === 'start' ? 2 : -2), lane, anchor } as const];
  });
}

function drawAxes({ x, y }: Plot, place: Place, top: number): string {
  const bottom = top + PLOT;
  const line = (className: string, ends: readonly [number, number, number, number]): string =>
    element('line', {
      class: className,
      x1: ends[0],
      y1: ends[1],
      x2: ends[2],
      y2: ends[3],
      stroke: className === 'fp-grid' ? '#d8dee4' : '#57606a',
    });
  const ink = { class: 'fp-soft', fill: '#57606a' };
  return [
    ...y.ticks.flatMap(({ at, text }) => [
      line('fp-grid', [LEFT, place.y(at), WIDTH - RIGHT, place.y(at)]),
      textElement(text, { ...ink, x: LEFT - 8, y: place.y(at) + 4, 'text-anchor': 'end' }),
    ]),
    ...x.ticks.flatMap(({ at, text }) => [
      line('fp-axis', [place.x(at), bottom, place.x(at), bottom + 5]),
      textElement(text, { ...ink, x: place.x(at), y: bottom + 18, 'text-anchor': 'middle' }),
    ]),
    line('fp-axis', [LEFT, bottom, WIDTH - RIGHT, bottom]),
    line('fp-axis', [LEFT, top, LEFT, bottom]),
    textElement(x.label, { ...ink, x: LEFT + INNER / 2, y: bottom + 38, 'text-anchor': 'middle' }),
    textElement(y.label, {
      ...ink,
      'text-anchor': 'middle',
      transform: `translate(16 ${px(top + PLOT / 2)}) rotate(-90)`,
    }),
  ].join('\n');
}

/** In columns as wide as the longest entry. */
function drawLegend(entries: readonly LegendEntry[], top: number): { content: string; height: number } {
  const column = Math.max(...entries.map(({ text }) => widthOf(text) + 52), 1);
  const columns = Math.max(1, Math.floor(INNER / column));
  const content = entries.map(({ text, style, shape }, index) => {
    const x = LEFT + (index % columns) * column;
    const y = top + Math.floor(index / columns) * LINE;
    const line = element('line', {
      x1: x,
      x2: x + 30,
      y1: y,
      y2: y,
      stroke: style.colour,
      'stroke-width': 2,
      'stroke-dasharray': style.dash,
    });
    const area = element('rect', {
      x,
      y: y - 6,
      width: 30,
      height: 12,
      fill: style.colour,
      'fill-opacity': 0.25,
    });
    const sample = { line, area, marker: `${line}${marker(style, x + 15, y)}` }[shape];
    return `${sample}${textElement(text, { class: 'fp-ink', x: x + 38, y: y + 4, fill: '#1f2328' })}`;
  });
  return { content: content.join('\n'), height: Math.ceil(entries.length / columns) * LINE };
}

function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
