/** Shapes of single values: names, numbers, quantities, choices. */
import { closest } from 'fastest-levenshtein';
import type { Quantity } from './quantities.ts';
import type { Shape } from './shape.ts';

export function text(expected: string, pattern: RegExp): Shape<string> {
  return {
    read(place) {
      const value = place.scalar;
      if (typeof value === 'string' && pattern.test(value)) return value;
      return place.report(`${place.describe()} is not ${expected}`, `write ${expected}`);
    },
    write: (value) => value,
    schema: { type: 'string', pattern: pattern.source },
  };
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Nothing between whole numbers. */
  readonly whole?: boolean;
  /** `min` itself is too little. */
  readonly above?: boolean;
}

export function number(bounds: Bounds): Shape<number> {
  const { min, max, whole = false, above = false } = bounds;
  const expected = `${whole ? 'a whole number' : 'a number'} ${above ? 'above' : 'from'} ${min} to ${max}`;
  return {
    read(place) {
      const value = place.scalar;
      if (typeof value === 'number' && within(value, bounds) && (!whole || Number.isSafeInteger(value)))
        return value;
      return place.report(`${place.describe()} is not ${expected}`, `write ${expected}, without a unit`);
    },
    write: (value) => value,
    schema: {
      type: whole ? 'integer' : 'number',
      [above ? 'exclusiveMinimum' : 'minimum']: min,
      maximum: max,
    },
  };
}

function within(value: number, { min, max, above = false }: Bounds): boolean {
  return (above ? value > min : value >= min) && value <= max;
}

export function quantity(kind: Quantity, bounds: Bounds): Shape<number> {
  return {
    read(place) {
      const given = place.scalar;
      const value = typeof given === 'string' ? kind.parse(given) : given === 0 ? 0 : undefined;
      if (value === undefined) {
        const bare = typeof given === 'number' ? ': it has no unit' : '';
        return place.report(`${place.describe()} is not ${kind.expected}${bare}`, `write ${kind.expected}`);
      }
      if (within(value, bounds)) return value;
      const { min, max, above = false } = bounds;
      const range = `${above ? 'above' : 'from'} ${kind.format(min)} to ${kind.format(max)}`;
      return place.report(`${place.describe()} is out of range`, `write ${kind.expected}, ${range}`);
    },
    write: (value) => kind.format(value),
    schema: { type: ['string', 'integer'], pattern: kind.pattern, minimum: 0, maximum: 0 },
  };
}

/** A part of a whole, `0.8` or `80%`. */
export function share(percentage: Quantity): Shape<number> {
  return {
    read(place) {
      const given = place.scalar;
      const value = typeof given === 'string' ? percentage.parse(given) : given;
      if (typeof value === 'number' && value >= 0 && value <= 1) return value;
      return place.report(
        `${place.describe()} is not a share of the whole`,
        'write a number from 0 to 1, or a percentage such as 80%',
      );
    },
    write: (value) => value,
    schema: { type: ['string', 'number'], pattern: percentage.pattern, minimum: 0, maximum: 1 },
  };
}

export function choice<T extends string>(...values: readonly T[]): Shape<T> {
  return {
    read(place) {
      const value = place.scalar;
      if ((values as readonly unknown[]).includes(value)) return value as T;
      const list = values.join(', ');
      const nearest = closest(typeof value === 'string' ? value : '', values);
      return place.report(
        `${place.describe()} is not one of ${list}`,
        values.length > 1 ? `did you mean ${nearest}?` : `write ${nearest}`,
      );
    },
    write: (value) => value,
    schema: { enum: values },
  };
}
