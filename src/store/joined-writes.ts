/** Entries of the catalog, written together: while one write is under way the next ones gather. */
import type { Digest } from '../core/digest.ts';
import type { BlobRecord } from './blob-index.ts';

type Entry = readonly [Digest, BlobRecord | undefined];

export class JoinedWrites {
  readonly #write: (entries: Iterable<Entry>) => Promise<void>;
  #gathering: Entry[] | undefined;
  #next: Promise<void> = Promise.resolve();
  #last: Promise<unknown> = Promise.resolve();

  constructor(write: (entries: Iterable<Entry>) => Promise<void>) {
    this.#write = write;
  }

  /** In the order of the calls; rejects with what the write that these are part of throws. */
  add(entries: readonly Entry[]): Promise<void> {
    if (this.#gathering !== undefined) {
      this.#gathering.push(...entries);
      return this.#next;
    }
    const gathering = (this.#gathering = [...entries]);
    this.#next = this.#last.then(() => {
      this.#gathering = undefined;
      return this.#write(gathering);
    });
    this.#last = this.#next.catch(() => undefined);
    return this.#next;
  }
}
