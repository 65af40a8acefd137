/** Which partials there are, what room they take, and which of them nobody writes: kept to be resumed, for an hour. */
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';

interface Kept {
  readonly length: number;
  readonly keptAt: number;
}

interface Writing {
  length: number;
  readonly reserved: number;
}

export class PartialRegistry {
  readonly #clock: Clock;
  /** Longest kept first. */
  readonly #kept = new Map<Digest, Kept>();
  readonly #writing = new Map<Digest, Writing>();
  #bytes = 0;
  #claimed = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#kept.size + this.#writing.size;
  }

  /** Of all partials. */
  get bytes(): number {
    return this.#bytes;
  }

  isWriting(digest: Digest): boolean {
    return this.#writing.has(digest);
  }

  /** What the writers have and have reserved. */
  claimed(): number {
    return this.#claimed;
  }

  /** True when there is something to resume. */
  begin(digest: Digest, reserved: number): boolean {
    const kept = this.#kept.get(digest);
    this.#kept.delete(digest);
    const length = kept?.length ?? 0;
    this.#writing.set(digest, { length, reserved });
    this.#claimed += Math.max(length, reserved);
    return kept !== undefined;
  }

  /** Bytes of a partial that is being written. */
  grow(digest: Digest, bytes: number): void {
    const writing = this.#writing.get(digest);
    if (writing === undefined) return;
    const before = Math.max(writing.length, writing.reserved);
    writing.length += bytes;
    this.#claimed += Math.max(writing.length, writing.reserved) - before;
    this.#bytes += bytes;
  }

  setLength(digest: Digest, length: number): void {
    this.grow(digest, length - (this.#writing.get(digest)?.length ?? 0));
  }

  /** No partial any more. */
  end(digest: Digest): void {
    this.setLength(digest, 0);
    this.#claimed -= this.#writing.get(digest)?.reserved ?? 0;
    this.#writing.delete(digest);
  }

  keep(digest: Digest, length: number, keptAt: number): void {
    this.end(digest);
    this.#kept.set(digest, { length, keptAt });
    this.#bytes += length;
  }

  /** Takes out kept ones until `enough`; their files are the caller's to remove. */
  drop(enough: () => boolean): Digest[] {
    return this.#take(enough, () => true);
  }

  dropExpired(): Digest[] {
    const now = this.#clock.now();
    return this.#take(
      () => false,
      ({ keptAt }) => Math.abs(now - keptAt) > limits.freshness.partialKept,
    );
  }

  #take(enough: () => boolean, unwanted: (kept: Kept) => boolean): Digest[] {
    const taken: Digest[] = [];
    for (const [digest, kept] of this.#kept) {
      if (enough()) break;
      if (!unwanted(kept)) continue;
      this.#kept.delete(digest);
      this.#bytes -= kept.length;
      taken.push(digest);
    }
    return taken;
  }
}
