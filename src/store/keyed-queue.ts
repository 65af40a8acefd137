/** Work on one digest, one after the other; work on different digests at the same time. */
import type { Digest } from '../core/digest.ts';

export class KeyedQueue {
  readonly #tails = new Map<Digest, Promise<void>>();

  /** `work` starts after all that was given for this digest before. */
  run<T>(digest: Digest, work: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(digest) ?? Promise.resolve()).then(work);
    const settled = (): void => this.#settled(digest, tail);
    const tail: Promise<void> = result.then(settled, settled);
    this.#tails.set(digest, tail);
    return result;
  }

  /** All that was given until now is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#tails.values());
  }

  #settled(digest: Digest, tail: Promise<void>): void {
    if (this.#tails.get(digest) === tail) this.#tails.delete(digest);
  }
}
