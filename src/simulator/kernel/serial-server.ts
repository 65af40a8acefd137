/** A node's one thread: while it is busy, what is due waits in the order in which it came due. */

export class SerialServer<E extends { readonly cancelled: boolean }> {
  /** When it is done with what it began; microseconds, not rounded. */
  #busyUntil = 0;
  readonly #waiting: E[] = [];
  #first = 0;
  /** Whether somebody will call `take` when it is free. */
  awaited = false;

  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  get busyUntil(): number {
    return this.#busyUntil;
  }

  isFree(now: number): boolean {
    return this.waiting === 0 && this.#busyUntil <= now;
  }

  work(now: number, microseconds: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, now) + microseconds;
  }

  queue(event: E): void {
    this.#waiting.push(event);
  }

  /** The first that waits and was not cancelled meanwhile. */
  take(): E | undefined {
    while (this.#first < this.#waiting.length) {
      const event = this.#waiting[this.#first++] as E;
      if (this.#first > 64 && this.#first * 2 > this.#waiting.length) {
        this.#waiting.splice(0, this.#first);
        this.#first = 0;
      }
      if (!event.cancelled) return event;
    }
    return undefined;
  }
}
