/** Lags of many nodes, each of which grows as time does or is 0: means and quantiles over node-seconds, exact. */
import type { StepPoint } from '../statistics/time-weighted.ts';
import { BIN } from './step-series.ts';

/** Of one node. It begins with `lag` and ends with `lag + to - from`, or is 0 throughout. Microseconds. */
export interface LagSpan {
  readonly from: number;
  readonly to: number;
  readonly lag: number;
  readonly isZero: boolean;
}

export class LagWeights {
  readonly #bins: { area: number; known: number }[] = [];
  /** Where a span's lags begin and end. */
  readonly #edges: { readonly lag: number; readonly spans: 1 | -1 }[] = [];
  #zero = 0;
  #all = 0;
  #area = 0;

  add({ from, to, lag, isZero }: LagSpan): void {
    this.#all += to - from;
    if (isZero) this.#zero += to - from;
    else {
      this.#area += (lag + (to - from) / 2) * (to - from);
      this.#edges.push({ lag, spans: 1 }, { lag: lag + to - from, spans: -1 });
    }
    for (let bin = Math.floor(from / BIN); bin * BIN < to; bin++) {
      const [begin, end] = [Math.max(from, bin * BIN), Math.min(to, (bin + 1) * BIN)];
      const one = (this.#bins[bin] ??= { area: 0, known: 0 });
      one.known += end - begin;
      if (!isZero) one.area += (lag + (begin + end) / 2 - from) * (end - begin);
    }
  }

  points(end: number): StepPoint[] {
    return Array.from({ length: Math.ceil(end / BIN) }, (_, bin) => {
      const { area, known } = this.#bins[bin] ?? { area: 0, known: 0 };
      return { at: bin * BIN, value: known === 0 ? undefined : area / known };
    });
  }

  /** undefined: of no time. */
  get mean(): number | undefined {
    return this.#all === 0 ? undefined : this.#area / this.#all;
  }

  /** undefined: of no time. */
  quantile(p: number): number | undefined {
    if (this.#all === 0) return undefined;
    const goal = p * this.#all;
    let below = this.#zero;
    if (below >= goal) return 0;
    let spans = 0;
    let last = 0;
    for (const edge of this.#edges.sort((a, b) => a.lag - b.lag)) {
      const next = below + spans * (edge.lag - last);
      if (spans > 0 && next >= goal) return last + (goal - below) / spans;
      below = next;
      last = edge.lag;
      spans += edge.spans;
    }
    return last;
  }
}
