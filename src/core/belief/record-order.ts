/**
 * What becomes of a publisher's next record. It is refused for four reasons only, because whatever else could be wrong
 * with it a later record may mend; time that is ahead of ours is deferred, since the wrong clock may be our own.
 */
import { limits } from '../limits.ts';

/** The first two are found where notes and proofs are checked. */
export type RecordRefusal = 'bad-signature' | 'inconsistent-log' | 'wrong-seq' | 'observed-earlier';

export interface RecordFacts {
  readonly v: number;
  readonly upstream: string;
  readonly format: string;
  readonly seq: number;
  readonly signedAt: number;
  readonly observedAt: number;
}

export type RecordVerdict =
  | { readonly verdict: 'refused'; readonly reason: RecordRefusal }
  /** Seen before, or from before what was accepted: nobody's fault. */
  | { readonly verdict: 'old' }
  /** To be judged again at `until`, with the same `receivedAt`. */
  | { readonly verdict: 'deferred'; readonly until: number }
  /** The log is followed, but the record is no vote. Votes of earlier records stand. */
  | { readonly verdict: 'no-vote'; readonly why: 'version' | 'upstream' | 'format' }
  /** `observedAt` for `VoterView`: no publisher can make a page younger than its arrival here. */
  | { readonly verdict: 'vote'; readonly observedAt: number };

export interface RecordPlace {
  readonly upstream: string;
  readonly format: string;
  /** Where the inclusion proof puts it. */
  readonly leafIndex: number;
  /** When this node had the record first, and now: both of `NodeTime`. */
  readonly receivedAt: number;
  readonly now: number;
}

/** @param previous the newest record of this log that was accepted, with or without a vote. */
export function judgeRecord(
  previous: Pick<RecordFacts, 'seq' | 'observedAt'> | undefined,
  record: RecordFacts,
  place: RecordPlace,
): RecordVerdict {
  if (record.seq !== place.leafIndex) return { verdict: 'refused', reason: 'wrong-seq' };
  if (previous !== undefined && record.seq <= previous.seq) return { verdict: 'old' };
  if (previous !== undefined && record.observedAt < previous.observedAt)
    return { verdict: 'refused', reason: 'observed-earlier' };
  const until = Math.max(record.signedAt, record.observedAt) - limits.belief.clockSlack;
  if (until > place.now) return { verdict: 'deferred', until };
  if (record.v !== 1) return { verdict: 'no-vote', why: 'version' };
  if (record.upstream !== place.upstream) return { verdict: 'no-vote', why: 'upstream' };
  if (record.format !== place.format) return { verdict: 'no-vote', why: 'format' };
  return { verdict: 'vote', observedAt: Math.min(record.observedAt, place.receivedAt) };
}
