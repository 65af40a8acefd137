/** What the voters' newest records say together: k-th highest serial, k-th newest reading, where files are. */
import { kthHighest } from '../../core/belief/node-time.ts';
import type { Candidate } from '../../core/belief/candidate.ts';
import { sameCandidate } from '../../core/belief/candidate.ts';
import { mostCommon } from '../../core/most-common.ts';
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

/** What a record says that its canonical pages leave out, and what its map says of one page. */
export interface SaidOfPage {
  readonly fileOrigin: string;
  readonly apiVersion: string | null;
  readonly holds: Candidate | 'unknown';
}

/**
 * Canonical pages name files by their path below `fileOrigin`: what most voters who hold the page say, else most of all. The API
 * version likewise, null where none says one.
 */
export function agreedSource(
  said: readonly SaidOfPage[],
  page: Candidate,
): { readonly fileOrigin: string; readonly apiVersion: string | null } | undefined {
  const backers = said.filter(({ holds }) => holds !== 'unknown' && sameCandidate(holds, page));
  const heard = backers.length > 0 ? backers : said;
  const fileOrigin = mostCommon(heard.map((one) => one.fileOrigin));
  if (fileOrigin === undefined) return undefined;
  const apiVersion = mostCommon(heard.flatMap((one) => one.apiVersion ?? [])) ?? null;
  return { fileOrigin, apiVersion };
}
