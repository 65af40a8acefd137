/**
 * One base with its overlay, numbered: the files `N.base` and `N.log`. A new one takes over when the overlay has grown; the old
 * one stays open until its last reader has left. Bins are found by number and leaf hash and are checked against the hash
 * whenever they are read from disk; one that does not fit is missing from then on.
 */
import { UnavailableError } from '../../core/errors.ts';
import { EMPTY_BIN, EMPTY_LEAF } from '../../core/index-map/index-bin.ts';
import { leafHash } from '../../core/index-map/tree-hash.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { limits } from '../../core/limits.ts';
import type { BaseFile } from './base-file.ts';
import type { NewBin } from './bin-shelf.ts';
import { leafAt } from './map-view.ts';
import type { LogFrame, OverlayLog } from './overlay-log.ts';

interface Place {
  readonly position: number;
  readonly length: number;
  readonly count: number;
}

interface WalkedBin {
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
}

const PIECE = limits.indexMap.readAhead;
const PIECE_BINS = 1024;
/** A gap in the overlay that is read with what stands around it. */
const CLOSE = 16 * 1024;

export class Generation {
  readonly number: number;
  readonly base: BaseFile;
  readonly log: OverlayLog;
  readonly #places: Map<string, Place>;
  readonly #onDamage: (message: string) => void;
  #readers = 0;
  #whenLeft: (() => void) | undefined;

  constructor(
    parts: { number: number; base: BaseFile; log: OverlayLog; places: Map<string, Place> },
    onDamage: (message: string) => void,
  ) {
    this.number = parts.number;
    this.base = parts.base;
    this.log = parts.log;
    this.#places = parts.places;
    this.#onDamage = onDamage;
  }

  count(number: number, hash: Uint8Array): number | undefined {
    if (EMPTY_LEAF.equals(hash)) return 0;
    if (this.base.has(number, hash)) return this.base.count(number);
    return this.#places.get(keyOf(hash))?.count;
  }

  /** @throws UnavailableError when the bin is missing or damaged */
  async read(number: number, hash: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.#find(number, hash);
    if (bytes !== undefined) return bytes;
    throw new UnavailableError(
      `bin ${number} of the index map is missing on this disk or damaged; it is to be fetched anew`,
    );
  }

  /** Without knowing its number. */
  async readByHash(hash: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#find(this.base.numberOf(hash), hash);
  }

  /** Those that are not empty, in order, each there until the next. */
  async *readAll(leaves: Buffer): AsyncGenerator<{ number: number; bytes: Uint8Array }> {
    for await (const piece of this.walk(leaves))
      for (const { number, bytes } of piece)
        if (bytes !== EMPTY_BIN)
          yield { number, bytes: bytes ?? (await this.read(number, leafAt(leaves, number))) };
  }

  /**
   * All bins of a map with these leaf hashes, in order, in pieces of about a megabyte, each there until the next; undefined:
   * missing or damaged. One by one they cost 65,536 requests to the disk and 100 MB of garbage.
   */
  async *walk(leaves: Buffer): AsyncGenerator<readonly WalkedBin[]> {
    const [room, overlayRoom] = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(2 * PIECE)];
    for (let first = 0; first < BINS;) {
      const places = new Map<number, Place>();
      let size = 0;
      let isBased = false;
      let next = first;
      for (; next < BINS && next < first + PIECE_BINS; next++) {
        const hash = leafAt(leaves, next);
        const [isEmpty, inBase] = [EMPTY_LEAF.equals(hash), this.base.isLeaf(next, hash)];
        const place = isEmpty || inBase ? undefined : this.#places.get(keyOf(hash));
        isBased ||= inBase && !isEmpty;
        size += place?.length ?? 0;
        if (next > first && (size > PIECE || this.base.bytesOf(first, next + 1) > PIECE)) break;
        if (place !== undefined) places.set(next, place);
      }
      const based = isBased ? await this.base.readRange(first, next, room) : [];
      const overlaid = await this.#readPlaces([...places.values()], overlayRoom);
      const piece: WalkedBin[] = [];
      for (let number = first; number < next; number++) {
        const hash = leafAt(leaves, number);
        const place = places.get(number);
        const isBase = place === undefined && this.base.isLeaf(number, hash);
        let bytes = isBase ? based[number - first] : place && overlaid.get(place);
        if (place && bytes && !leafHash(bytes).equals(hash)) bytes = undefined;
        piece.push({ number, bytes: bytes ?? (await this.#find(isBase ? number : undefined, hash)) });
      }
      yield piece;
      first = next;
    }
  }

  /** What stands close together in the file is read in one piece. */
  async #readPlaces(places: readonly Place[], room: Buffer): Promise<Map<Place, Uint8Array>> {
    const read = new Map<Place, Uint8Array>();
    const sorted = places.toSorted((left, right) => left.position - right.position);
    let used = 0;
    for (let at = 0; at < sorted.length;) {
      const from = (sorted[at] as Place).position;
      let [next, to] = [at, from];
      for (; next < sorted.length; next++) {
        const { position, length } = sorted[next] as Place;
        if (next > at && (position - to > CLOSE || used + position + length - from > room.length)) break;
        to = position + length;
      }
      const into = used + to - from > room.length ? undefined : room.subarray(used);
      const piece = await this.log.read(from, to - from, into);
      if (into !== undefined) used += to - from;
      for (; at < next; at++) {
        const place = sorted[at] as Place;
        read.set(place, piece.subarray(place.position - from, place.position - from + place.length));
      }
    }
    return read;
  }

  /** Those that are not here yet. */
  async put(bins: readonly NewBin[]): Promise<void> {
    const fresh = this.#fresh(bins);
    this.#place(fresh, await this.log.append(fresh.map(frameOf)));
  }

  /** Durable when it resolves. */
  async commit(bins: readonly NewBin[], frame: LogFrame): Promise<void> {
    const fresh = this.#fresh(bins);
    this.#place(fresh, await this.log.commit([...fresh.map(frameOf), frame]));
  }

  enter(): void {
    this.#readers++;
  }

  leave(): void {
    this.#readers--;
    if (this.#readers === 0) this.#whenLeft?.();
  }

  async close(): Promise<void> {
    if (this.#readers > 0) await new Promise<void>((resolve) => (this.#whenLeft = resolve));
    await this.base.close();
    await this.log.close();
  }

  async #find(number: number | undefined, hash: Uint8Array): Promise<Uint8Array | undefined> {
    if (EMPTY_LEAF.equals(hash)) return EMPTY_BIN;
    if (number !== undefined && this.base.has(number, hash)) {
      const bytes = await this.base.read(number);
      if (bytes !== undefined) return bytes;
      this.#onDamage(
        `bin ${number} in ${this.number}.base of the index maps was damaged: it is fetched anew`,
      );
    }
    const key = keyOf(hash);
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const bytes = await this.log.read(place.position, place.length);
    if (leafHash(bytes).equals(hash)) return bytes;
    if (this.#places.get(key) === place) this.#places.delete(key);
    this.#onDamage(`a bin in ${this.number}.log of the index maps was damaged: it is fetched anew`);
    return undefined;
  }

  #fresh(bins: readonly NewBin[]): NewBin[] {
    return bins.filter(({ number, hash }) => this.count(number, hash) === undefined);
  }

  #place(bins: readonly NewBin[], positions: readonly number[]): void {
    for (const [at, { hash, bytes, count }] of bins.entries())
      this.#places.set(keyOf(hash), { position: positions[at] ?? 0, length: bytes.length, count });
  }
}

export function keyOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('latin1');
}

function frameOf({ number, count, bytes }: NewBin): LogFrame {
  return { kind: 'bin', number, count, bytes };
}
