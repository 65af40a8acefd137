/**
 * One question to one peer: have you this blob? With the peer's own deadline (three of its round trips, 50 to 150 ms), and
 * with what is remembered of earlier answers: who said no is not asked again for 10 minutes (in need: for half a second, it
 * may have been fetching it just then), who missed two deadlines in a row is not asked for 10 minutes (in need it is: 150 ms
 * are too few for another continent). Questions that waited together count as one miss, and a deadline that we ourselves
 * came late to as none: 16 files asked for at once would else make one pause of 150 ms the end of the only peer.
 */
import { deadline } from '../../core/clock.ts';
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { PeerError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Holder } from '../peer-network.ts';
import { createExpiringMap } from './expiring-map.ts';
import { orAborted } from './or-aborted.ts';

export interface QuestionDeps {
  readonly clock: Clock;
  have(
    peerId: string,
    digests: readonly Digest[],
    options: { signal?: AbortSignal },
  ): Promise<{ readonly load: number; readonly sizes: readonly (number | undefined)[] }>;
  /** What is known of a peer for ranking. */
  record(peerId: string): { proven: boolean; goodput: number | undefined };
  isLan(peerId: string): boolean;
}

export interface PeerQuestions {
  /** Undefined: it has not, or did not say in time. `time` replaces the peer's own deadline. */
  ask(
    peerId: string,
    digest: Digest,
    options: { signal?: AbortSignal | undefined; time?: number },
  ): Promise<Holder | undefined>;
  /** It had all that it was asked for lately: its GET answers as soon as its HAVE would. */
  isLikely(peerId: string): boolean;
  /** Not worth asking: it said no lately, or keeps missing its deadline. In need: give it time. */
  isVain(peerId: string, digest: Digest, inNeed?: boolean): boolean;
  /** It said no lately. */
  hasDenied(peerId: string, digest: Digest): boolean;
  saidNo(peerId: string, digest: Digest): void;
  /** It connected (again): what it missed on a connection that was dying is not held against it. */
  connected(peerId: string): void;
}

export function createPeerQuestions(deps: QuestionDeps): PeerQuestions {
  const { clock } = deps;
  const { network } = limits;
  /** When it said no. */
  const negatives = createExpiringMap<number>(clock, network.negatives);
  const skipped = createExpiringMap<true>(clock, network.hostsKept);
  const misses = createExpiringMap<{ readonly count: number; readonly at: number }>(clock, network.hostsKept);
  const roundTrips = createExpiringMap<number>(clock, network.hostsKept);

  const timeOf = (peerId: string): number => {
    const roundTrip = roundTrips.get(peerId);
    if (roundTrip === undefined) return network.askTimeMax;
    return Math.min(network.askTimeMax, Math.max(network.askTimeMin, roundTrip * network.askRoundTrips));
  };
  /** How often in a row it had what it was asked for. */
  const hits = createExpiringMap<number>(clock, network.hostsKept);
  const answered = (peerId: string, ms: number): void => {
    misses.delete(peerId);
    const before = roundTrips.get(peerId) ?? ms;
    roundTrips.set(peerId, before + (ms - before) / 4, network.askSkipped);
  };
  const missed = (peerId: string, askedAt: number): void => {
    // What looked near is not: the next deadline is a long one.
    roundTrips.delete(peerId);
    const before = misses.get(peerId);
    if (before !== undefined && askedAt < before.at) return;
    const count = (before?.count ?? 0) + 1;
    misses.set(peerId, { count, at: clock.monotonic() }, network.askSkipped);
    if (count < network.askMisses) return;
    misses.delete(peerId);
    skipped.set(peerId, true, network.askSkipped);
  };
  const saidNo = (peerId: string, digest: Digest): void => {
    hits.delete(peerId);
    negatives.set(keyOf(peerId, digest), clock.monotonic(), network.negativeKept);
  };
  const hasDenied = (peerId: string, digest: Digest): boolean => negatives.has(keyOf(peerId, digest));

  return {
    async ask(peerId, digest, { signal, time = timeOf(peerId) }) {
      using limit = deadline(clock, time, signal);
      const start = clock.monotonic();
      try {
        const asked = deps.have(peerId, [digest], { signal: limit.signal });
        const { load, sizes } = await orAborted(asked, limit.signal);
        answered(peerId, clock.monotonic() - start);
        const [size] = sizes;
        if (size === undefined) {
          saidNo(peerId, digest);
          return undefined;
        }
        hits.set(peerId, (hits.get(peerId) ?? 0) + 1, network.askLikelyFor);
        return { peerId, lan: deps.isLan(peerId), size, load, ...rankOf(deps.record(peerId)) };
      } catch (error) {
        const known = deps.record(peerId);
        // Too many questions: that says nothing of the blob, and a GET is not a question.
        if (error instanceof PeerError && error.failure === 'busy' && known.proven)
          return { peerId, lan: deps.isLan(peerId), size: undefined, load: 255, ...rankOf(known) };
        hits.delete(peerId);
        // Busy, reset, gone: no answer, and no proof of absence. Only silence counts against it.
        if (!limit.signal.aborted || signal?.aborted === true) return undefined;
        const late = clock.monotonic() - start - time;
        if (late < network.askOwnDelay) missed(peerId, start);
        return undefined;
      }
    },
    isVain(peerId, digest, inNeed = false) {
      if (!inNeed) return skipped.has(peerId) || hasDenied(peerId, digest);
      const at = negatives.get(keyOf(peerId, digest));
      return at !== undefined && clock.monotonic() - at < network.negativeInNeed;
    },
    hasDenied,
    isLikely: (peerId) => (hits.get(peerId) ?? 0) >= network.askLikely,
    saidNo,
    connected(peerId) {
      hits.delete(peerId);
      skipped.delete(peerId);
      misses.delete(peerId);
      roundTrips.delete(peerId);
    },
  };
}

function keyOf(peerId: string, digest: Digest): string {
  return `${peerId}/${digest}`;
}

function rankOf({
  proven,
  goodput,
}: {
  proven: boolean;
  goodput: number | undefined;
}): Pick<Holder, 'proven' | 'goodput'> {
  return { proven, goodput };
}
