/** How old what is believed is, and what that means for who asks. Must always hold: never younger than the truth. */
import { limits } from '../limits.ts';
import type { Belief } from './believe.ts';
import type { Pair } from './candidate.ts';

export interface PageAge {
  /** `aged` is served with a warning in the log; `refused` is 503, though its files are served still. */
  readonly state: 'fresh' | 'aged' | 'refused';
  readonly ms: number;
}

/** @param now of `timeForAges`. */
export function pageAge(at: number, now: number, allowOld: boolean): PageAge {
  // Only after a person set the node's time back: when that was nobody knows, so it is as old as can be.
  if (at > now + limits.belief.clockSlack)
    return { state: allowOld ? 'aged' : 'refused', ms: limits.belief.served + (at - now) };
  const ms = Math.max(0, now - at);
  if (ms <= limits.belief.fresh) return { state: 'fresh', ms };
  return { state: ms <= limits.belief.served || allowOld ? 'aged' : 'refused', ms };
}

/** A page that this node read in direct mode and has served. */
export interface DirectPage {
  readonly pair: Pair;
  readonly readAt: number;
}

/**
 * After direct -> quorum: a page already served stays, with its own age, until the quorum reaches its serial, at most a
 * day. A newer absence ends it as well: k voters saw the project gone after we read the page. Nothing of it is kept as
 * a floor.
 */
export function directPageStands(
  page: DirectPage,
  belief: Belief | undefined,
  switchedAt: number,
  now: number,
): boolean {
  if (now - switchedAt >= limits.belief.bridge || now - page.readAt >= limits.belief.bridge) return false;
  if (belief === undefined) return true;
  if (belief.choice === 'absent')
    return belief.at <= page.readAt && (belief.floor < page.pair.serial || page.pair.serial === 0);
  return belief.choice.serial < page.pair.serial;
}
