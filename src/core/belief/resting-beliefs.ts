/**
 * The beliefs of names that rest, packed: 90 bytes each, where objects and strings would take 400, and a record that changes every
 * name leaves 886,324 of them. Names are ASCII, as normalized ones are. Must always hold: `names` gives the longest resting
 * first; between {@link RestingBeliefs.begin} and {@link RestingBeliefs.end} what rested at the beginning can be
 * told as it was, whatever becomes of it; no operation takes longer than some milliseconds.
 */
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { type Belief, sameBelief } from './believe.ts';
import { PlaceTable } from './place-table.ts';

/** A record is flag, kind, length of the name, three numbers, digest, name. A page's floor is its serial. */
const FLAG = 0;
const KIND = 1;
const LENGTH = 2;
const AT = 4;
const FLOOR = 12;
const SIZE = 20;
const DIGEST = 28;
const NAME = 60;

const kinds = { nothing: 0, absent: 1, page: 2 } as const;
/** `same`: it rested with this very belief at the beginning. */
const flags = { plain: 0, same: 1, gone: 2 } as const;

const CHUNK_BYTES = 256 * 1024;
/** Of a chunk in which no more is left, what is left moves to the end. */
const SPARSE = 1 / 4;

interface Chunk {
  readonly bytes: Buffer;
  end: number;
  written: number;
  left: number;
  /** Gone ones that are remembered. */
  remembered: number;
}

/** What a name had, if it rested. */
export interface Rested {
  readonly belief: Belief | undefined;
}

export class RestingBeliefs {
  /** By number; gone ones are given up. */
  readonly #chunks = new Map<number, Chunk>();
  #newest = -1;
  readonly #places = this.#newTable();
  #size = 0;
  /** Of those that rested at the beginning and do not any more, or with another belief: where it still stands. */
  #before: PlaceTable | undefined;
  #beginning = 0;
  /** Of those that are flagged. */
  #same: number[] = [];
  /** Who goes through the names would miss those that move. */
  #walks = 0;

  get size(): number {
    return this.#size;
  }

  /** What the beliefs take. */
  get bytes(): number {
    return this.#chunks.size * CHUNK_BYTES;
  }

  has(name: string): boolean {
    return this.#places.find(name) !== undefined;
  }

  get(name: string): Rested | undefined {
    const place = this.#places.find(name);
    return place === undefined ? undefined : { belief: this.#read(place) };
  }

  /** A name that does not rest yet. */
  add(name: string, belief: Belief | undefined): void {
    const before = this.#before?.find(name);
    const asBefore = before !== undefined && sameBelief(this.#read(before), belief);
    if (asBefore) {
      this.#before?.delete(name, before);
      this.#chunkAt(before).remembered--;
    }
    this.#places.add(name, this.#write(name, belief, asBefore));
    this.#size++;
    if (asBefore) this.#tidy(chunkOf(before));
  }

  delete(name: string): void {
    const place = this.#places.find(name);
    if (place === undefined) return;
    if (this.#before !== undefined && this.#isAsBefore(place)) {
      this.#before.add(name, place);
      this.#chunkAt(place).remembered++;
    }
    this.#drop(place, name);
    this.#size--;
    this.#tidy(chunkOf(place));
  }

  /** The longest resting first. Whatever is added or deleted meanwhile, no name that stays is left out. */
  *names(): Generator<string> {
    for (const [, name] of this.#records()) yield name;
  }

  /** From here on it is remembered what rests now. */
  begin(): void {
    this.#before = this.#newTable();
    this.#beginning = this.#end();
  }

  end(): void {
    this.#before = undefined;
    for (const place of this.#same)
      if (this.#chunks.has(chunkOf(place)) && this.#flag(place) === flags.same)
        this.#setFlag(place, flags.plain);
    this.#same = [];
    for (const [number, chunk] of this.#chunks) {
      chunk.remembered = 0;
      if (chunk.left === 0 && number !== this.#newest) this.#chunks.delete(number);
    }
  }

  /** As it was at the beginning. */
  restedBefore(name: string): Rested | undefined {
    const remembered = this.#before?.find(name);
    if (remembered !== undefined) return { belief: this.#read(remembered) };
    const place = this.#places.find(name);
    return place === undefined || !this.#isAsBefore(place) ? undefined : { belief: this.#read(place) };
  }

  *namesBefore(): Generator<string> {
    for (const place of this.#before?.all() ?? []) yield this.#nameAt(place);
    for (const [place, name] of this.#records()) if (this.#isAsBefore(place)) yield name;
  }

  #newTable(): PlaceTable {
    return new PlaceTable((place, name) => this.#isOf(place, name));
  }

  #isAsBefore(place: number): boolean {
    return place < this.#beginning || this.#flag(place) === flags.same;
  }

  *#records(): Generator<[place: number, name: string]> {
    const last = this.#end();
    this.#walks++;
    try {
      for (const [number, chunk] of this.#chunks) {
        if (number * CHUNK_BYTES >= last) return;
        for (let at = 0; at < chunk.end && number * CHUNK_BYTES + at < last;) {
          const length = chunk.bytes.readUInt16LE(at + LENGTH);
          const place = number * CHUNK_BYTES + at;
          if (chunk.bytes[at + FLAG] !== flags.gone) yield [place, this.#nameAt(place)];
          at += NAME + length;
        }
      }
    } finally {
      this.#walks--;
    }
  }

  #end(): number {
    return this.#newest < 0 ? 0 : this.#newest * CHUNK_BYTES + (this.#chunks.get(this.#newest)?.end ?? 0);
  }

  #write(name: string, belief: Belief | undefined, same: boolean): number {
    const { length } = name;
    let chunk = this.#chunks.get(this.#newest);
    if (chunk === undefined || chunk.end + NAME + length > CHUNK_BYTES) {
      chunk = { bytes: Buffer.allocUnsafeSlow(CHUNK_BYTES), end: 0, written: 0, left: 0, remembered: 0 };
      this.#chunks.set(++this.#newest, chunk);
    }
    const { bytes, end: at } = chunk;
    const choice = belief?.choice;
    bytes[at + FLAG] = same ? flags.same : flags.plain;
    bytes[at + KIND] = belief === undefined ? kinds.nothing : choice === 'absent' ? kinds.absent : kinds.page;
    bytes.writeUInt16LE(length, at + LENGTH);
    if (belief !== undefined) {
      bytes.writeDoubleLE(belief.at, at + AT);
      bytes.writeDoubleLE(belief.floor, at + FLOOR);
    }
    if (typeof choice === 'object') {
      bytes.writeDoubleLE(choice.length, at + SIZE);
      bytes.set(digestToBytes(choice.digest), at + DIGEST);
    }
    bytes.write(name, at + NAME, 'latin1');
    chunk.end += NAME + length;
    chunk.written++;
    chunk.left++;
    const place = this.#newest * CHUNK_BYTES + at;
    if (same) this.#same.push(place);
    return place;
  }

  #read(place: number): Belief | undefined {
    const { bytes, at } = this.#at(place);
    const kind = bytes[at + KIND];
    if (kind === kinds.nothing) return undefined;
    const [since, floor] = [bytes.readDoubleLE(at + AT), bytes.readDoubleLE(at + FLOOR)];
    if (kind === kinds.absent) return { choice: 'absent', at: since, floor };
    const digest: Digest = digestFromBytes(bytes.subarray(at + DIGEST, at + NAME));
    return { choice: { serial: floor, digest, length: bytes.readDoubleLE(at + SIZE) }, at: since, floor };
  }

  #isOf(place: number, name: string): boolean {
    const { bytes, at } = this.#at(place);
    if (bytes.readUInt16LE(at + LENGTH) !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (bytes[at + NAME + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #drop(place: number, name: string): void {
    this.#places.delete(name, place);
    this.#setFlag(place, flags.gone);
    this.#chunkAt(place).left--;
  }

  #tidy(number: number): void {
    const chunk = this.#chunks.get(number);
    if (chunk === undefined || number === this.#newest || chunk.left > chunk.written * SPARSE) return;
    if (chunk.remembered > 0 || (chunk.left > 0 && this.#walks > 0)) return;
    for (let at = 0; at < chunk.end && chunk.left > 0;) {
      const length = chunk.bytes.readUInt16LE(at + LENGTH);
      if (chunk.bytes[at + FLAG] !== flags.gone) {
        const place = number * CHUNK_BYTES + at;
        const name = this.#nameAt(place);
        const belief = this.#read(place);
        const same = this.#before !== undefined && this.#isAsBefore(place);
        this.#drop(place, name);
        this.#places.add(name, this.#write(name, belief, same));
      }
      at += NAME + length;
    }
    this.#chunks.delete(number);
  }

  #flag(place: number): number {
    const { bytes, at } = this.#at(place);
    return bytes[at + FLAG] as number;
  }

  #setFlag(place: number, flag: number): void {
    const { bytes, at } = this.#at(place);
    bytes[at + FLAG] = flag;
  }

  #at(place: number): { readonly bytes: Buffer; readonly at: number } {
    return { bytes: this.#chunkAt(place).bytes, at: place % CHUNK_BYTES };
  }

  #chunkAt(place: number): Chunk {
    return this.#chunks.get(chunkOf(place)) as Chunk;
  }

  #nameAt(place: number): string {
    const { bytes, at } = this.#at(place);
    return bytes.toString('latin1', at + NAME, at + NAME + bytes.readUInt16LE(at + LENGTH));
  }
}

function chunkOf(place: number): number {
  return Math.floor(place / CHUNK_BYTES);
}
