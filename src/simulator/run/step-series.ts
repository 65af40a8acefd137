/** How a metric came about over time: a level that changed, or what happened in bins of ten seconds. */
import type { StepPoint } from '../statistics/time-weighted.ts';

export const BIN = 10e6;

/** Times are microseconds after the warm-up; what was before counts as of 0. */
export class Level {
  readonly points: { at: number; value: number | undefined }[] = [];

  /** undefined: from here on there is nothing to measure. */
  set(at: number, value: number | undefined): void {
    const time = Math.max(0, at);
    const last = this.points.at(-1);
    if (last !== undefined ? last.value === value : value === undefined) return;
    if (last?.at === time) last.value = value;
    else this.points.push({ at: time, value });
  }
}

export class BinnedRate {
  readonly #counts: number[] = [];
  total = 0;

  /** Before 0 it is not counted. */
  add(at: number, count = 1): void {
    if (at < 0) return;
    const bin = Math.floor(at / BIN);
    this.#counts[bin] = (this.#counts[bin] ?? 0) + count;
    this.total += count;
  }

  /** A second; `empty`, or blank, where nothing happened. */
  points(end: number, empty?: number): StepPoint[] {
    return Array.from({ length: Math.ceil(end / BIN) }, (_, bin) => {
      const count = this.#counts[bin];
      const at = bin * BIN;
      return { at, value: count === undefined ? empty : (count * 1e6) / (Math.min(end, at + BIN) - at) };
    });
  }
}
