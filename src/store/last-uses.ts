/** Last uses: in memory at once, in the catalog a few seconds later, many at a time. A kill loses those seconds. */
import type { Clock, Timer } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { BlobIndex, BlobRecord } from './blob-index.ts';

export interface WriteRecords {
  (records: readonly (readonly [Digest, BlobRecord])[]): Promise<void>;
}

export class LastUses {
  readonly #clock: Clock;
  readonly #index: BlobIndex;
  readonly #write: WriteRecords;
  readonly #touched = new Set<Digest>();
  #timer: Timer | undefined;

  /** `write` does not throw. */
  constructor(clock: Clock, index: BlobIndex, write: WriteRecords) {
    this.#clock = clock;
    this.#index = index;
    this.#write = write;
  }

  touch(digest: Digest): void {
    if (!this.#index.touch(digest, this.#clock.now())) return;
    this.#touched.add(digest);
    this.#timer ??= this.#clock.setTimer(() => void this.#flush(), limits.store.touchFlush);
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const records = [...this.#touched].flatMap((digest) => {
      const record = this.#index.get(digest);
      return record === undefined ? [] : [[digest, record] as const];
    });
    this.#touched.clear();
    await this.#write(records);
  }
}
