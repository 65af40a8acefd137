/**
 * What a voter can say of a name: the whole pair that its map held, or that there is no such project. Votes are for the
 * whole pair: one publisher cannot put an old digest under a high serial that others stand for.
 */
import type { Digest } from '../digest.ts';

export interface Pair {
  /** 0 where the upstream has no serials: then time alone decides. */
  readonly serial: number;
  readonly digest: Digest;
  /** Of the canonical page, in bytes. */
  readonly length: number;
}

export type Candidate = Pair | 'absent';

/** `at`: the newest moment (ms) at which the voter's map is known to have held the candidate. */
export interface Vote {
  readonly candidate: Candidate;
  readonly at: number;
}

export function candidateKey(candidate: Candidate): string {
  return candidate === 'absent' ? candidate : `${candidate.serial}/${candidate.length}/${candidate.digest}`;
}

export function sameCandidate(a: Candidate, b: Candidate): boolean {
  if (a === 'absent' || b === 'absent') return a === b;
  return a.serial === b.serial && a.digest === b.digest && a.length === b.length;
}

/** Both pages, and the first has the higher serial. */
export function isHigher(a: Candidate, b: Candidate): boolean {
  return a !== 'absent' && b !== 'absent' && a.serial > b.serial;
}
