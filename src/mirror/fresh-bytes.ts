/**
 * The newest bytes of a flight, in memory: on their way to the store, and kept a while for readers that keep up, so that
 * nothing is read back for them. Bounded: what is written goes as soon as nobody needs it or its room is used up; what is
 * not written yet is bounded by whoever adds (`unwritten`).
 */
import { limits } from '../core/limits.ts';

interface Chunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly source: string;
}

const endOf = ({ offset, bytes }: Chunk): number => offset + bytes.length;

export class FreshBytes {
  readonly #room: number;
  /** Written, then waiting: in order, without gaps, up to `end`. */
  #written: Chunk[] = [];
  #waiting: Chunk[] = [];
  #end: number;

  /** `end`: what is in the store already; `room`: how many written bytes may be kept. */
  constructor(end: number, room: number) {
    this.#end = end;
    this.#room = room;
  }

  get end(): number {
    return this.#end;
  }

  get unwritten(): number {
    return this.#end - (this.#waiting[0]?.offset ?? this.#end);
  }

  /** So much waits that it is worth a write; many small chunks weigh more than their bytes. */
  get worthWriting(): boolean {
    return this.unwritten >= limits.fetch.writeAtOnce || this.#waiting.length >= limits.fetch.chunksKept;
  }

  /** Of what is here. */
  get firstSource(): string | undefined {
    return (this.#written[0] ?? this.#waiting[0])?.source;
  }

  add(bytes: Uint8Array, source: string): void {
    this.#waiting.push({ offset: this.#end, bytes, source });
    this.#end += bytes.length;
  }

  /** The next to write, of one sender; undefined when all is written. */
  nextRun(): { readonly bytes: Uint8Array; readonly source: string } | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const { bytes, source } of this.#waiting) {
      const fits = length === 0 || length + bytes.length <= limits.fetch.writeAtOnce;
      if (source !== first.source || !fits) break;
      parts.push(bytes);
      length += bytes.length;
    }
    return { bytes: parts.length === 1 ? first.bytes : Buffer.concat(parts), source: first.source };
  }

  /** All below `upTo` is written. */
  wrote(upTo: number): void {
    for (let [first] = this.#waiting; first !== undefined && first.offset < upTo; [first] = this.#waiting) {
      this.#waiting.shift();
      const cut = upTo - first.offset;
      this.#written.push({ ...first, bytes: first.bytes.subarray(0, cut) });
      if (cut < first.bytes.length)
        this.#waiting.unshift({ ...first, offset: upTo, bytes: first.bytes.subarray(cut) });
    }
    this.#keep(
      ({ offset }, index) =>
        upTo - offset <= this.#room && this.#written.length - index <= limits.fetch.chunksKept,
    );
  }

  /** Nobody needs bytes below this any more. */
  release(upTo: number): void {
    this.#keep((chunk) => endOf(chunk) > upTo);
  }

  /** How many bytes from `offset` on were copied; 0 where it is not here any more, or not yet. */
  read(target: Uint8Array, offset: number): number {
    const first = this.#written[0] ?? this.#waiting[0];
    if (first === undefined || offset < first.offset || offset >= this.#end) return 0;
    let read = 0;
    for (const chunks of [this.#written, this.#waiting]) {
      for (const chunk of chunks) {
        if (read === target.length) return read;
        const from = offset + read - chunk.offset;
        if (from >= chunk.bytes.length) continue;
        const part = chunk.bytes.subarray(from, from + target.length - read);
        target.set(part, read);
        read += part.length;
      }
    }
    return read;
  }

  clear(): void {
    this.#written = [];
    this.#waiting = [];
    this.#end = 0;
  }

  /** Drops written chunks up to the first that `stays`. */
  #keep(stays: (chunk: Chunk, index: number) => boolean): void {
    const first = this.#written.findIndex(stays);
    this.#written.splice(0, first < 0 ? this.#written.length : first);
  }
}
