/**
 * Asks for peers that hold one blob: connected ones first, then by provider records where that can still help, and again
 * later while nothing comes. `reach` none: nobody is asked, so that a private digest leaves the machine in no form.
 */
import type { Clock, Randomness } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { Holder, PeerNetwork } from '../network/peer-network.ts';
import { type Candidates, createCandidates } from './peer-candidates.ts';

export interface HolderSearch {
  readonly candidates: Candidates;
  /** Connected peers are being asked. */
  readonly asking: boolean;
  /** Somebody is being asked, or provider records are looked up. */
  readonly busy: boolean;
  /** Peers may be asked at all. */
  readonly possible: boolean;
  /** Candidates that may be asked now: none of a blob that turned out to be private, whoever is known to hold it. */
  usable(now: number, proven: boolean): Holder[];
  /** When the next round may begin, monotonic ms; Infinity when none is planned. */
  readonly nextRound: number;
  /** Begins what is due. */
  look(): void;
  /** All were asked, and none can be used now or soon. */
  exhausted(now: number): boolean;
  /** A large blob is coming: whoever connects meanwhile is asked, once a second at most. */
  more(now: number): void;
  /** Nothing comes: plans another round, or begins it when its time has come or a peer has connected. */
  again(now: number): void;
  stop(): void;
}

export interface HolderSearchDeps {
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly digest: Digest;
  reach(): 'all' | 'lan' | 'none';
  size(): number | undefined;
  /** The upstream cannot be counted on: look further, whatever the size. */
  upstreamTrouble(): boolean;
  note(what: string): void;
  /** There is news for the race. */
  changed(): void;
}

const ROUND_FIRST = 1000;
const ROUND_MAX = 30_000;

export function createHolderSearch(deps: HolderSearchDeps): HolderSearch {
  const { network, clock, digest } = deps;
  const candidates = createCandidates(deps.randomness);
  const controller = new AbortController();
  const { signal } = controller;
  const begunAt = clock.monotonic();
  let round = 0;
  let asked = -1;
  let found = -1;
  let running = 0;
  let asking = false;
  let nextRound = Infinity;
  let watching = false;
  /** Somebody connected who was not asked yet. */
  let newcomer = false;
  let nextMore = -Infinity;

  async function collect(holders: AsyncIterable<Holder>, how: string, done: () => void): Promise<void> {
    running++;
    try {
      for await (const holder of holders) {
        if (signal.aborted) return;
        if (deps.reach() === 'lan' && !holder.lan) continue;
        const size = deps.size();
        if (size !== undefined && holder.size !== undefined && holder.size !== size) {
          deps.note(`peer ${holder.peerId} claims ${holder.size} bytes, not ${size}`);
          candidates.refuse(holder.peerId);
          continue;
        }
        candidates.add(holder);
        deps.changed();
      }
    } catch (error) {
      if (!signal.aborted) deps.note(`${how}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      running--;
      done();
    }
    deps.changed();
  }

  function ask(): void {
    asked = round;
    asking = true;
    const sizeKnown = deps.size() !== undefined && round === 0;
    void collect(
      // Asking through the network's thread costs each cold file a turn of both threads.
      network.status().connections === 0 && !newcomer
        ? nobody()
        : // Round after round nobody gave anything: who said no at first may have fetched it since.
          network.ask(digest, { signal, sizeKnown, inNeed: round > 0 }),
      'asking peers',
      () => {
        asking = false;
        if (candidates.known === 0) deps.note('no connected peer has it');
      },
    );
    newcomer = false;
  }

  function find(): void {
    found = round;
    void collect(network.find(digest, { signal }), 'looking for providers', () => undefined);
  }

  /** A peer that connects is a reason to ask again at once. */
  async function watch(): Promise<void> {
    if (watching) return;
    watching = true;
    try {
      await network.peerConnected({ signal });
    } catch {
      return;
    }
    watching = false;
    newcomer = true;
    nextRound = clock.monotonic();
    deps.changed();
  }

  const usable = (now: number, proven: boolean): Holder[] =>
    deps.reach() === 'none' ? [] : candidates.usable(now, proven);

  return {
    candidates,
    usable,
    get asking() {
      return asking;
    },
    get busy() {
      return running > 0;
    },
    get possible() {
      return deps.reach() !== 'none' && !signal.aborted;
    },
    get nextRound() {
      return nextRound;
    },
    look() {
      if (signal.aborted || deps.reach() === 'none') return;
      if (asked < round) ask();
      if (asking || found >= round || deps.reach() !== 'all') return;
      const now = clock.monotonic();
      if (candidates.usable(now, true).length > 0) return;
      // Who gives it is mostly done before others are found: walks for 64 KB files cost four times what the files did.
      if (candidates.giving && now - begunAt < limits.race.upstreamStart) return;
      const size = deps.size();
      if (deps.upstreamTrouble() || (size !== undefined && size >= limits.race.routedMinBytes)) find();
    },
    exhausted(now) {
      if (running > 0 || usable(now, true).length + usable(now, false).length > 0) return false;
      return deps.reach() === 'none' || candidates.nextPauseEnd(now) === undefined;
    },
    more(now) {
      if (signal.aborted || deps.reach() === 'none') return;
      void watch();
      if (!newcomer || asking || now < nextMore) return;
      nextMore = now + ROUND_FIRST;
      ask();
    },
    again(now) {
      if (signal.aborted || running > 0 || deps.reach() === 'none') return;
      void watch();
      if (nextRound !== Infinity && nextRound > now) return;
      if (nextRound <= now) {
        round++;
        this.look();
      }
      nextRound = now + Math.min(ROUND_MAX, ROUND_FIRST * 2 ** round);
    },
    stop: () => controller.abort(new Error('the search for holders is over')),
  };
}

async function* nobody(): AsyncGenerator<Holder> {
  // Nothing to yield: no peer is connected.
}
