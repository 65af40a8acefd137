/**
 * Which keys a table of the catalog may have: what is surely not there is not asked of LevelDB, of which every read costs a
 * turn of another thread (three reads and two writes were a seventh of this thread's time for a cold page). Always true: a
 * key that was told is never denied; of too many keys, none is.
 */
export class KnownKeys {
  readonly #most: number;
  #keys: Set<string> | undefined = new Set();

  constructor(most: number) {
    this.#most = most;
  }

  /** There are too many: everything may be there. */
  get full(): boolean {
    return this.#keys === undefined;
  }

  /** To be called before the key is written. */
  add(key: string): void {
    this.#keys?.add(key);
    if (this.#keys !== undefined && this.#keys.size > this.#most) this.#keys = undefined;
  }

  mayHave(key: string): boolean {
    return this.#keys?.has(key) ?? true;
  }
}
