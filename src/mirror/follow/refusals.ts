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

  constructor(clock: Clock, facts: FactEmitter) {
    this.#clock = clock;
    this.#facts = facts;
  }

  add({ origin, code, message, peerId, blame }: Refusal): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    this.#facts.emit('record:refused', { origin, code, message, peerId, blame });
    if (blame !== 'sender' || peerId === undefined) return;
    this.#paused.delete(peerId);
    this.#paused.set(peerId, this.#clock.monotonic() + limits.follow.faultPause);
    if (this.#paused.size > limits.follow.faultsKept)
      this.#paused.delete(this.#paused.keys().next().value as string);
  }

  /** An error in what came from a peer. False when it was no refusal: a peer that went, or a bug, which is thrown on. */
  caught(error: unknown, origin: string | undefined, peerId: string): boolean {
    if (error instanceof PeerError && error.failure !== 'protocol') return false;
    if (!(error instanceof FondueError)) throw error;
    this.add({ origin, code: error.code, message: error.message, peerId, blame: blameOf(error) });
    return true;
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
