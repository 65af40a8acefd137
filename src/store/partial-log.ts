/**
 * The file beside a partial that says who sent its bytes: one line a segment, written after the segment's bytes, with the
 * SHA-256 of the file up to its end (the flight's hash, as it stood there). So a partial is worth what its log can prove: after a crash or a power loss everything from the first segment
 * that does not fit is dropped, and no sender is blamed for bytes that our disk lost. (Whether the senders told the truth
 * only the SHA-256 of the whole can say.)
 */
import type { SentRange } from './blob-store.ts';

export interface Segment extends SentRange {
  /** SHA-256 of all bytes below `end`. */
  readonly proof: string;
  /** When it was written, wall clock ms. */
  readonly at: number;
}

export function formatSegments(segments: readonly Segment[]): string {
  return segments
    .map(({ end, proof, at, source }) => `${JSON.stringify([end, proof, at, source])}\n`)
    .join('');
}

/** The segments up to the first line that makes no sense (a torn write). */
export function parseSegments(text: string): Segment[] {
  const segments: Segment[] = [];
  let start = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    const segment = parseLine(line, start);
    if (segment === undefined) break;
    segments.push(segment);
    start = segment.end;
  }
  return segments;
}

function parseLine(line: string, start: number): Segment | undefined {
  try {
    const [end, proof, at, source] = JSON.parse(line) as unknown[];
    if (!Number.isSafeInteger(end) || (end as number) <= start) return undefined;
    if (typeof proof !== 'string' || typeof at !== 'number' || typeof source !== 'string') return undefined;
    return { start, end: end as number, proof, at, source };
  } catch {
    return undefined;
  }
}
