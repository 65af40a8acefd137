/**
 * Where a name stands in somebody else's bytes: a hash table of numbers, 16 bytes a name. In parts, so that growing moves a few
 * thousand at a time.
 */
const PARTS = 256;
const FIRST_SLOTS = 8;
const FULL = 0.85;
const ROOMY = 0.6;
/** In `places`; real ones are stored one higher. */
const EMPTY = 0;
const DELETED = -1;

interface Part {
  places: Float64Array;
  hashes: Uint32Array;
  /** And how many slots are not empty. */
  used: number;
  filled: number;
}

export class PlaceTable {
  readonly #parts: (Part | undefined)[] = Array.from({ length: PARTS });
  readonly #isOf: (place: number, name: string) => boolean;

  /** @param isOf whether that name stands at the place */
  constructor(isOf: (place: number, name: string) => boolean) {
    this.#isOf = isOf;
  }

  find(name: string): number | undefined {
    const hash = hashOf(name);
    const part = this.#parts[hash % PARTS];
    if (part === undefined) return undefined;
    const mask = part.places.length - 1;
    for (let slot = (hash >>> 8) & mask; ; slot = (slot + 1) & mask) {
      const place = part.places[slot] as number;
      if (place === EMPTY) return undefined;
      if (place !== DELETED && part.hashes[slot] === hash && this.#isOf(place - 1, name)) return place - 1;
    }
  }

  *all(): Generator<number> {
    for (const part of this.#parts)
      for (const stored of part?.places ?? []) if (stored !== EMPTY && stored !== DELETED) yield stored - 1;
  }

  /** A name that is not there. */
  add(name: string, place: number): void {
    const hash = hashOf(name);
    const part = (this.#parts[hash % PARTS] ??= emptyPart(FIRST_SLOTS));
    if (part.filled + 1 > FULL * part.places.length) grow(part);
    put(part, hash, place + 1);
  }

  delete(name: string, place: number): void {
    const hash = hashOf(name);
    const part = this.#parts[hash % PARTS];
    if (part === undefined) return;
    const mask = part.places.length - 1;
    for (let slot = (hash >>> 8) & mask; part.places[slot] !== EMPTY; slot = (slot + 1) & mask) {
      if (part.places[slot] !== place + 1) continue;
      part.places[slot] = DELETED;
      part.used--;
      if (part.used === 0) this.#parts[hash % PARTS] = undefined;
      return;
    }
  }
}

function emptyPart(slots: number): Part {
  return { places: new Float64Array(slots), hashes: new Uint32Array(slots), used: 0, filled: 0 };
}

function put(part: Part, hash: number, stored: number): void {
  const mask = part.places.length - 1;
  let slot = (hash >>> 8) & mask;
  while (part.places[slot] !== EMPTY && part.places[slot] !== DELETED) slot = (slot + 1) & mask;
  if (part.places[slot] === EMPTY) part.filled++;
  part.places[slot] = stored;
  part.hashes[slot] = hash;
  part.used++;
}

/** Also where most of it was deleted: then it shrinks. */
function grow(part: Part): void {
  const { places, hashes, used } = part;
  let slots = FIRST_SLOTS;
  while (used + 1 > ROOMY * slots) slots *= 2;
  Object.assign(part, emptyPart(slots));
  for (const [slot, stored] of places.entries())
    if (stored !== EMPTY && stored !== DELETED) put(part, hashes[slot] as number, stored);
}

/** FNV-1a, then mixed: neighbours in the alphabet lie apart. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
