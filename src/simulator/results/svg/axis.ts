/** Ticks at round values, and where a value lies on the paper. */
import { duration } from '../../scenario/quantities.ts';

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface Axis {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly Tick[];
}

/** 1, 2 or 5 times a power of ten, about `count` of them. */
export function roundTicks(min: number, max: number, count: number): number[] {
  const rough = (max - min) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough * 0.999) as number) * power;
  return stepsOf(min, max, step);
}

function stepsOf(min: number, max: number, step: number): number[] {
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}

/** 0 is always on it, and it ends at a tick. */
export function valueAxis(label: string, unit: string, values: Iterable<number>): Axis {
  let low = 0;
  let high = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (high <= low) high = low + 1;
  const ticks = roundTicks(low, high, 5);
  const step = (ticks[1] ?? 1) - (ticks[0] ?? 0);
  const max = Math.max(high, Math.ceil(high / step - 1e-9) * step);
  const all = stepsOf(low, max, step);
  return {
    label: unit === '1' || unit === '' ? label : `${label} (${unit})`,
    min: Math.min(low, all[0] ?? low),
    max,
    ticks: all.map((at) => ({ at, text: formatNumber(at) })),
  };
}

const TIME_STEPS = [
  '1s',
  '2s',
  '5s',
  '10s',
  '20s',
  '30s',
  '1m',
  '2m',
  '5m',
  '10m',
  '15m',
  '30m',
  '1h',
  '2h',
  '4h',
]
  .concat(['6h', '12h', '24h', '48h', '120h', '240h'])
  .map((text) => duration.parse(text) as number);

/** Microseconds; each tick carries its unit. */
export function timeAxis(end: number): Axis {
  const max = Math.max(end, 1e6);
  const step = TIME_STEPS.find((one) => one * 9 >= max) ?? 240 * 3600e6;
  return {
    label: 'time after the warm-up',
    min: 0,
    max,
    ticks: stepsOf(0, max, step).map((at) => ({ at, text: at === 0 ? '0' : formatTime(at) })),
  };
}

/** The largest unit that leaves no more than two digits behind the point. */
export function formatTime(time: number): string {
  for (const [unit, name] of [
    [3600e6, 'h'],
    [60e6, 'min'],
    [1e6, 's'],
  ] as const)
    if (time >= unit && Number.isInteger((time / unit) * 2)) return `${time / unit} ${name}`;
  return `${formatNumber(time / 1e6)} s`;
}

/** Microseconds are shown as seconds, plain numbers without a unit. `scale`: so many of it a measured one is. */
export function shownUnit(unit: string): { readonly unit: string; readonly scale: number } {
  return unit === 'us' ? { unit: 's', scale: 1e-6 } : { unit: unit === '1' ? '' : unit, scale: 1 };
}

/** With its unit. */
export function formatQuantity(value: number, unit: string): string {
  const shown = shownUnit(unit);
  return `${formatNumber(value * shown.scale)} ${shown.unit}`.trimEnd();
}

/** Four digits that matter; `12.3 k`, `4.5 M`. */
export function formatNumber(value: number): string {
  if (value === Infinity) return '∞';
  const size = Math.abs(value);
  if (size < 1e-12) return '0';
  if (size < 1e-3 || size >= 1e12) return value.toExponential(2);
  const [scale, suffix] =
    size >= 1e9 ? [1e9, ' G'] : size >= 1e6 ? [1e6, ' M'] : size >= 1e4 ? [1e3, ' k'] : [1, ''];
  return `${Number((value / scale).toPrecision(4))}${suffix}`;
}
