/**
 * The sweep for changes that carry no serial: every bin once a week, at a moment that depends on the clock alone, so that
 * all publishers look at the same names at the same time and agree.
 */
import { BINS } from '../../core/index-map/index-entry.ts';
import { limits } from '../../core/limits.ts';

/** The bin whose turn it is at `now` (wall clock, ms). */
export function sweptBin(now: number): number {
  const week = limits.publish.sweep / 1000;
  return Math.floor(((Math.floor(now / 1000) % week) * BINS) / week);
}

/** The bins whose turn came after `from` and until `to`. What was missed is made up for a bounded time back. */
export function sweptBins(from: number, to: number): number[] {
  const begin = Math.max(from, to - limits.publish.sweepBehind);
  if (begin >= to) return [];
  const [first, last] = [sweptBin(begin), sweptBin(to)];
  const count = (last - first + BINS) % BINS;
  return Array.from({ length: count }, (_, index) => (first + 1 + index) % BINS);
}
