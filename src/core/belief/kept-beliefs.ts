/** What a node writes down of its beliefs, so that a restart changes nothing. Plain values, fit for JSON. */
import type { Belief } from './believe.ts';
import type { Vote } from './candidate.ts';
import type { VoterView } from './voter-view.ts';

export interface KeptName {
  readonly belief: Belief | null;
  readonly votes: readonly {
    readonly voter: string;
    readonly votes: readonly Vote[];
    readonly muted: boolean;
  }[];
}

export type KeptBasis = readonly {
  readonly voter: string;
  readonly at: number;
  readonly complete: boolean;
  readonly scope: string;
}[];

export interface KeptBeliefs {
  readonly names: Iterable<readonly [name: string, kept: KeptName]>;
  readonly bases: readonly KeptBasis[];
  readonly excluded: readonly string[];
  /** The voters' newest accepted views, opened again from what the node stores of their maps. */
  readonly views: readonly { readonly voter: string; readonly view: VoterView }[];
}
