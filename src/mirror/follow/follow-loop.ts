/**
 * What a follower does by itself: meets every peer on contact and some again every 30 s, fetches what was heard of, one thing at
 * a time a log, again after a pause where nobody had it, and keeps the DHT's values alive.
 */
import type { Clock, Randomness, Timer } from '../../core/clock.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import type { FollowedVoter } from './followed-voter.ts';
import type { Refusals } from './refusals.ts';

export interface LoopDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts: FactEmitter;
  readonly channel: IndexChannel;
  readonly refusals: Refusals;
  readonly voters: readonly FollowedVoter[];
  /** Peers that told of something new of a log, newest first. */
  now(): number;
  exchange(peer: string, signal: AbortSignal): Promise<'met' | 'busy'>;
  putHeads(signal: AbortSignal): Promise<void>;
  getHeads(signal: AbortSignal): Promise<void>;
  /** Every 30 s. */
  upkeep(): Promise<void>;
}

interface Pump {
  running: boolean;
  again: boolean;
  pause: number;
  timer: Timer | undefined;
}

/** Peers met in one round. */
const MET_AT_ONCE = 8;

export class FollowLoop implements AsyncDisposable {
  readonly #deps: LoopDeps;
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  readonly #pumps = new Map<FollowedVoter, Pump>();
  readonly #meeting = new Set<string>();
  readonly #busy = new Map<string, Timer>();
  #round: Timer | undefined;
  #dht: Timer | undefined;
  #unlisten: (() => void) | undefined;

  constructor(deps: LoopDeps) {
    this.#deps = deps;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  start(): void {
    const { channel, voters } = this.#deps;
    this.#unlisten = channel.onPeer((peer) => this.#meet(peer));
    for (const peer of channel.peers()) this.#meet(peer);
    for (const voter of voters) this.kick(voter);
    this.#run(() => this.#deps.getHeads(this.signal));
    this.#nextRound();
    this.#nextPut();
  }

  /** There may be something to fetch. */
  kick(voter: FollowedVoter): void {
    const pump = this.#pumpOf(voter);
    pump.timer?.cancel();
    pump.timer = undefined;
    pump.pause = limits.follow.retryFirst;
    if (pump.running) pump.again = true;
    else this.#run(() => this.#advance(voter, pump));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the follower is closed'));
    this.#unlisten?.();
    this.#round?.cancel();
    this.#dht?.cancel();
    for (const { timer } of this.#pumps.values()) timer?.cancel();
    for (const timer of this.#busy.values()) timer.cancel();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  async #advance(voter: FollowedVoter, pump: Pump): Promise<void> {
    pump.running = true;
    try {
      do {
        pump.again = false;
        const progress = await voter.advance(this.signal);
        if (pump.again || progress === 'done') continue;
        if (progress === 'waiting') {
          this.#later(voter, pump, pump.pause);
          pump.pause = Math.min(2 * pump.pause, limits.follow.retryMax);
        } else this.#later(voter, pump, Math.max(0, progress.until - this.#deps.now()));
      } while (pump.again);
    } catch (error) {
      this.#later(voter, pump, limits.follow.retryMax);
      throw error;
    } finally {
      pump.running = false;
    }
  }

  #later(voter: FollowedVoter, pump: Pump, ms: number): void {
    pump.timer?.cancel();
    if (this.signal.aborted) return;
    // A wall clock that is set meanwhile is noticed.
    pump.timer = this.#deps.clock.setTimer(
      () => {
        pump.timer = undefined;
        if (pump.running) pump.again = true;
        else this.#run(() => this.#advance(voter, pump));
      },
      Math.min(ms, limits.follow.retryMax),
    );
  }

  #pumpOf(voter: FollowedVoter): Pump {
    const fresh: Pump = { running: false, again: false, pause: limits.follow.retryFirst, timer: undefined };
    const pump = this.#pumps.get(voter) ?? fresh;
    this.#pumps.set(voter, pump);
    return pump;
  }

  #meet(peer: string, pause: number = limits.follow.retryFirst): void {
    if (this.#meeting.has(peer) || !this.#deps.refusals.isTrusted(peer)) return;
    this.#meeting.add(peer);
    this.#run(async () => {
      try {
        const outcome = await this.#deps.exchange(peer, this.signal);
        if (outcome === 'busy') this.#meetLater(peer, pause);
      } finally {
        this.#meeting.delete(peer);
      }
    });
  }

  /** A node that has just started is connected before it answers: what it knows does not wait for the next round. */
  #meetLater(peer: string, pause: number): void {
    if (this.signal.aborted || pause > limits.follow.antiEntropyEvery / 4) return;
    this.#busy.get(peer)?.cancel();
    const timer = this.#deps.clock.setTimer(() => {
      this.#busy.delete(peer);
      if (this.#deps.channel.peers().includes(peer)) this.#meet(peer, 2 * pause);
    }, pause);
    this.#busy.set(peer, timer);
  }

  #nextRound(): void {
    const { antiEntropyEvery, antiEntropyJitter } = limits.follow;
    const { clock, channel, voters } = this.#deps;
    // Never later than the time itself: two halves that were healed are one within it.
    this.#round = clock.setTimer(
      () => {
        const peers = [...channel.peers()];
        for (let left = Math.min(MET_AT_ONCE, peers.length); left > 0; left--)
          this.#meet(peers.splice(Math.floor(this.#deps.randomness.float() * peers.length), 1)[0] as string);
        for (const voter of voters) if (voter.heard > voter.log.size) this.kick(voter);
        this.#run(() => this.#deps.upkeep());
        this.#nextRound();
      },
      antiEntropyEvery * (1 - antiEntropyJitter * this.#deps.randomness.float()),
    );
  }

  #nextPut(): void {
    this.#dht = this.#deps.clock.setTimer(() => {
      this.#run(() => this.#deps.putHeads(this.signal));
      this.#nextPut();
    }, limits.follow.dhtEvery);
  }

  #run(work: () => Promise<void>): void {
    if (this.signal.aborted) return;
    const running = work()
      .catch((error: unknown) => {
        if (this.signal.aborted) return;
        this.#deps.facts.emit('program:failed', {
          message: `following the signed index failed: ${(error as Error).stack ?? String(error)}`,
        });
      })
      .finally(() => this.#work.delete(running));
    this.#work.add(running);
  }
}
