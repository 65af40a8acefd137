/** An order over slots in 8 bytes each: to the front, out of it, and through it from either end, all without searching. */

const NONE = -1;

export class SlotList {
  #before = new Int32Array(0);
  #after = new Int32Array(0);
  #front = NONE;
  #back = NONE;

  /** Makes room for slots below `capacity`. */
  grow(capacity: number): void {
    if (capacity <= this.#before.length) return;
    const [before, after] = [new Int32Array(capacity), new Int32Array(capacity)];
    before.set(this.#before);
    after.set(this.#after);
    [this.#before, this.#after] = [before, after];
  }

  /** `slot` must not be in the list. */
  pushFront(slot: number): void {
    this.#before[slot] = NONE;
    this.#after[slot] = this.#front;
    if (this.#front === NONE) this.#back = slot;
    else this.#before[this.#front] = slot;
    this.#front = slot;
  }

  /** `slot` must be in the list. */
  remove(slot: number): void {
    const [before, after] = [this.#before[slot]!, this.#after[slot]!];
    if (before === NONE) this.#front = after;
    else this.#after[before] = after;
    if (after === NONE) this.#back = before;
    else this.#before[after] = before;
  }

  /** The order of `slots`, first at the front, instead of what was there. */
  reset(slots: Uint32Array): void {
    this.#front = this.#back = NONE;
    for (let i = slots.length - 1; i >= 0; i--) this.pushFront(slots[i]!);
  }

  /** From the back; the slot just seen may be removed. */
  *fromBack(): Generator<number> {
    for (let slot = this.#back; slot !== NONE;) {
      const next = this.#before[slot]!;
      yield slot;
      slot = next;
    }
  }

  *fromFront(): Generator<number> {
    for (let slot = this.#front; slot !== NONE; slot = this.#after[slot]!) yield slot;
  }
}
