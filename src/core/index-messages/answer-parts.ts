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

/** @throws InvalidLogError MESSAGE_TOO_LARGE for a part of more than `limit` bytes, MESSAGE_MALFORMED when the last is cut off */
export async function* readParts(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  const head = new Uint8Array(HEAD_BYTES);
  let headFilled = 0;
  let part: Uint8Array | undefined;
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      if (part === undefined) {
        const piece = chunk.subarray(at, at + HEAD_BYTES - headFilled);
        head.set(piece, headFilled);
        headFilled += piece.length;
        at += piece.length;
        if (headFilled < HEAD_BYTES) continue;
        const length = new DataView(head.buffer).getUint32(0);
        if (length > limit)
          throw new InvalidLogError(
            'MESSAGE_TOO_LARGE',
            `a part of an answer about the index has ${length} bytes, over the limit of ${limit}`,
          );
        // Most are whole in what has come: no buffer of their own for 65,536 bins.
        if (at + length <= chunk.length) {
          yield chunk.subarray(at, at + length);
          at += length;
          headFilled = 0;
          continue;
        }
        part = new Uint8Array(length);
        filled = 0;
      }
      const piece = chunk.subarray(at, at + part.length - filled);
      part.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < part.length) continue;
      yield part;
      part = undefined;
      headFilled = 0;
    }
  }
  if (part !== undefined || headFilled > 0)
    throw new InvalidLogError('MESSAGE_MALFORMED', 'an answer about the index ends within a part');
}
