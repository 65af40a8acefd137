/** How a metric came about over time: a level that changed, or what happened in bins of ten seconds. */
import type { StepPoint } from '../statistics/time-weighted.ts';

const BIN = 10e6;

/** Times are microseconds after the warm-up; what was before counts as of 0. */
export class Level {
  readonly points: { at: number; value: number }[] = [];

  set(at: number, value: number): void {
    const time = Math.max(0, at);
    const last = this.points.at(-1);
    if (last?.value === value) return;
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

  /** A second; blank where nothing happened. */
  points(end: number): StepPoint[] {
    return Array.from({ length: Math.ceil(end / BIN) }, (_, bin) => {
      const count = this.#counts[bin];
      const at = bin * BIN;
      return { at, value: count === undefined ? undefined : (count * 1e6) / (Math.min(end, at + BIN) - at) };
    });
  }
}
