/**
 * What is still to happen, in the order (time, phase, sequence): a binary heap whose entries know their place, so that a
 * cancelled one leaves at once (400,000 cleared timers kept until due cost 120 MB).
 */

export interface HeapEntry {
  /** Integer microseconds. */
  readonly at: number;
  readonly phase: number;
  /** Unique; decides between entries of one instant and phase. */
  readonly sequence: number;
  /** Place in the heap; -1 while in none. The heap's own. */
  place: number;
}

export class EventHeap<E extends HeapEntry> {
  readonly #entries: E[] = [];

  get size(): number {
    return this.#entries.length;
  }

  peek(): E | undefined {
    return this.#entries[0];
  }

  push(entry: E): void {
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  pop(): E | undefined {
    const first = this.#entries[0];
    if (first) this.remove(first);
    return first;
  }

  /** Fine for one that is not in it. */
  remove(entry: E): void {
    const place = entry.place;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#entries.pop() as E;
    if (last === entry) return;
    const parent = this.#entries[(place - 1) >> 1];
    if (place > 0 && parent && before(last, parent)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  count(matches: (entry: E) => boolean): number {
    return this.#entries.reduce((sum, entry) => sum + (matches(entry) ? 1 : 0), 0);
  }

  removeWhere(matches: (entry: E) => boolean): void {
    for (const entry of this.#entries.filter(matches)) this.remove(entry);
  }

  #rise(entry: E, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#entries[above] as E;
      if (!before(entry, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(entry, place);
  }

  #sink(entry: E, from: number): void {
    const { length } = this.#entries;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= length) break;
      const right = this.#entries[below + 1];
      if (right && before(right, this.#entries[below] as E)) below++;
      const child = this.#entries[below] as E;
      if (!before(child, entry)) break;
      this.#put(child, place);
      place = below;
    }
    this.#put(entry, place);
  }

  #put(entry: E, place: number): void {
    this.#entries[place] = entry;
    entry.place = place;
  }
}

function before(a: HeapEntry, b: HeapEntry): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.phase !== b.phase) return a.phase < b.phase;
  return a.sequence < b.sequence;
}
