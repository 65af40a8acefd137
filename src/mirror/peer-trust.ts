/** What one blob's transfer teaches about peers: told to the network's memory, and heeded at once for this blob. */
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { IntegrityError, PeerError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { PeerNetwork } from '../network/peer-network.ts';
import type { Candidates } from './peer-candidates.ts';
import { type Lane, peerSource } from './source-lanes.ts';

export interface PeerTrust {
  /** A transfer broke, or was refused. True when that cost us something: not for a plain no. */
  failed(peerId: string, error: unknown): boolean;
  /** Beaten by rate. */
  lost(lane: Lane): void;
  /** Its bytes, all of them its own, do not fit: a ban. */
  convict(peerId: string, actual: string): void;
  mismatch(actual: string, source: string): void;
}

export interface PeerTrustDeps {
  readonly network: PeerNetwork;
  readonly facts: FactEmitter;
  readonly clock: Clock;
  readonly candidates: Candidates;
  readonly digest: Digest;
  note(what: string): void;
}

const AFTER_BUSY = 500;
const AFTER_BREAK = 1000;
const AFTER_LOSS = 30_000;

export function createPeerTrust(deps: PeerTrustDeps): PeerTrust {
  const { network, facts, clock, candidates, digest } = deps;
  const broken = new Set<string>();
  const mismatch = (actual: string, source: string): void =>
    facts.emit('integrity:mismatch', { digest, actual, source });

  function once(peerId: string): void {
    if (broken.has(peerId)) candidates.refuse(peerId);
    else candidates.pause(peerId, clock.monotonic() + AFTER_BREAK);
    broken.add(peerId);
  }

  return {
    failed(peerId, error) {
      deps.note(`peer ${peerId}: ${error instanceof Error ? error.message : String(error)}`);
      if (error instanceof IntegrityError) {
        mismatch(error.actual, peerSource(peerId));
        network.judge(peerId, { kind: 'not-found', digest });
        candidates.refuse(peerId);
        return true;
      }
      const failure = error instanceof PeerError ? error.failure : 'reset';
      switch (failure) {
        case 'busy': {
          const pause = error instanceof PeerError ? error.retryAfter : undefined;
          candidates.pause(peerId, clock.monotonic() + (pause ?? AFTER_BUSY));
          return false;
        }
        case 'not-found':
          network.judge(peerId, { kind: 'not-found', digest });
          candidates.refuse(peerId);
          return false;
        case 'unreachable':
          candidates.refuse(peerId);
          return false;
        case 'protocol':
        case 'unreadable':
          candidates.refuse(peerId);
          return true;
        default:
          once(peerId);
          return true;
      }
    },
    lost(lane) {
      for (const { peerId } of lane.peers) {
        if (lane.peers.length === 1) network.judge(peerId, { kind: 'slow', digest });
        candidates.pause(peerId, clock.monotonic() + AFTER_LOSS);
      }
    },
    convict(peerId, actual) {
      mismatch(actual, peerSource(peerId));
      network.judge(peerId, { kind: 'wrong-bytes', digest });
      candidates.refuse(peerId);
    },
    mismatch,
  };
}
