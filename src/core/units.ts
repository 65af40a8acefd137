/**
 * Sizes, rates and times as people write them on the command line and in the configuration, and as they read them back.
 * Always true: a number that comes out is a safe integer and not negative; what could be misread is refused, not guessed.
 */
import { ConfigurationError } from './errors.ts';

const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
// "20gb" is clear; "10Mb" is not: ten megabits are an eighth of what we would take it for.
const LOWER_SIZES = new Map(Object.entries(SIZES).map(([unit, factor]) => [unit.toLowerCase(), factor]));

const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

/** Number and unit; undefined when `text` is not that or the result is no safe integer. */
function parseQuantity(text: string, factorOf: (unit: string) => number | undefined): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,9})?) ?([A-Za-z]*)$/.exec(text.trim());
  const amount = Number(match?.[1] ?? NaN);
  const factor = amount === 0 && match?.[2] === '' ? 1 : factorOf(match?.[2] ?? '');
  const value = factor === undefined ? NaN : Math.round(amount * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

function sizeFactor(unit: string): number | undefined {
  if (unit === '') return 1;
  return Object.hasOwn(SIZES, unit)
    ? SIZES[unit]
    : unit === unit.toLowerCase()
      ? LOWER_SIZES.get(unit)
      : undefined;
}

function refuse(text: string, what: string, expected: string): never {
  throw new ConfigurationError(
    'usage',
    `${what}: "${text.slice(0, 80)}" is not ${expected}`,
    `Write ${what} as ${expected}`,
  );
}

/**
 * Bytes from `20GB` (decimal), `20GiB` (binary), `1.5TB`, `4096` or `0`. `what` names the flag or key in the error.
 * @throws ConfigurationError
 */
export function parseSize(text: string, what = 'size'): number {
  return (
    parseQuantity(text, sizeFactor) ??
    refuse(text, what, 'a size in bytes such as 20GB (decimal), 20GiB (binary), 512MiB or 0')
  );
}

/** Bytes a second from `10MB/s` or `10MB`. @throws ConfigurationError */
export function parseRate(text: string, what = 'rate'): number {
  return (
    parseQuantity(text.trim().replace(/\/s$/, ''), sizeFactor) ??
    refuse(text, what, 'a rate in bytes a second such as 10MB/s, 512KiB/s or 0')
  );
}

/** Milliseconds from `300ms`, `90s`, `10m`, `24h`, `7d` or `0`. @throws ConfigurationError */
export function parseDuration(text: string, what = 'time'): number {
  return (
    parseQuantity(text, (unit) => (Object.hasOwn(TIMES, unit) ? TIMES[unit] : undefined)) ??
    refuse(text, what, 'a time with its unit such as 300ms, 90s, 10m, 24h or 7d')
  );
}

/** For people, decimal, three digits: `1.54 GB`. Never more than the truth. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  const scale = 10 ** digits;
  return `${Math.floor(value * scale) / scale} ${units[unit]}`;
}

/** For people, the two largest units: `300 ms`, `12 s`, `1 min 30 s`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.floor(ms)} ms`;
  const units = [
    ['d', 864e5],
    ['h', 36e5],
    ['min', 6e4],
    ['s', 1e3],
  ] as const;
  const first = units.findIndex(([, size]) => ms >= size);
  const parts: string[] = [];
  let rest = ms;
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}
