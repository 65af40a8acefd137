/**
 * A voter's newest accepted record, as this node holds it: the map it signed and what limits its votes. Must always
 * hold: a view never changes once it was given to `Beliefs`, and it stays readable until the next one is accepted.
 */
import type { Pair } from './candidate.ts';

export interface Scope {
  /** The record's `scope`: `all`, or the digest of the sorted names. */
  readonly id: string;
  covers(name: string): boolean;
  /** Those that it covers; undefined: all of them, or they are not here. */
  readonly names?: ReadonlySet<string>;
}

export interface VoterView {
  /** min(the record's `observedAt`, when this node first received it), in ms. Never less than the view's before it. */
  readonly observedAt: number;
  /** False until the first import is done: what such a map lacks is no vote for absence. */
  readonly complete: boolean;
  readonly scope: Scope;
  /** The map's entry. `unknown` where the bin was too large to hold all of its names. */
  holds(name: string): Pair | 'absent' | 'unknown';
  /** In the record's `stale` set: no vote. */
  isStale(name: string): boolean;
}
