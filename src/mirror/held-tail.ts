/**
 * How much of an unverified file may be let out. Always true: before the SHA-256 fits, the last byte stays here, and of
 * what arrived up to 64 KiB are held back. The held part moves with what arrives (the end may not be known, and a source
 * that stalls in the middle needs something left to drip). Pure.
 */
import { limits } from '../core/limits.ts';

export interface Arrived {
  /** Bytes here, from 0. */
  readonly arrived: number;
  /** Of the whole; undefined until known. */
  readonly size: number | undefined;
  readonly verified: boolean;
  /** Let out so far; never goes back. */
  readonly out: number;
  /** Bytes from here on are a stranger's and wait for the hash; undefined: none. */
  readonly withheldFrom: number | undefined;
}

/** The first byte that may not be read yet. */
export function letOut({ arrived, size, verified, out, withheldFrom }: Arrived): number {
  if (verified) return size ?? arrived;
  const trusted = Math.min(arrived, withheldFrom ?? arrived);
  return Math.max(out, trusted - limits.gateway.heldBackTail);
}

/** The same after a client waited too long: one byte more, where there is one that is not the last. */
export function dripOut({ arrived, size, verified, out, withheldFrom }: Arrived): number {
  if (verified) return size ?? arrived;
  const trusted = Math.min(arrived, withheldFrom ?? arrived);
  const ceiling = size !== undefined && trusted < size ? trusted : trusted - 1;
  return Math.max(out, Math.min(out + 1, ceiling));
}
