/** Attempts to connect, whatever came of them: how many a second, and how many right after a heal. */
import type { Counter, Series } from '../results/run-result.ts';
import { BIN, BinnedRate } from './step-series.ts';

export class Dials {
  readonly #rate = new BinnedRate();
  readonly #times: number[] = [];

  /** Microseconds after the warm-up, ascending. */
  observe(at: number): void {
    this.#rate.add(at);
    if (at >= 0) this.#times.push(at);
  }

  series(end: number): Series {
    return { metric: 'dials', unit: '1/s', points: this.#rate.points(end, 0) };
  }

  /** A second, of the whole network: in [heal, heal + length), and in the busiest ten seconds of it. */
  after(fault: string, heal: number, length: number): Counter[] {
    if (length <= 0) return [];
    const bins: number[] = [];
    let count = 0;
    for (const at of this.#times) {
      if (at < heal || at >= heal + length) continue;
      const bin = Math.floor((at - heal) / BIN);
      bins[bin] = (bins[bin] ?? 0) + 1;
      count++;
    }
    const busiest = Array.from(bins, (one) => one ?? 0).reduce((a, b) => Math.max(a, b), 0);
    return [
      { metric: `dials_after(${fault})`, unit: '1/s', value: (count * 1e6) / length },
      { metric: `dials_after_peak(${fault})`, unit: '1/s', value: (busiest * 1e6) / Math.min(BIN, length) },
    ];
  }
}
