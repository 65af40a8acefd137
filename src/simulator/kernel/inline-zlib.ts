/**
 * zlib's streams, whose work is done on other threads, as transforms that do it in line when all has come in. What they put
 * out holds the same content; where one block ends and the next begins may differ.
 */
import { Transform } from 'node:stream';
import zlib from 'node:zlib';

const twins = {
  createGzip: zlib.gzipSync,
  createGunzip: zlib.gunzipSync,
  createUnzip: zlib.unzipSync,
  createDeflate: zlib.deflateSync,
  createInflate: zlib.inflateSync,
  createDeflateRaw: zlib.deflateRawSync,
  createInflateRaw: zlib.inflateRawSync,
  createBrotliCompress: zlib.brotliCompressSync,
  createBrotliDecompress: zlib.brotliDecompressSync,
  createZstdCompress: zlib.zstdCompressSync,
  createZstdDecompress: zlib.zstdDecompressSync,
};

type Work = (whole: Uint8Array, options?: object) => Uint8Array;

/** By the names of `node:zlib`. `work` is asked as the permitted synchronous function. */
export function inlineZlib(permit: <T>(work: () => T) => T): Record<string, (options?: object) => Transform> {
  const factories: Record<string, (options?: object) => Transform> = {};
  for (const [name, work] of Object.entries(twins) as [string, Work][]) {
    factories[name] = (options) => {
      const parts: Uint8Array[] = [];
      return new Transform({
        transform(part: Uint8Array, _encoding, done) {
          // A copy: once `done` is called the writer may use its memory again.
          parts.push(Uint8Array.from(part));
          done();
        },
        flush(done) {
          try {
            done(
              null,
              permit(() => work(Buffer.concat(parts), options)),
            );
          } catch (error) {
            done(error as Error);
          }
        },
      });
    };
  }
  return factories;
}
