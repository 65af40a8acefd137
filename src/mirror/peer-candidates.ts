/**
 * Peers that say they hold one blob: who may be used now, and who is the best. At most 12 are tried for a blob; a peer
 * that claims another size than the known one is none.
 */
import type { Randomness } from '../core/clock.ts';
import { limits } from '../core/limits.ts';
import type { Holder } from '../network/peer-network.ts';

/** Taken for the goodput of a peer that never gave anything. */
const UNKNOWN_GOODPUT = limits.race.unit;

export interface Candidates {
  add(holder: Holder): void;
  /** Not for this blob again. */
  refuse(peerId: string): void;
  /** Not before `until` (monotonic ms). */
  pause(peerId: string, until: number): void;
  /** While its bytes come it is not chosen again. */
  using(peerId: string, inUse: boolean): void;
  usable(now: number, proven: boolean): Holder[];
  /** A proven one's bytes come. */
  readonly giving: boolean;
  /** The best first: LAN, then goodput and load, the better of two at random; at most `count`. */
  pick(now: number, proven: boolean, count: number): Holder[];
  has(peerId: string): boolean;
  /** When the first paused one may be used; undefined when none is paused. */
  nextPauseEnd(now: number): number | undefined;
  readonly known: number;
}

export function createCandidates(randomness: Randomness): Candidates {
  const holders = new Map<string, Holder>();
  const refused = new Set<string>();
  const paused = new Map<string, number>();
  const inUse = new Set<string>();
  const tried = new Set<string>();

  const isUsable = (peerId: string, now: number): boolean =>
    !refused.has(peerId) &&
    !inUse.has(peerId) &&
    (paused.get(peerId) ?? 0) <= now &&
    (tried.has(peerId) || tried.size < limits.race.peersPerBlob);
  const usable = (now: number, proven: boolean): Holder[] => {
    const found: Holder[] = [];
    for (const holder of holders.values())
      if (holder.proven === proven && isUsable(holder.peerId, now)) found.push(holder);
    return found;
  };

  return {
    add(holder) {
      if (holders.has(holder.peerId) || holders.size < limits.race.holders)
        holders.set(holder.peerId, holder);
    },
    refuse(peerId) {
      refused.add(peerId);
    },
    pause(peerId, until) {
      paused.set(peerId, until);
    },
    using(peerId, busy) {
      if (busy) {
        inUse.add(peerId);
        tried.add(peerId);
      } else inUse.delete(peerId);
    },
    usable,
    get giving() {
      return [...inUse].some((peerId) => holders.get(peerId)?.proven === true);
    },
    pick(now, proven, count) {
      const pool = usable(now, proven);
      const picked: Holder[] = [];
      const room = Math.min(count, limits.race.peersPerBlob);
      while (picked.length < room && pool.length > 0) {
        const tier = pool.some(({ lan }) => lan) ? pool.filter(({ lan }) => lan) : pool;
        const best = betterOfTwo(tier, randomness);
        pool.splice(pool.indexOf(best), 1);
        picked.push(best);
      }
      return picked;
    },
    has: (peerId) => holders.has(peerId),
    nextPauseEnd(now) {
      const ends = [...paused]
        .filter(([peerId, until]) => until > now && !refused.has(peerId) && holders.has(peerId))
        .map(([, until]) => until);
      return ends.length > 0 ? Math.min(...ends) : undefined;
    },
    get known() {
      return holders.size;
    },
  };
}

function betterOfTwo(tier: readonly Holder[], randomness: Randomness): Holder {
  const one = tier[Math.floor(randomness.float() * tier.length)] as Holder;
  const rest = tier.filter((holder) => holder !== one);
  const two = rest[Math.floor(randomness.float() * rest.length)];
  return two !== undefined && worth(two) > worth(one) ? two : one;
}

function worth({ goodput, load }: Holder): number {
  return (goodput ?? UNKNOWN_GOODPUT) * (1 - load / 256);
}
