/**
 * Numbers with units, as scenarios write them. Always true: `parse(format(x)) = x` for every x that `parse` gives, and a
 * number without its unit is refused (0 needs none).
 */

export interface Quantity {
  /** In the base unit; undefined: not one, or finer than the base unit can say. */
  parse(text: string): number | undefined;
  format(value: number): string;
  /** `a time with its unit such as 30s, 5m or 2h` */
  readonly expected: string;
  /** Regular expression for the JSON Schema. */
  readonly pattern: string;
}

interface QuantityOptions {
  readonly units: Readonly<Record<string, number>>;
  /** The base unit has no fractions. */
  readonly whole: boolean;
  readonly signed?: boolean;
  readonly expected: string;
}

function createQuantity({ units, whole, signed = false, expected }: QuantityOptions): Quantity {
  const names = Object.keys(units).sort((a, b) => b.length - a.length);
  const sign = signed ? '-?' : '';
  const pattern = `^(0|${sign}[0-9]+(\\.[0-9]+)? ?(${names.join('|')}))$`;
  const grammar = new RegExp(`^(${sign}[0-9]{1,15}(?:\\.[0-9]{1,25})?) ?(${names.join('|')})$`);
  const parse = (text: string): number | undefined => {
    if (text === '0') return 0;
    const [, amount, unit] = grammar.exec(text) ?? [];
    if (amount === undefined || unit === undefined) return undefined;
    const exact = scale(Number(amount), units[unit] as number);
    if (!whole) return Number.isFinite(exact) ? exact : undefined;
    const value = Math.round(exact) + 0;
    return Math.abs(exact - value) < 1e-6 && Number.isSafeInteger(value) ? value : undefined;
  };
  const descending = Object.entries(units).sort(([, a], [, b]) => b - a);
  const format = (value: number): string => {
    if (value === 0) return '0';
    for (const [unit, factor] of descending) {
      if (Number.isInteger(value / factor) && parse(`${value / factor}${unit}`) === value)
        return `${value / factor}${unit}`;
    }
    let shortest: string | undefined;
    for (const [unit, factor] of descending) {
      for (let digits = 1; digits <= 17; digits++) {
        const text = `${decimal(Number((value / factor).toPrecision(digits)))}${unit}`;
        if (parse(text) !== value) continue;
        if (shortest === undefined || text.length < shortest.length) shortest = text;
        break;
      }
    }
    if (shortest === undefined) throw new RangeError(`${value} cannot be written as ${expected}`);
    return shortest;
  };
  return { parse, format, expected, pattern };
}

/** `factor` below 1 divides: 7 * 0.01 is not 0.07, 7 / 100 is. */
function scale(amount: number, factor: number): number {
  return factor < 1 ? amount / Math.round(1 / factor) : amount * factor;
}

function decimal(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(25).replace(/\.?0+$/, '') : text;
}

const TIMES = { us: 1, ms: 1e3, s: 1e6, m: 6e7, h: 36e8, d: 864e8 };
const SIZES = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const LINES = {
  'kbit/s': 125,
  'Mbit/s': 125e3,
  'Gbit/s': 125e6,
  'B/s': 1,
  'kB/s': 1e3,
  'MB/s': 1e6,
  'GB/s': 1e9,
};

export const duration = createQuantity({
  units: TIMES,
  whole: true,
  expected: 'a time with its unit, such as 300ms, 30s, 5m or 2h',
});
export const skew = createQuantity({
  units: TIMES,
  whole: true,
  signed: true,
  expected: 'a time with its unit, ahead or behind, such as 90s or -5m',
});
export const size = createQuantity({
  units: SIZES,
  whole: true,
  expected: 'a size with its unit, such as 80kB, 2MB or 1MiB',
});
export const bandwidth = createQuantity({
  units: LINES,
  whole: true,
  expected: 'a rate of bits or bytes, such as 20Mbit/s or 5MB/s',
});
export const rate = createQuantity({
  units: { '/s': 1, '/m': 1 / 60, '/h': 1 / 3600, '/d': 1 / 86400 },
  whole: false,
  expected: 'a rate with its unit, such as 2/s, 10/m or 3/h',
});
export const percentage = createQuantity({
  units: { '%': 1 / 100 },
  whole: false,
  expected: 'a percentage such as 0.1% or 5%',
});
