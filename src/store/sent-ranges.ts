/** Who sent which bytes of a partial: ranges that touch each other, start at 0, and are merged where the sender is the same. */
import type { SentRange } from './blob-store.ts';

/** `ranges` with `length` more bytes from `source` at the end. Changes `ranges`. */
export function extendRanges(ranges: SentRange[], length: number, source: string): void {
  if (length === 0) return;
  const last = ranges.at(-1);
  const start = last?.end ?? 0;
  if (last?.source === source) ranges[ranges.length - 1] = { start: last.start, end: start + length, source };
  else ranges.push({ start, end: start + length, source });
}

/** What of `ranges` lies below `length`. */
export function clipRanges(ranges: readonly SentRange[], length: number): SentRange[] {
  return ranges
    .filter((range) => range.start < length)
    .map((range) => (range.end > length ? { ...range, end: length } : range));
}

/** All senders as one text for messages: each once, in order of their bytes. */
export function describeSenders(ranges: readonly SentRange[]): string {
  return [...new Set(ranges.map((range) => range.source))].join(', ') || 'nobody';
}

/** Where a blob counts as coming from: a peer when any byte did. */
export function originOf(ranges: readonly SentRange[]): 'peer' | 'upstream' | 'local' {
  if (ranges.some((range) => range.source.startsWith('peer:'))) return 'peer';
  return ranges.some((range) => /^https?:/.test(range.source)) ? 'upstream' : 'local';
}
