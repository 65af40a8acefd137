/** What of a file a request gets, and the headers that say so. */
import { ifRangeMatches, parseRange } from '../core/byte-range.ts';
import type { Digest } from '../core/digest.ts';
import type { SourceKind } from '../core/facts.ts';
import type { Exchange } from './exchange.ts';
import { limits } from '../core/limits.ts';
import { RequestError } from './http-errors.ts';

export interface Selection {
  readonly status: 200 | 206;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** Content-Range, for 206. */
  readonly headers: readonly string[];
}

/** @throws RequestError (416) */
export function selectRange(exchange: Exchange, etag: string | undefined, size: number): Selection {
  const range = parseRange(rangeHeader(exchange, etag), size);
  if (range.kind === 'full') return { status: 200, start: 0, end: size, headers: [] };
  if (range.kind === 'unsatisfiable') {
    const message = `the file has ${size} bytes, nothing of it lies in the range asked for`;
    throw new RequestError('RANGE_NOT_SATISFIABLE', message, ['Content-Range', `bytes */${size}`]);
  }
  const headers = ['Content-Range', `bytes ${range.start}-${range.end}/${size}`];
  return { status: 206, start: range.start, end: range.end + 1, headers };
}

/** The Range header if it counts: for GET, with an If-Range that fits or none. Without ETag no If-Range fits. */
export function rangeHeader(exchange: Exchange, etag: string | undefined): string | undefined {
  const { range, 'if-range': ifRange } = exchange.request.headers;
  if (exchange.head || range === undefined) return undefined;
  const condition = typeof ifRange === 'string' ? ifRange : undefined;
  return ifRangeMatches(condition, etag ?? 'W/""') ? range : undefined;
}

/** Where reading will begin, as far as it can be said without the size: a suffix cannot. */
export function likelyStart(exchange: Exchange, etag: string | undefined): number {
  const range = parseRange(rangeHeader(exchange, etag), Number.MAX_SAFE_INTEGER);
  return range.kind === 'range' && range.start < limits.file.bytes ? range.start : 0;
}

export const BYTES = 'application/octet-stream';

export function digestEtag(digest: Digest): string {
  return `"${digest}"`;
}

/** Files never change under their digest; what has none may. Never a content coding, whatever the client would take. */
export function fileHeaders(digest: Digest | undefined, source: SourceKind): string[] {
  const caching = digest === undefined ? 'no-cache' : 'max-age=31536000, immutable, public';
  return ['Cache-Control', caching, 'Accept-Ranges', 'bytes', 'Fondue-Source', source];
}
