/**
 * How lines differ: the colours of Okabe and Ito (2008), told apart by the colour-blind, and dashes and markers, told apart
 * in black and white. Plots carry their own style, so that a dark page has dark plots; without CSS they are dark on white.
 */
import { element, px } from './element.ts';

export interface LineStyle {
  readonly colour: string;
  readonly dash: string | undefined;
  readonly marker: number;
}

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f'];
const DASHES = [undefined, '7 3', '2 3', '9 3 2 3', '14 4', '4 2 1 2 1 2', '1 4'];

/** Seven that differ in both. */
export function lineStyle(index: number): LineStyle {
  const at = index % COLOURS.length;
  return { colour: COLOURS[at] as string, dash: DASHES[at], marker: at };
}

export const distinctLines = COLOURS.length;

export function marker({ colour, marker: kind }: LineStyle, x: number, y: number): string {
  const shapes = [
    () => element('circle', { cx: x, cy: y, r: 3.5, fill: colour }),
    () => element('rect', { x: x - 3.2, y: y - 3.2, width: 6.4, height: 6.4, fill: colour }),
    () =>
      element('path', {
        d: path(
          [
            [x, y - 4.4],
            [x + 4.2, y + 3],
            [x - 4.2, y + 3],
          ],
          true,
        ),
        fill: colour,
      }),
    () =>
      element('path', {
        d: path(
          [
            [x, y - 4.6],
            [x + 4.6, y],
            [x, y + 4.6],
            [x - 4.6, y],
          ],
          true,
        ),
        fill: colour,
      }),
    () => element('circle', { cx: x, cy: y, r: 3.5, fill: 'none', stroke: colour, 'stroke-width': 1.6 }),
    () =>
      element('rect', {
        x: x - 3,
        y: y - 3,
        width: 6,
        height: 6,
        fill: 'none',
        stroke: colour,
        'stroke-width': 1.6,
      }),
    () =>
      element('path', {
        d: `M${px(x - 3.5)} ${px(y - 3.5)}L${px(x + 3.5)} ${px(y + 3.5)}M${px(x - 3.5)} ${px(y + 3.5)}L${px(x + 3.5)} ${px(y - 3.5)}`,
        stroke: colour,
        'stroke-width': 1.8,
      }),
  ];
  return (shapes[kind] as () => string)();
}

export function path(points: readonly (readonly [number, number])[], closed = false): string {
  return `${points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${px(x)} ${px(y)}`).join('')}${closed ? 'Z' : ''}`;
}

/** Presentation attributes come first, these override them where CSS is read. */
export const plotStyle = [
  '.fp-bg{fill:#fff}.fp-ink{fill:#1f2328}.fp-soft{fill:#57606a}',
  '.fp-axis{stroke:#57606a}.fp-grid{stroke:#d8dee4}.fp-band{fill:#8c959f;fill-opacity:.22}.fp-edge{stroke:#6e7781}',
  '@media (prefers-color-scheme:dark){.fp-bg{fill:#0d1117}.fp-ink{fill:#e6edf3}.fp-soft{fill:#9da7b3}',
  '.fp-axis{stroke:#9da7b3}.fp-grid{stroke:#262c36}.fp-band{fill:#8c959f;fill-opacity:.25}.fp-edge{stroke:#9da7b3}',
  '[stroke="#0072b2"]{stroke:#4aa8e0}[fill="#0072b2"]{fill:#4aa8e0}}',
].join('');
