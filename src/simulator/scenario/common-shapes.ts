/** Shapes that several parts of a scenario use: times, distributions, recurrences, groups. */
import { isSeq } from 'yaml';
import { limits } from '../../core/limits.ts';
import { isSequence, listOf, named, orShort, tagged } from './compound-shapes.ts';
import { parseExpression } from './group-expression.ts';
import { bandwidth, duration, percentage, rate, size } from './quantities.ts';
import { number, quantity } from './scalar-shapes.ts';
import type { Distribution, GroupText, Recurrence } from './scenario.ts';
import { failed, record, required, type Shape } from './shape.ts';

const longest = limits.scenario.time * 1000;

export const time = quantity(duration, { min: 0, max: longest });
export const someTime = quantity(duration, { min: 0, max: longest, above: true });
export const percent = quantity(percentage, { min: 0, max: 1 });
export const line = quantity(bandwidth, { min: 1000, max: 125e9 });
export const frequency = quantity(rate, { min: 0, max: 1e6, above: true });

/** Of times (`min` 1 µs) or of sizes. */
function distribution(about: string, quantityShape: Shape<number>): Shape<Distribution> {
  return tagged<Distribution>(about, {
    fixed: named<{ value: number }>('value', quantityShape),
    exponential: record<{ mean: number }>(`${about}: exponential`, { mean: required(quantityShape, 'mean') }),
    weibull: record<{ shape: number; mean: number }>(`${about}: Weibull`, {
      shape: required(number({ min: 0.1, max: 20 }), 'below 1 heavy-tailed, 1 exponential'),
      mean: required(quantityShape, 'mean'),
    }),
    lognormal: record<{ median: number; sigma: number }>(`${about}: log-normal`, {
      median: required(quantityShape, 'median'),
      sigma: required(number({ min: 0, max: 5 }), 'standard deviation of the natural logarithm'),
    }),
  });
}

/** `30m` is `{fixed: 30m}`. */
function orFixed(long: Shape<Distribution>, single: Shape<number>): Shape<Distribution> {
  return orShort(long, {
    applies: (place) => place.scalar !== undefined,
    read(place) {
      const value = single.read(place);
      return value === failed ? failed : { kind: 'fixed', value };
    },
    schema: single.schema,
  });
}

export const timeDistribution = orFixed(distribution('a distribution of times', someTime), someTime);
const someSize = quantity(size, { min: 1, max: 16 * 2 ** 30 });
export const sizeDistribution = orFixed(distribution('a distribution of sizes', someSize), someSize);

export const recurrence: Shape<Recurrence> = tagged<Recurrence>('how often', {
  every: named<{ every: number }>('every', someTime),
  rate: named<{ rate: number }>('rate', frequency),
});

const expression: Shape<string> = {
  read(place) {
    const text = place.scalar;
    if (typeof text !== 'string')
      return place.report(
        `${place.describe()} is no group of hosts`,
        'write a group such as region:eu or "all"',
      );
    const parsed = parseExpression(text);
    return 'message' in Object(parsed)
      ? place.report((parsed as { message: string }).message, (parsed as { fix: string }).fix)
      : text;
  },
  write: (value) => value,
  schema: { type: 'string' },
};
const expressions = listOf(expression, 'groups', { min: 1, max: 1000 });

export const group: Shape<GroupText> = {
  ...orShort<GroupText>(expressions, {
    applies: (place) => !isSequence(place),
    read(place) {
      const text = expression.read(place);
      return text === failed ? failed : [text];
    },
    schema: expression.schema,
  }),
  write: (texts) => (texts.length === 1 ? texts[0] : texts),
};

/** `A -> B`. */
export const arrow: Shape<{ readonly from: GroupText; readonly to: GroupText }> = {
  read(place) {
    const text = place.scalar;
    const sides =
      typeof text === 'string' && !isSeq(place.node) ? text.split('->').map((side) => side.trim()) : [];
    const [from, to, ...more] = sides;
    if (from === undefined || to === undefined || more.length > 0) {
      return place.report(
        `${place.describe()} is not of the form "A -> B"`,
        'write two groups, such as region:eu -> region:na',
      );
    }
    for (const side of [from, to]) {
      const parsed = parseExpression(side);
      if (typeof parsed === 'object' && 'message' in parsed) return place.report(parsed.message, parsed.fix);
    }
    return { from: [from], to: [to] };
  },
  write: ({ from, to }) => `${from[0]} -> ${to[0]}`,
  schema: { type: 'string', pattern: '^[^>]+->[^>]+$' },
};
