/** Bodies out of their content codings, with a bound on what goes in and on what comes out: checked before it is kept. */
import { type Duplex, Readable, pipeline } from 'node:stream';
import {
  brotliDecompressSync,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import { UpstreamError } from '../core/errors.ts';
import type { HttpAnswer } from './http-client.ts';

export interface BodyBounds {
  readonly encodedBytes: number;
  readonly decodedBytes: number;
}

/** Codings stacked on one body; more is nobody's honest need. */
const MOST_CODINGS = 2;
/** Bytes: a stream costs 0.3 ms more than such a page does in one call, which is over in 1 ms. */
const SMALL = { encoded: 16 * 1024, decoded: 256 * 1024 };

/** Names of the codings in the order they were applied; none for identity. */
export function codingsOf(answer: HttpAnswer): string[] {
  const named = (answer.header('content-encoding') ?? '').toLowerCase().split(',');
  return named.map((coding) => coding.trim()).filter((coding) => coding !== '' && coding !== 'identity');
}

/** Throws UpstreamError for unknown codings, damaged or cut bodies, and those beyond a bound. */
export async function* decodedBody(answer: HttpAnswer, bounds: BodyBounds): AsyncGenerator<Uint8Array> {
  const url = answer.url.href;
  const codings = codingsOf(answer);
  const refuse = (what: string, cause?: unknown): UpstreamError =>
    new UpstreamError({ url, status: answer.status }, `${url} ${what}`, { cause });
  const known = codings.every((coding) => /^(x-)?gzip$|^deflate$|^br$|^zstd$/.test(coding));
  if (codings.length > MOST_CODINGS || !known) throw refuse(`is encoded as "${codings.join(', ')}"`);
  const announced = Number(answer.header('content-length') ?? 0);
  if (announced > bounds.encodedBytes)
    throw refuse(`has ${announced} bytes; at most ${bounds.encodedBytes} are read`);
  let body: AsyncIterable<Uint8Array> = bounded(answer.body, bounds.encodedBytes, () =>
    tooLong(answer, bounds),
  );
  const small = announced > 0 && announced <= SMALL.encoded;
  for (const coding of codings.toReversed())
    body = small ? decodedAtOnce(body, coding) : decoded(body, coding);
  try {
    yield* bounded(body, bounds.decodedBytes, () =>
      refuse(`unpacks to more than ${bounds.decodedBytes} bytes`),
    );
  } catch (error) {
    if (!isCodecError(error)) throw error;
    throw refuse(`is not the ${codings.join(', ')} that it says it is: ${error.message}`, error);
  }
}

/** The whole of a body. */
export async function readBody(answer: HttpAnswer, bounds: BodyBounds): Promise<Buffer> {
  if (!isSmall(answer, bounds)) return gather(decodedBody(answer, bounds));
  const bytes = await gather(bounded(answer.body, bounds.encodedBytes, () => tooLong(answer, bounds)));
  try {
    const [coding] = codingsOf(answer);
    return coding === undefined ? bytes : decodeAtOnce(bytes, coding);
  } catch {
    // Much comes out of it, or it is not what it says it is: the long way knows which.
    return gather(decodedBody({ ...answer, body: once(bytes) }, bounds));
  }
}

function tooLong({ url, status }: HttpAnswer, { encodedBytes }: BodyBounds): UpstreamError {
  return new UpstreamError({ url: url.href, status }, `${url.href} has more than ${encodedBytes} bytes`);
}

async function gather(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Most pages are: they are read without a generator for each thing that a large one needs. */
function isSmall(answer: HttpAnswer, { encodedBytes, decodedBytes }: BodyBounds): boolean {
  const announced = Number(answer.header('content-length') ?? 0);
  if (encodedBytes < SMALL.encoded || decodedBytes < SMALL.decoded) return false;
  return announced > 0 && announced <= SMALL.encoded && codingsOf(answer).length <= 1;
}

async function* bounded(
  body: AsyncIterable<Uint8Array>,
  most: number,
  excess: () => Error,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > most) throw excess();
    yield chunk;
  }
}

async function* decoded(body: AsyncIterable<Uint8Array>, coding: string): AsyncGenerator<Uint8Array> {
  const source = body[Symbol.asyncIterator]();
  const first = await source.next();
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (let next = first; !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  };
  // The pipeline hands each error on to the decoder, whose reader throws it.
  yield* pipeline(Readable.from(rest(), { objectMode: false }), decoder(coding, first.value?.[0]), () => {});
}

async function* decodedAtOnce(body: AsyncIterable<Uint8Array>, coding: string): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  let whole: Uint8Array;
  try {
    whole = decodeAtOnce(bytes, coding);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error;
    yield* decoded(once(bytes), coding);
    return;
  }
  yield whole;
}

/** Throws ERR_BUFFER_TOO_LARGE where much comes out of it. */
function decodeAtOnce(bytes: Uint8Array, coding: string): Buffer {
  const options = { maxOutputLength: SMALL.decoded };
  switch (coding) {
    case 'br':
      return brotliDecompressSync(bytes, options);
    case 'zstd':
      return zstdDecompressSync(bytes, { ...options, ...ZSTD });
    case 'deflate':
      return isZlib(bytes[0]) ? inflateSync(bytes, options) : inflateRawSync(bytes, options);
    default:
      return gunzipSync(bytes, options);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** 8 MiB: the largest window that HTTP allows (RFC 9659); the default allows 128. */
const ZSTD = { params: { [constants.ZSTD_d_windowLogMax]: 23 } };

/** "deflate" is a zlib stream (RFC 9110), but some servers send it bare. */
const isZlib = (firstByte: number | undefined): boolean =>
  firstByte !== undefined && (firstByte & 0x0f) === 8;

function decoder(coding: string, firstByte: number | undefined): Duplex {
  switch (coding) {
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress(ZSTD);
    case 'deflate':
      return isZlib(firstByte) ? createInflate() : createInflateRaw();
    default:
      return createGunzip();
  }
}

function isCodecError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /^(Z_|ERR_ZLIB|ERR_BROTLI|ERR_|ZSTD_)/.test((error as NodeJS.ErrnoException).code ?? '')
  );
}
