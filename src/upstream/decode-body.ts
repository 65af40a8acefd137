/** Bodies out of their content codings, with a bound on what goes in and on what comes out: checked before it is kept. */
import { type Duplex, Readable, pipeline } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { UpstreamError } from '../core/errors.ts';
import type { HttpAnswer } from './http-client.ts';

export interface BodyBounds {
  readonly encodedBytes: number;
  readonly decodedBytes: number;
}

/** Codings stacked on one body; more is nobody's honest need. */
const MOST_CODINGS = 2;

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
    refuse(`has more than ${bounds.encodedBytes} bytes`),
  );
  for (const coding of codings.toReversed()) body = decoded(body, coding);
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
  const chunks: Uint8Array[] = [];
  for await (const chunk of decodedBody(answer, bounds)) chunks.push(chunk);
  return Buffer.concat(chunks);
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

function decoder(coding: string, firstByte: number | undefined): Duplex {
  switch (coding) {
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      // 8 MiB: the largest window that HTTP allows (RFC 9659); the default allows 128.
      return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } });
    case 'deflate':
      // "deflate" is a zlib stream (RFC 9110), but some servers send it bare.
      return firstByte !== undefined && (firstByte & 0x0f) === 8 ? createInflate() : createInflateRaw();
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
