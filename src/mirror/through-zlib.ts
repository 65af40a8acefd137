/**
 * Text or bytes through a compressor, whose own threads do the work; leaving the loop ends both. Text is encoded into one
 * buffer, over and over: 43 MB of buffers that wait for the garbage collector were what `/simple/` made a node grow by.
 */
import type { Transform } from 'node:stream';

/** Of text that is compressed at once: most batches of lines fit. */
const ROOM = 128 * 1024;

export async function* throughZlib(
  source: AsyncIterable<Uint8Array | string>,
  through: Transform,
): AsyncGenerator<Uint8Array> {
  const failure: { error?: unknown } = {};
  void feed(source, through).catch((error: unknown) => {
    failure.error = error;
    through.destroy(error as Error);
  });
  try {
    for await (const chunk of through) yield chunk as Uint8Array;
  } catch (error) {
    throw failure.error ?? error;
  } finally {
    through.destroy();
  }
}

/** Leaves the source where the stream is destroyed. */
async function feed(source: AsyncIterable<Uint8Array | string>, through: Transform): Promise<void> {
  const encoder = new TextEncoder();
  let room: Uint8Array | undefined;
  for await (const piece of source) {
    if (typeof piece !== 'string') {
      if (piece.length > 0) await written(through, piece);
    } else
      for (let at = 0; at < piece.length;) {
        room ??= Buffer.allocUnsafeSlow(ROOM);
        // What did not fit comes next.
        const { read, written: bytes } = encoder.encodeInto(piece.slice(at), room);
        at += read;
        await written(through, room.subarray(0, bytes));
      }
    if (through.destroyed) return;
  }
  through.end();
}

/** Resolves when the stream needs the bytes no more. */
function written(through: Transform, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => resolve();
    through.once('close', closed);
    through.write(bytes, (error) => {
      through.off('close', closed);
      if (error instanceof Error && !through.destroyed) reject(error);
      else resolve();
    });
  });
}
