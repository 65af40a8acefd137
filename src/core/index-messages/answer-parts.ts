/**
 * An answer on the index channel is parts, one after the other: u32 length (big-endian), then as many bytes. What the parts
 * are follows from the question: `index-answers.ts`. Must always hold: of a part that is too long not a byte is gathered.
 */
import { InvalidLogError } from '../errors.ts';

const HEAD_BYTES = 4;

export function encodePart(content: Uint8Array): Uint8Array {
  // Of Buffer's pool: a map is 65,536 of them, and that many buffers of their own break up the heap for good.
  const part = Buffer.allocUnsafe(HEAD_BYTES + content.length);
  part.writeUInt32BE(content.length);
  part.set(content, HEAD_BYTES);
  return part;
}

/** What stands before a part's content. */
export function partHead(length: number): Uint8Array {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(length);
  return head;
}

/** @throws InvalidLogError MESSAGE_TOO_LARGE for a part of more than `limit` bytes, MESSAGE_MALFORMED when the last is cut off */
export async function* readParts(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  for await (const parts of readPartsAtOnce(chunks, limit)) yield* parts;
}

/** Those that end in one chunk together: for 65,536 small ones a step each is most of the work. */
export async function* readPartsAtOnce(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<readonly Uint8Array[]> {
  const reader = new PartReader(limit);
  for await (const chunk of chunks) {
    const parts = reader.push(chunk);
    if (parts.length > 0) yield parts;
    reader.check();
  }
  reader.end();
}

class PartReader {
  readonly #limit: number;
  readonly #head = new Uint8Array(HEAD_BYTES);
  #headFilled = 0;
  #part: Uint8Array | undefined;
  #filled = 0;
  #tooLong: number | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The parts that are whole now; those before one that is too long too. */
  push(chunk: Uint8Array): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < chunk.length && this.#tooLong === undefined;) {
      if (this.#part === undefined) {
        const piece = chunk.subarray(at, at + HEAD_BYTES - this.#headFilled);
        this.#head.set(piece, this.#headFilled);
        this.#headFilled += piece.length;
        at += piece.length;
        if (this.#headFilled < HEAD_BYTES) continue;
        const length = new DataView(this.#head.buffer).getUint32(0);
        if (length > this.#limit) {
          this.#tooLong = length;
          break;
        }
        // Most are whole in what has come: no buffer of their own for 65,536 bins.
        if (at + length <= chunk.length) {
          parts.push(chunk.subarray(at, at + length));
          at += length;
          this.#headFilled = 0;
          continue;
        }
        this.#part = new Uint8Array(length);
        this.#filled = 0;
      }
      const piece = chunk.subarray(at, at + this.#part.length - this.#filled);
      this.#part.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled < this.#part.length) continue;
      parts.push(this.#part);
      this.#part = undefined;
      this.#headFilled = 0;
    }
    return parts;
  }

  check(): void {
    if (this.#tooLong !== undefined)
      throw new InvalidLogError(
        'MESSAGE_TOO_LARGE',
        `a part of an answer about the index has ${this.#tooLong} bytes, over the limit of ${this.#limit}`,
      );
  }

  end(): void {
    if (this.#part !== undefined || this.#headFilled > 0)
      throw new InvalidLogError('MESSAGE_MALFORMED', 'an answer about the index ends within a part');
  }
}
