/**
 * A publisher whose records are no vote here at all, in words: nobody should wait for an index that cannot come. Different
 * upstreams and formats never vote together (design/index), so the node's own setting is what can be changed.
 */
import type { RecordVerdict } from '../../core/belief/record-order.ts';
import type { IndexRecord } from '../../core/log/record.ts';

type Why = Extract<RecordVerdict, { verdict: 'no-vote' }>['why'];

export interface SilentRecord {
  /** For people, without the publisher's name. */
  readonly reason: string;
  /** Of which upstream it speaks, where it is another one than ours. */
  readonly upstream: string | undefined;
}

export function silentRecord(why: Why, record: IndexRecord | undefined, upstream: string): SilentRecord {
  if (why === 'upstream' && record !== undefined)
    return {
      reason: `it speaks of ${record.upstream}, and this node asks for ${upstream}`,
      upstream: record.upstream,
    };
  if (why === 'format' && record !== undefined)
    return { reason: `it signs pages that were made from ${record.format}`, upstream: undefined };
  return { reason: 'its records are of a newer version: update this program', upstream: undefined };
}

/** What to tell when one became silent. `all`: of every voter that counts; undefined for one that is not. */
export function silenceAlarm(
  origin: string,
  silent: SilentRecord,
  all: readonly (SilentRecord | undefined)[],
): string {
  const other = silent.upstream;
  if (other === undefined) return `${origin} is no vote here: ${silent.reason}`;
  if (all.length > 0 && all.every((one) => one?.upstream === other))
    return `no publisher of the policy is a vote here: all speak of ${other}. If that is the index you want, start with --upstream ${other}`;
  return `${origin} is no vote here: ${silent.reason} (--upstream)`;
}
