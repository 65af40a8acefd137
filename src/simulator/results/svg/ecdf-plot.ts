/** How many had got there by when. Failures keep a line below 1, censored ones leave by the estimate of Kaplan and Meier. */
import { survivalSteps } from '../../statistics/kaplan-meier.ts';
import type { Times } from '../run-result.ts';
import { formatNumber, valueAxis, type Axis } from './axis.ts';
import { element, px } from './element.ts';
import { renderPlot, type Place } from './frame.ts';
import { distinctLines, lineStyle } from './palette.ts';

const SHARE: Axis = {
  label: 'share reached',
  min: 0,
  max: 1,
  ticks: [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, text: `${at * 100} %` })),
};

export interface EcdfPlotOptions {
  readonly title: string;
  /** Of one unit; `name` is the legend's. The first seven. */
  readonly lines: readonly { readonly name: string; readonly times: Times }[];
}

export function renderEcdfPlot({ title, lines: all }: EcdfPlotOptions): string {
  const lines = all.slice(0, distinctLines);
  const unit = lines[0]?.times.unit ?? '';
  const seen = lines.flatMap(({ times }) => survivalSteps(times.values).map(({ at }) => at));
  // Those that never got there are in the legend: a window ten times as long would squeeze the rest.
  const window = Math.max(0, ...lines.map(({ times }) => times.window));
  const last = seen.length === 0 ? window : Math.min(window, seen.reduce((a, b) => Math.max(a, b)) * 1.5);
  const x = valueAxis('time', unit, [last, ...seen]);
  return renderPlot({
    title,
    description: `Cumulative share over time: ${lines.map(({ name, times }) => `${name}, ${times.values.length} values`).join('; ')}.`,
    x,
    y: SHARE,
    legend: lines.map(({ name, times }, index) => ({
      text: `${name} (${countText(times)})`,
      style: lineStyle(index),
      shape: 'line',
    })),
    draw: (place) =>
      lines
        .map(({ times }, index) => {
          const { colour, dash } = lineStyle(index);
          const steps = seenSteps(times, place).map(([right, y]) => `H${px(right)}V${px(y)}`);
          const d = `M${px(place.x(0))} ${px(place.y(0))}${steps.join('')}H${px(place.x(Math.min(times.window, x.max)))}`;
          return element('path', {
            d,
            fill: 'none',
            stroke: colour,
            'stroke-width': 1.8,
            'stroke-dasharray': dash,
          });
        })
        .join('\n'),
  });
}

/** On paper; of those within half a pixel of each other the last. */
function seenSteps({ values }: Times, place: Place): [number, number][] {
  const steps = survivalSteps(values).map(({ at, survival }): [number, number] => [
    place.x(at),
    place.y(1 - survival),
  ]);
  return steps.filter(([right], index) => {
    const next = steps[index + 1];
    return next === undefined || Math.floor(next[0] * 2) > Math.floor(right * 2);
  });
}

function countText({ values, window, unit }: Times): string {
  const count = (kind: string): number => values.filter((one) => one.kind === kind).length;
  const failed = count('failed') > 0 ? `, ${count('failed')} > ${formatNumber(window)} ${unit}` : '';
  const censored = count('censored') > 0 ? `, ${count('censored')} censored` : '';
  return `n = ${values.length}${failed}${censored}`;
}
