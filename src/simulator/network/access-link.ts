/**
 * One direction of a host's line: deficit round robin over the connections that have something to send, one segment after
 * the other at the line's rate.
 */
import type { Kernel } from '../kernel/kernel.ts';

/** What competes for the line. */
export interface LinkSource {
  /** Bytes on the wire of what it would send next; undefined: nothing now. */
  nextSize(): number | undefined;
  /** Takes it; `end` (microseconds, not rounded) is when its last byte has left the line. */
  send(end: number): void;
}

/** Bytes a turn: the largest segment, so that every turn sends something. */
export const QUANTUM = 16_384 + 12 * 52;

export class AccessLink {
  readonly #kernel: Kernel;
  /** Bytes a microsecond. */
  readonly #rate: number;
  readonly #turns: LinkSource[] = [];
  readonly #deficits = new Map<LinkSource, number>();
  #busyUntil = 0;
  #awaited = false;

  /** `rate` in bytes a second; may be infinite. */
  constructor(kernel: Kernel, rate: number) {
    this.#kernel = kernel;
    this.#rate = rate / 1e6;
  }

  /** The line is a wire without a queue. */
  get unlimited(): boolean {
    return this.#rate === Infinity;
  }

  /** `source` has something to send, now or when its turn comes. */
  request(source: LinkSource): void {
    if (this.unlimited) {
      while (source.nextSize() !== undefined) source.send(this.#kernel.now);
      return;
    }
    if (this.#deficits.has(source)) return;
    this.#deficits.set(source, 0);
    this.#turns.push(source);
    this.#serve();
  }

  #serve(): void {
    if (this.#awaited) return;
    const { now } = this.#kernel;
    while (this.#turns.length > 0 && this.#busyUntil <= now) {
      const source = this.#turns[0] as LinkSource;
      const size = source.nextSize();
      if (size === undefined) {
        this.#turns.shift();
        this.#deficits.delete(source);
        continue;
      }
      const deficit = this.#deficits.get(source) as number;
      if (size > deficit) {
        this.#deficits.set(source, deficit + QUANTUM);
        if (this.#turns.length > 1) this.#turns.push(this.#turns.shift() as LinkSource);
        continue;
      }
      this.#deficits.set(source, deficit - size);
      // The kernel's clock is whole microseconds: a line that was busy until just now loses nothing by that.
      const start = now - this.#busyUntil < 1 ? this.#busyUntil : now;
      this.#busyUntil = start + size / this.#rate;
      source.send(this.#busyUntil);
    }
    if (this.#turns.length === 0) return;
    this.#awaited = true;
    this.#kernel.scheduleInline(this.#busyUntil - now, 'deliver', () => {
      this.#awaited = false;
      this.#serve();
    });
  }
}
