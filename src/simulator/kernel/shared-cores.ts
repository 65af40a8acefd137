/** The cores of the one machine that all nodes share: who finds none free waits. Microseconds. */
export class SharedCores {
  /** By core. */
  readonly #busyUntil: number[];

  constructor(count: number) {
    this.#busyUntil = Array.from({ length: count }, () => 0);
  }

  /** When the first is free; in the past: it is. */
  get freeAt(): number {
    return Math.min(...this.#busyUntil);
  }

  /** On the first that is free. */
  work(now: number, microseconds: number): void {
    const first = this.freeAt;
    this.#busyUntil[this.#busyUntil.indexOf(first)] = Math.max(now, first) + microseconds;
  }
}
