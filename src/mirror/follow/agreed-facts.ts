/** What the voters' newest records say together: k-th highest serial, k-th newest reading, where files are. */
import { kthHighest } from '../../core/belief/node-time.ts';
import type { Candidate } from '../../core/belief/candidate.ts';
import { sameCandidate } from '../../core/belief/candidate.ts';
import type { MapHead } from './followed-map.ts';

export interface CountingHead extends MapHead {
  readonly slot: string;
}

export function agreedSerial(heads: readonly CountingHead[], k: number): number | undefined {
  return kthHighest(
    heads.map(({ record }) => record.serial),
    k,
  );
}

export function agreedReading(heads: readonly CountingHead[], k: number): number | undefined {
  return kthHighest(
    heads.map(({ observedAt }) => observedAt),
    k,
  );
}

/**
 * Canonical pages name files by their path below this: the one that most voters who hold the page say, else most of all. Of equals
 * the first by name, so that every node takes the same.
 */
export function agreedFileOrigin(
  origins: readonly { readonly fileOrigin: string; readonly holds: Candidate | 'unknown' }[],
  page: Candidate,
): string | undefined {
  const backers = origins.filter(({ holds }) => holds !== 'unknown' && sameCandidate(holds, page));
  const counts = new Map<string, number>();
  for (const { fileOrigin } of backers.length > 0 ? backers : origins)
    counts.set(fileOrigin, (counts.get(fileOrigin) ?? 0) + 1);
  const [first] = [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  return first?.[0];
}
