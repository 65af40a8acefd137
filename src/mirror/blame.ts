/**
 * Who sent the wrong bytes. A wrong whole from one sender convicts it. With several senders nobody is convicted until a
 * whole fits: then who sent a range that differs is. No good whole, no ban. Of a bad whole only the hashes of the ranges
 * are kept (bounded), not the bytes.
 */
import { createHash } from 'node:crypto';
import { limits } from '../core/limits.ts';
import type { SentRange } from '../store/blob-store.ts';

export interface Suspect extends SentRange {
  readonly sha256: string;
}

type ReadAt = (target: Uint8Array, offset: number) => Promise<number>;

/** The one sender of all bytes; undefined when there were several, or none. */
export function soleSender(sent: readonly SentRange[]): string | undefined {
  const senders = new Set(sent.map(({ source }) => source));
  return senders.size === 1 ? sent[0]?.source : undefined;
}

/** The ranges of a bad whole with their hashes, to be compared once a whole fits. */
export async function fingerprint(read: ReadAt, sent: readonly SentRange[]): Promise<Suspect[]> {
  const suspects: Suspect[] = [];
  for (const range of sent.slice(0, limits.fetch.suspectRanges)) {
    suspects.push({ ...range, sha256: (await hashRange(read, range.start, range.end)) ?? '' });
  }
  return suspects;
}

/** Senders of ranges that the good whole contradicts. */
export async function convicted(readGood: ReadAt, suspects: readonly Suspect[]): Promise<string[]> {
  const guilty = new Set<string>();
  for (const { start, end, source, sha256 } of suspects) {
    if (!guilty.has(source) && (await hashRange(readGood, start, end)) !== sha256) guilty.add(source);
  }
  return [...guilty];
}

/** Undefined when the bytes end before `end`. */
async function hashRange(read: ReadAt, start: number, end: number): Promise<string | undefined> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(end - start, limits.gateway.copyBuffer));
  for (let offset = start; offset < end;) {
    const got = await read(buffer.subarray(0, Math.min(buffer.length, end - offset)), offset);
    if (got === 0) return undefined;
    hash.update(buffer.subarray(0, got));
    offset += got;
  }
  return hash.digest('hex');
}
