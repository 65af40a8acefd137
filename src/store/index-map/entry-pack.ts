/**
 * Many entries in any order, packed into large buffers (about 75 bytes each), to be taken out bin by bin: as objects 900,000 of
 * them would take 300 MB.
 */
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import { InvalidIndexMapError } from '../../core/errors.ts';
import { binNumber, BINS, type IndexEntry } from '../../core/index-map/index-entry.ts';
import type { ProjectName } from '../../core/project-name.ts';

const CHUNK = 1024 * 1024;
const LINK = 6;
const NUMBERS = 8 + 8 + 32;

export class EntryPack {
  readonly #chunks: Buffer[] = [];
  #used = CHUNK;
  /** Of each bin the entry added last, as position + 1; each entry begins with the one before it. */
  readonly #last = new Float64Array(BINS);

  add({ name, serial, digest, length }: IndexEntry): void {
    const size = LINK + 1 + name.length + NUMBERS;
    if (this.#used + size > CHUNK) {
      this.#chunks.push(Buffer.alloc(CHUNK));
      this.#used = 0;
    }
    const chunk = this.#chunks.at(-1) as Buffer;
    const number = binNumber(name);
    let at = chunk.writeUIntBE(this.#last[number] ?? 0, this.#used, LINK);
    this.#last[number] = (this.#chunks.length - 1) * CHUNK + this.#used + 1;
    at = chunk.writeUInt8(name.length, at);
    at += chunk.write(name, at, 'latin1');
    at = chunk.writeDoubleBE(serial, at);
    at = chunk.writeDoubleBE(length, at);
    chunk.write(digest, at, 'hex');
    this.#used += size;
  }

  /** The entries of a bin, in no order. @throws InvalidIndexMapError when a name was added twice */
  bin(number: number): IndexEntry[] {
    const entries = new Map<string, IndexEntry>();
    for (let next = this.#last[number] ?? 0; next !== 0;) {
      const chunk = this.#chunks[Math.floor((next - 1) / CHUNK)] as Buffer;
      const at = (next - 1) % CHUNK;
      next = chunk.readUIntBE(at, LINK);
      const numbersAt = at + LINK + 1 + chunk.readUInt8(at + LINK);
      const name = chunk.toString('latin1', at + LINK + 1, numbersAt) as ProjectName;
      if (entries.has(name))
        throw new InvalidIndexMapError('BIN_BAD_ORDER', `"${name}" was given twice for one index map`);
      const digest: Digest = digestFromBytes(chunk.subarray(numbersAt + 16, numbersAt + NUMBERS));
      entries.set(name, {
        name,
        serial: chunk.readDoubleBE(numbersAt),
        digest,
        length: chunk.readDoubleBE(numbersAt + 8),
      });
    }
    return [...entries.values()];
  }
}
