/**
 * Range, If-Range and If-None-Match (RFC 9110, 13 and 14). Always true: a range that comes out lies within the file; what
 * is malformed is ignored, as the RFC wants, and never an error.
 */

export type ByteRange =
  /** 200 with everything: no range, a malformed one, or several at once (which a server may ignore). */
  | { readonly kind: 'full' }
  /** 206; both ends inclusive, as in Content-Range: `bytes start-end/size`, and `end - start + 1` bytes long. */
  | { readonly kind: 'range'; readonly start: number; readonly end: number }
  /** 416 with `Content-Range: bytes * /size`. */
  | { readonly kind: 'unsatisfiable' };

const FULL: ByteRange = { kind: 'full' };
const UNSATISFIABLE: ByteRange = { kind: 'unsatisfiable' };

export function parseRange(header: string | undefined, size: number): ByteRange {
  const set = /^\s*bytes\s*=(.*)$/is.exec(header ?? '')?.[1];
  if (set === undefined) return FULL;
  const specs = set.split(',').map((spec) => spec.trim());
  const [spec, another] = specs.filter((spec) => spec !== '');
  const match = /^(\d*)-(\d*)$/.exec(spec ?? '');
  if (match === null || another !== undefined) return FULL;
  const [, first = '', last = ''] = match;
  if (first === '') return suffix(last, size);
  // Digits beyond 2^53 lose precision, which no comparison with a file's size can notice.
  const start = Number(first);
  if (last !== '' && isLess(last, first)) return FULL;
  if (start >= size) return UNSATISFIABLE;
  return { kind: 'range', start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

function suffix(digits: string, size: number): ByteRange {
  if (digits === '') return FULL;
  const length = Math.min(Number(digits), size);
  if (Number(digits) === 0) return UNSATISFIABLE;
  // Satisfiable, says the RFC, but no Content-Range can express it.
  return size === 0 ? FULL : { kind: 'range', start: size - length, end: size - 1 };
}

/** Of decimal digits, however many. */
function isLess(left: string, right: string): boolean {
  const [a, b] = [left.replace(/^0+/, ''), right.replace(/^0+/, '')];
  return a.length === b.length ? a < b : a.length < b.length;
}

/** Whether a Range may be answered with 206. Without If-Range yes; a date never matches (no Last-Modified is sent). */
export function ifRangeMatches(header: string | undefined, etag: string): boolean {
  return header === undefined || (!etag.startsWith('W/') && header.trim() === etag);
}

/** Whether If-None-Match makes the answer a 304: weak comparison, lists, `*`. */
export function etagMatches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  const opaque = etag.replace(/^W\//, '');
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([tag]) => tag === opaque);
}
