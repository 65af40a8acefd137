/** The retransmission time-out by RFC 6298, with Linux's floor of 200 ms; microseconds. */

const FLOOR = 200_000;
const CEILING = 120_000_000;

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
    this.#timeout = Math.min(CEILING, Math.max(FLOOR, this.#smoothed + 4 * this.#variation));
  }

  /** Nothing came: the next wait is twice as long. */
  double(): void {
    this.#timeout = Math.min(CEILING, this.#timeout * 2);
  }
}
