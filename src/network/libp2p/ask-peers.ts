/** HAVE to the connected peers: all of the LAN, then at most 8 others, those that served us well before first. */
import type { Clock, Randomness } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { AskOptions, Holder } from '../peer-network.ts';
import { inCompletionOrder } from './completion-order.ts';
import type { ConnectedPeer } from './peer-directory.ts';
import type { PeerQuestions } from './peer-questions.ts';

interface PeerRecord {
  readonly proven: boolean;
  readonly goodput: number | undefined;
  /** Monotonic time until which it is asked last. */
  readonly slowUntil: number | undefined;
  readonly load: number;
}

export interface AskDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly questions: PeerQuestions;
  readonly reach: 'all' | 'lan' | 'none';
  connected(): readonly ConnectedPeer[];
  isBanned(peerId: string): boolean;
  record(peerId: string): PeerRecord;
}

/** Made once: an error takes its stack when it is made. */
const LEFT = new Error('nobody waits for this answer any more');

export async function* askPeers(
  deps: AskDeps,
  digest: Digest,
  options: AskOptions = {},
): AsyncGenerator<Holder> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { questions } = deps;
  const usable = deps
    .connected()
    .filter(({ peerId }) => !deps.isBanned(peerId) && !questions.isVain(peerId, digest, options.inNeed));
  const near = deps.reach === 'none' ? [] : usable.filter(({ lan }) => lan);
  const far = deps.reach === 'all' ? usable.filter(({ lan }) => !lan) : [];
  const leave = new AbortController();
  const stop = signal === undefined ? leave.signal : AbortSignal.any([signal, leave.signal]);
  try {
    const asked = [...near, ...bestOf(deps, far).slice(0, limits.network.askedOthers)];
    const [likely, others] = apart(deps, asked, options.sizeKnown === true);
    for (const holder of likely) yield holder;
    const time = options.inNeed === true ? { time: limits.network.findAskTime } : {};
    const answers = others.map(({ peerId }) => questions.ask(peerId, digest, { signal: stop, ...time }));
    for await (const holder of inCompletionOrder(answers)) if (holder !== undefined) yield holder;
    signal?.throwIfAborted();
  } finally {
    leave.abort(LEFT);
  }
}

/** Those who give verified bytes, have had all that was asked for lately, and are not busy: nothing is gained by a HAVE. */
function apart(
  deps: AskDeps,
  asked: readonly ConnectedPeer[],
  sizeKnown: boolean,
): [likely: Holder[], others: ConnectedPeer[]] {
  if (!sizeKnown) return [[], [...asked]];
  const likely: Holder[] = [];
  const others: ConnectedPeer[] = [];
  for (const peer of asked) {
    const { peerId, lan } = peer;
    const { proven, goodput, load, slowUntil } = deps.record(peerId);
    const slow = slowUntil !== undefined && slowUntil > deps.clock.monotonic();
    if (!proven || slow || load >= limits.race.hedgeLoad || !deps.questions.isLikely(peerId))
      others.push(peer);
    else likely.push({ peerId, lan, proven, size: undefined, load, goodput });
  }
  return [likely, others];
}

/** Proven before unknown before slow; among equals at random, so that no peer is asked by everybody. */
function bestOf(deps: AskDeps, peers: readonly ConnectedPeer[]): readonly ConnectedPeer[] {
  const rated = peers.map((peer) => {
    const { proven, slowUntil } = deps.record(peer.peerId);
    const slow = slowUntil !== undefined && slowUntil > deps.clock.monotonic();
    return { peer, rank: (slow ? 0 : 2) + (proven ? 1 : 0), chance: deps.randomness.float() };
  });
  return rated.toSorted((a, b) => b.rank - a.rank || a.chance - b.chance).map(({ peer }) => peer);
}
