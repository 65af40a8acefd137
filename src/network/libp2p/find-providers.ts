/**
 * Provider records: look up, dial, ask. Everything is bounded, because the records come from strangers: 20 collected, 12
 * peers tried a blob, 4 dials at once with 1.5 s each, one a /24 (/48) in a round, known-good ones first. Dead providers rest
 * for 10 minutes, doubling to 6 h; that nobody has a blob is believed for 60 s or until a peer connects.
 *
 * A provider's addresses are what those say who answer the look-up. So a provider is dead only by the very addresses that
 * failed, and another answer that names it with others is another try.
 */
import { createHash } from 'node:crypto';
import { deadline } from '../../core/clock.ts';
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { Holder, PeerCallOptions } from '../peer-network.ts';
import { createExpiringMap } from './expiring-map.ts';
import { parsePeerAddress, subnetOf } from './peer-address.ts';
import type { PeerQuestions } from './peer-questions.ts';

export interface Provider {
  readonly peerId: string;
  /** Without `/p2p`. */
  readonly addresses: readonly string[];
}

export interface FindDeps {
  readonly clock: Clock;
  readonly questions: PeerQuestions;
  readonly self: string;
  /** Providers as the look-up meets them; ends when it has walked to the end. */
  lookUp(digest: Digest, signal: AbortSignal): AsyncIterable<Provider>;
  isConnected(peerId: string): boolean;
  isBanned(peerId: string): boolean;
  isKnownGood(peerId: string): boolean;
  /** Whether an address may be dialled at all. */
  accepts(address: string): boolean;
  /** Rejects when the peer is not reached. */
  dial(provider: Provider, signal: AbortSignal): Promise<void>;
}

export interface ProviderFinder {
  find(digest: Digest, options?: PeerCallOptions): AsyncGenerator<Holder>;
  /** A peer connected: what nobody had, it may have. */
  peerConnected(peerId: string): void;
}

export function createProviderFinder(deps: FindDeps): ProviderFinder {
  const { clock } = deps;
  const { network } = limits;
  const nobody = createExpiringMap<true>(clock, network.nobodies);
  /** By peer, then by the addresses that it was not reached at: until when they rest, and how long the next time. */
  const dead = createExpiringMap<Map<string, { readonly until: number; readonly next: number }>>(
    clock,
    network.deadProviders,
  );
  const isDead = (provider: Provider): boolean =>
    (dead.get(provider.peerId)?.get(placesOf(provider))?.until ?? -Infinity) > clock.monotonic();
  const died = (provider: Provider): void => {
    const rests = dead.get(provider.peerId) ?? new Map<string, { until: number; next: number }>();
    const places = placesOf(provider);
    const rest = rests.get(places)?.next ?? network.deadProvider;
    rests.delete(places);
    rests.set(places, { until: clock.monotonic() + rest, next: Math.min(rest * 2, network.deadProviderMax) });
    for (const oldest of rests.keys()) {
      if (rests.size <= network.deadProviderPlaces) break;
      rests.delete(oldest);
    }
    dead.set(provider.peerId, rests, rest + network.deadProviderMax);
  };

  const reach = async (provider: Provider, digest: Digest, signal: AbortSignal): Promise<Reached> => {
    if (!deps.isConnected(provider.peerId)) {
      using limit = deadline(clock, network.findDialTime, signal);
      try {
        await deps.dial(provider, limit.signal);
      } catch {
        if (!signal.aborted) died(provider);
        return 'not reached';
      }
    }
    dead.delete(provider.peerId);
    return await deps.questions.ask(provider.peerId, digest, { signal, time: network.findAskTime });
  };

  /** With the addresses that may be dialled; undefined when it is not worth a try. */
  const candidate = ({ peerId, addresses }: Provider, digest: Digest): Provider | undefined => {
    if (peerId === deps.self || deps.isBanned(peerId) || deps.questions.hasDenied(peerId, digest))
      return undefined;
    // Read are no more than what the peer store reads, tried no more than libp2p tries.
    const read = addresses.slice(0, network.mergedParts);
    const usable = read.filter((address) => deps.accepts(address)).slice(0, network.addressesPerPeer);
    const provider = { peerId, addresses: usable };
    if (!deps.isConnected(peerId) && (usable.length === 0 || isDead(provider))) return undefined;
    return provider;
  };

  async function* find(digest: Digest, options: PeerCallOptions = {}): AsyncGenerator<Holder> {
    options.signal?.throwIfAborted();
    if (nobody.has(digest)) return;
    const leave = new AbortController();
    const signal =
      options.signal === undefined ? leave.signal : AbortSignal.any([options.signal, leave.signal]);
    const round = createRound(deps, (provider) => reach(provider, digest, signal));
    const walk = (async () => {
      let collected = 0;
      for await (const named of deps.lookUp(digest, signal)) {
        const provider = candidate(named, digest);
        if (provider === undefined) continue;
        round.add(provider);
        if (++collected >= network.findProviders) break;
      }
    })();
    // A failed look-up ends it; what it found until then still counts.
    void walk.then(
      () => round.close(),
      () => round.close(),
    );
    let found = false;
    try {
      for (;;) {
        const holder = await round.next(signal);
        if (holder === undefined) break;
        found = true;
        yield holder;
      }
      options.signal?.throwIfAborted();
      if (!found) nobody.set(digest, true, network.nobodyKept);
    } finally {
      leave.abort();
    }
  }

  return {
    find,
    peerConnected(peerId) {
      nobody.clear();
      dead.delete(peerId);
    },
  };
}

/** What came of a provider: it holds the blob, it does not (or did not say), or nobody was there. */
type Reached = Holder | undefined | 'not reached';

interface Round {
  add(provider: Provider): void;
  /** No more will be added. */
  close(): void;
  /** The next holder; undefined at the end. */
  next(signal: AbortSignal): Promise<Holder | undefined>;
}

/** Works off the providers, the best of those known first, 4 at once. */
function createRound(
  deps: Pick<FindDeps, 'isConnected' | 'isKnownGood'>,
  reach: (provider: Provider) => Promise<Reached>,
): Round {
  const { network } = limits;
  const waiting: Provider[] = [];
  const found: Holder[] = [];
  const seen = new Set<string>();
  /** Peers that are being tried, and those that were reached: what else is said of them does not matter (any more). */
  const trying = new Set<string>();
  const reached = new Set<string>();
  let subnetsOfRound = new Set<string>();
  let tried = 0;
  let running = 0;
  let closed = false;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };

  const takeBest = (): Provider | undefined => {
    const fresh = (provider: Provider): boolean =>
      !subnetsOfRound.has(groupOf(provider)) && !trying.has(provider.peerId);
    // The next round begins when nothing of this one is left to wait for.
    if (running === 0 && !waiting.some(fresh)) subnetsOfRound = new Set();
    const rank = ({ peerId }: Provider): number =>
      (deps.isConnected(peerId) ? 2 : 0) + (deps.isKnownGood(peerId) ? 1 : 0);
    const [best] = waiting.filter(fresh).toSorted((a, b) => rank(b) - rank(a));
    if (best === undefined) return undefined;
    waiting.splice(waiting.indexOf(best), 1);
    subnetsOfRound.add(groupOf(best));
    return best;
  };
  const settle = (peerId: string): void => {
    reached.add(peerId);
    for (const other of waiting.filter((provider) => provider.peerId === peerId))
      waiting.splice(waiting.indexOf(other), 1);
  };
  const pump = (): void => {
    while (running < network.findDials && tried < network.findPeers) {
      const provider = takeBest();
      if (provider === undefined) break;
      tried += 1;
      running += 1;
      trying.add(provider.peerId);
      void reach(provider)
        .then((result) => {
          if (result === 'not reached') return undefined;
          settle(provider.peerId);
          if (result !== undefined) found.push(result);
          return undefined;
        })
        .finally(() => {
          running -= 1;
          trying.delete(provider.peerId);
          pump();
          wake();
        });
    }
  };
  const isDone = (): boolean =>
    running === 0 && ((closed && waiting.length === 0) || tried >= network.findPeers);
  return {
    add(provider) {
      const key = `${provider.peerId} ${placesOf(provider)}`;
      if (seen.has(key) || reached.has(provider.peerId)) return;
      seen.add(key);
      waiting.push(provider);
      pump();
    },
    close() {
      closed = true;
      wake();
    },
    async next(signal) {
      signal.addEventListener('abort', wake);
      try {
        while (found.length === 0 && !isDone() && !signal.aborted) await changed.promise;
      } finally {
        signal.removeEventListener('abort', wake);
      }
      return signal.aborted ? undefined : found.shift();
    },
  };
}

/** Short, whatever a stranger says. */
function placesOf({ addresses }: Provider): string {
  return createHash('sha256').update(addresses.toSorted().join(' ')).digest('base64');
}

function groupOf({ addresses, peerId }: Provider): string {
  for (const text of addresses) {
    const address = parsePeerAddress(text);
    if (address !== undefined) return subnetOf(address.host);
  }
  return peerId;
}
