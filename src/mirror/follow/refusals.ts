/**
 * What was refused, by code, and who is left alone for it. The sender is to blame only for what it could have checked: a
 * relay cannot know that a publisher signs nonsense, and nobody knows whose clock is wrong.
 */
import type { Clock } from '../../core/clock.ts';
import {
  FondueError,
  IntegrityError,
  InvalidIndexMapError,
  InvalidLogError,
  PeerError,
} from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';

export type Blame = 'sender' | 'publisher' | 'nobody';

export interface Refusal {
  readonly origin: string | undefined;
  readonly code: string;
  readonly message: string;
  readonly peerId?: string | undefined;
  readonly blame: Blame;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #facts: FactEmitter;
  readonly #counts = new Map<string, number>();
  /** Until when a peer is not asked, monotonic. */
  readonly #paused = new Map<string, number>();
  /** Until when others are asked first. */
  readonly #failed = new Map<string, number>();

  constructor(clock: Clock, facts: FactEmitter) {
    this.#clock = clock;
    this.#facts = facts;
  }

  add({ origin, code, message, peerId, blame }: Refusal): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    this.#facts.emit('record:refused', { origin, code, message, peerId, blame });
    if (blame !== 'sender' || peerId === undefined) return;
    note(this.#paused, peerId, this.#clock.monotonic() + limits.follow.faultPause);
  }

  /** An error in what came from a peer. False when it was no refusal: a peer that went, or a bug, which is thrown on. */
  caught(error: unknown, origin: string | undefined, peerId: string): boolean {
    if (error instanceof PeerError && error.failure !== 'protocol') {
      this.silent(peerId);
      return false;
    }
    if (!(error instanceof FondueError)) throw error;
    this.add({ origin, code: error.code, message: error.message, peerId, blame: blameOf(error) });
    return true;
  }

  /** It lets others wait: they go to another first. */
  silent(peerId: string): void {
    note(this.#failed, peerId, this.#clock.monotonic() + limits.follow.failedFor);
  }

  /** It told of something new. */
  spoke(peerId: string): void {
    this.#failed.delete(peerId);
  }

  /** Those that did not just break off or stop come first, in the order given; who is left alone is not in it. */
  inOrder(peers: readonly string[]): string[] {
    const trusted = peers.filter((peer) => this.isTrusted(peer));
    return [
      ...trusted.filter((peer) => !this.#hasFailed(peer)),
      ...trusted.filter((peer) => this.#hasFailed(peer)),
    ];
  }

  /** Of them those that did not; all of them if there is none. */
  answering(peers: readonly string[]): readonly string[] {
    const fine = peers.filter((peer) => !this.#hasFailed(peer));
    return fine.length > 0 ? fine : peers;
  }

  #hasFailed(peerId: string): boolean {
    return (this.#failed.get(peerId) ?? -1) > this.#clock.monotonic();
  }

  isTrusted(peerId: string): boolean {
    return (this.#paused.get(peerId) ?? -1) <= this.#clock.monotonic();
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

/** Of bytes that were compared with their digest before they were read: else they are their sender's. */
function blameOf(error: FondueError): Blame {
  if (error instanceof InvalidLogError) return error.blame;
  if (error instanceof InvalidIndexMapError)
    return error.code.startsWith('PROOF_') || error.code === 'LEAVES_MALFORMED' ? 'sender' : 'publisher';
  return error instanceof IntegrityError || error instanceof PeerError ? 'sender' : 'nobody';
}

/** The one that was noted first is forgotten first. */
function note(until: Map<string, number>, peerId: string, time: number): void {
  until.delete(peerId);
  until.set(peerId, time);
  if (until.size > limits.follow.faultsKept) until.delete(until.keys().next().value as string);
}
