/** A stream of bytes through a compressor, whose own threads do the work; leaving the loop ends both. */
import { pipeline, Readable, type Transform } from 'node:stream';

export async function* throughZlib(
  source: AsyncIterable<Uint8Array | string>,
  through: Transform,
): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  pipeline(Readable.from(source, { objectMode: false }), through, (error) => (failure = error));
  try {
    for await (const chunk of through) yield chunk as Uint8Array;
  } catch (error) {
    throw failure ?? error;
  } finally {
    through.destroy();
  }
}
