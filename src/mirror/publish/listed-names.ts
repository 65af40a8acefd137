/**
 * The names and serials of one list of all projects, packed: 900,000 of them take 25 MB, not 200. In the list's order, and
 * found by name.
 */
import { binNumber, BINS } from '../../core/index-map/index-entry.ts';
import type { ProjectName } from '../../core/project-name.ts';

const CHUNK = 1024 * 1024;
/** Before each name: position + 1 of the one before it in its bin; then its serial, its mark, its length. */
const LINK = 6;
const MARK = LINK + 8;
const LENGTH = MARK + 1;
const HEAD = LENGTH + 1;

export class ListedNames {
  readonly #chunks: Buffer[] = [];
  readonly #ends: number[] = [];
  #used = CHUNK;
  readonly #last = new Float64Array(BINS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** One name twice: the higher serial counts. */
  add(name: ProjectName, serial: number): void {
    const number = binNumber(name);
    const known = this.#find(name, number);
    if (known !== undefined) {
      const [chunk, at] = this.#place(known);
      if (chunk.readDoubleBE(at + LINK) < serial) chunk.writeDoubleBE(serial, at + LINK);
      return;
    }
    const size = HEAD + name.length;
    if (this.#used + size > CHUNK) {
      if (this.#chunks.length > 0) this.#ends.push(this.#used);
      this.#chunks.push(Buffer.alloc(CHUNK));
      this.#used = 0;
    }
    const chunk = this.#chunks.at(-1) as Buffer;
    const at = this.#used;
    chunk.writeUIntBE(this.#last[number] ?? 0, at, LINK);
    chunk.writeDoubleBE(serial, at + LINK);
    chunk.writeUInt8(name.length, at + LENGTH);
    chunk.write(name, at + HEAD, 'latin1');
    this.#last[number] = (this.#chunks.length - 1) * CHUNK + at + 1;
    this.#used += size;
    this.#size++;
  }

  /** Marks the name and says its serial; undefined when it is not listed. */
  mark(name: ProjectName): number | undefined {
    const found = this.#find(name, binNumber(name));
    if (found === undefined) return undefined;
    const [chunk, at] = this.#place(found);
    chunk[at + MARK] = 1;
    return chunk.readDoubleBE(at + LINK);
  }

  /** Those that were not marked. */
  *unmarked(): Generator<{ readonly name: ProjectName; readonly serial: number }> {
    yield* this.#all((chunk, at) => chunk[at + MARK] === 0);
  }

  *[Symbol.iterator](): Generator<{ readonly name: ProjectName; readonly serial: number }> {
    yield* this.#all(() => true);
  }

  *#all(
    wanted: (chunk: Buffer, at: number) => boolean,
  ): Generator<{ readonly name: ProjectName; readonly serial: number }> {
    for (const [index, chunk] of this.#chunks.entries())
      for (let at = 0; at < (this.#ends[index] ?? this.#used); at += HEAD + chunk.readUInt8(at + LENGTH))
        if (wanted(chunk, at)) yield { name: nameAt(chunk, at), serial: chunk.readDoubleBE(at + LINK) };
  }

  #find(name: ProjectName, number: number): number | undefined {
    for (let next = this.#last[number] ?? 0; next !== 0;) {
      const [chunk, at] = this.#place(next);
      if (nameAt(chunk, at) === name) return next;
      next = chunk.readUIntBE(at, LINK);
    }
    return undefined;
  }

  #place(position: number): [Buffer, number] {
    return [this.#chunks[Math.floor((position - 1) / CHUNK)] as Buffer, (position - 1) % CHUNK];
  }
}

function nameAt(chunk: Buffer, at: number): ProjectName {
  return chunk.toString('latin1', at + HEAD, at + HEAD + chunk.readUInt8(at + LENGTH)) as ProjectName;
}
