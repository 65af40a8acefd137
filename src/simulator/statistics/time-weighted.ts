/**
 * What was so over time: a value holds from its point until the next one. Means and quantiles weigh by how long it held, and
 * time for which nothing was known weighs nothing.
 */

export interface StepPoint {
  /** Microseconds; ascending within a series. */
  readonly at: number;
  /** undefined: from here on there is nothing to measure. */
  readonly value: number | undefined;
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

/** The known spans within [from, to), in order, none empty. */
function spansOf(points: readonly StepPoint[], from: number, to: number): Span[] {
  return points.flatMap(({ at, value }, index) => {
    const begin = Math.max(at, from);
    const end = Math.min(points[index + 1]?.at ?? to, to);
    return value === undefined || end <= begin ? [] : [{ from: begin, to: end, value }];
  });
}

/** undefined: nothing was known. */
export function meanOver(points: readonly StepPoint[], from: number, to: number): number | undefined {
  const spans = spansOf(points, from, to);
  const known = spans.reduce((sum, span) => sum + span.to - span.from, 0);
  return known === 0 ? undefined : areaOfSpans(spans) / known;
}

/** Value times microseconds. */
export function areaOver(points: readonly StepPoint[], from: number, to: number): number {
  return areaOfSpans(spansOf(points, from, to));
}

/** The least value that held at or below for a share `p` of the known time. */
export function quantileOver(
  points: readonly StepPoint[],
  p: number,
  { from, to }: { readonly from: number; readonly to: number },
): number | undefined {
  const spans = spansOf(points, from, to).sort((a, b) => a.value - b.value);
  const known = spans.reduce((sum, span) => sum + span.to - span.from, 0);
  let below = 0;
  for (const span of spans) {
    below += span.to - span.from;
    if (below >= p * known) return span.value;
  }
  return undefined;
}

/** Means of equal bins; the last one may be shorter. A bin without anything known is undefined. */
export function binMeans(
  points: readonly StepPoint[],
  bins: { readonly from: number; readonly to: number; readonly length: number },
): StepPoint[] {
  const { from, to, length } = bins;
  if (!(length > 0)) throw new RangeError(`a bin has a length above 0, not ${length}`);
  const areas: { area: number; known: number }[] = Array.from(
    { length: Math.max(0, Math.ceil((to - from) / length)) },
    () => ({ area: 0, known: 0 }),
  );
  for (const span of spansOf(points, from, to)) {
    const last = Math.min(areas.length - 1, Math.floor((span.to - from) / length));
    for (let bin = Math.floor((span.from - from) / length); bin <= last; bin++) {
      const share = Math.min(span.to, from + (bin + 1) * length) - Math.max(span.from, from + bin * length);
      const one = areas[bin];
      if (one === undefined || share <= 0) continue;
      one.area += span.value * share;
      one.known += share;
    }
  }
  return areas.map(({ area, known }, bin) => ({
    at: from + bin * length,
    value: known === 0 ? undefined : area / known,
  }));
}

function areaOfSpans(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + span.value * (span.to - span.from), 0);
}
