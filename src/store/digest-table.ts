/**
 * Digests in 32 bytes each, numbered: a digest keeps its slot until it is removed, and slots are used again. A `Map` with
 * hex keys takes three times the memory. Open addressing over the digest's own bits, which are as good as any hash.
 */
import { digestFromBytes, type Digest } from '../core/digest.ts';

const WORDS = 8;

export class DigestTable {
  #keys: Uint32Array;
  /** Slot + 1 by bucket, 0 for empty; a power of two, at most half full. */
  #buckets = new Int32Array(64);
  #size = 0;
  /** Slots below this were handed out. */
  #used = 0;
  readonly #free: number[] = [];
  readonly #scratch = new Uint32Array(WORDS);
  readonly #scratchBytes = Buffer.from(this.#scratch.buffer);

  constructor() {
    this.#keys = new Uint32Array(32 * WORDS);
  }

  get size(): number {
    return this.#size;
  }

  /** Slots that columns beside this table must have. */
  get capacity(): number {
    return this.#keys.length / WORDS;
  }

  /** -1 when absent. */
  find(digest: Digest): number {
    return this.#buckets[this.#bucketOf(digest)]! - 1;
  }

  has(digest: Digest): boolean {
    return this.find(digest) >= 0;
  }

  /** The digest's slot, new or not. */
  insert(digest: Digest): number {
    const bucket = this.#bucketOf(digest);
    const found = this.#buckets[bucket]! - 1;
    if (found >= 0) return found;
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.capacity) {
      const grown = new Uint32Array(Math.ceil((this.capacity * 3) / 2) * WORDS);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    this.#keys.set(this.#scratch, slot * WORDS);
    this.#buckets[bucket] = slot + 1;
    this.#size++;
    if (this.#size * 2 > this.#buckets.length) this.#rehash();
    return slot;
  }

  /** The slot that became free, -1 when it was not there. */
  remove(digest: Digest): number {
    let hole = this.#bucketOf(digest);
    const slot = this.#buckets[hole]! - 1;
    if (slot < 0) return -1;
    const mask = this.#buckets.length - 1;
    // What was pushed past the hole moves back, so that probing needs no tombstones.
    for (let next = (hole + 1) & mask; this.#buckets[next] !== 0; next = (next + 1) & mask) {
      const home = this.#keys[(this.#buckets[next]! - 1) * WORDS]! & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#buckets[hole] = this.#buckets[next]!;
        hole = next;
      }
    }
    this.#buckets[hole] = 0;
    this.#free.push(slot);
    this.#size--;
    return slot;
  }

  /** Of a slot in use. */
  digestAt(slot: number): Digest {
    return digestFromBytes(new Uint8Array(this.#keys.buffer, slot * WORDS * 4, 32));
  }

  /** All, in no order; the table must not change meanwhile. */
  *digests(): Generator<Digest> {
    for (const entry of this.#buckets) if (entry !== 0) yield this.digestAt(entry - 1);
  }

  /** The bucket that holds `digest`, or the empty one where it belongs. Leaves its words in `#scratch`. */
  #bucketOf(digest: Digest): number {
    this.#scratchBytes.write(digest, 'hex');
    const [scratch, keys, buckets] = [this.#scratch, this.#keys, this.#buckets];
    const mask = buckets.length - 1;
    for (let bucket = scratch[0]! & mask; ; bucket = (bucket + 1) & mask) {
      const slot = buckets[bucket]! - 1;
      if (slot < 0) return bucket;
      let word = 0;
      while (word < WORDS && keys[slot * WORDS + word] === scratch[word]) word++;
      if (word === WORDS) return bucket;
    }
  }

  #rehash(): void {
    const old = this.#buckets;
    this.#buckets = new Int32Array(old.length * 2);
    const mask = this.#buckets.length - 1;
    for (const entry of old) {
      if (entry === 0) continue;
      let bucket = this.#keys[(entry - 1) * WORDS]! & mask;
      while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
      this.#buckets[bucket] = entry;
    }
  }
}
