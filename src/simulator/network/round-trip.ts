/**
 * The retransmission time-out as Linux has it: the smoothed round trip and four times its variation (RFC 6298), but 200 ms at the
 * least (tcp_set_rto). What comes of that decides when a connection goes on after a cut: 20 s of it end with a wait of half
 * a minute. Microseconds.
 */

const FLOOR = 200_000;
const CEILING = 120_000_000;

/** Linux's timers tick every 4 ms (HZ=250, Debian's), and the longer they wait the coarser: never early, an eighth late at the most. */
const TICK = 4000;
const SLOTS = 64;

/** How long a timer of `delay` that is set at `now` really waits. */
export function kernelWait(now: number, delay: number): number {
  let unit = TICK;
  while (delay >= SLOTS * unit) unit *= 8;
  return Math.ceil((now + delay) / unit) * unit - now;
}

export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;
  #timeout = 1_000_000;

  /** What the last answers took. */
  get smoothed(): number {
    return this.#smoothed ?? this.#timeout;
  }

  get timeout(): number {
    return this.#timeout;
  }

  sample(time: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = time;
      this.#variation = time / 2;
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - time);
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * time;
    }
    this.#timeout = Math.min(CEILING, this.#smoothed + Math.max(FLOOR, 4 * this.#variation));
  }

  /** Nothing came: the next wait is twice as long. */
  double(): void {
    this.#timeout = Math.min(CEILING, this.#timeout * 2);
  }
}
