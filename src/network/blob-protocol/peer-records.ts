/** What we know of peers as sources: whether they ever gave verified bytes, how fast they were, how loaded they say they are. */
import { limits } from '../../core/limits.ts';
import type { Verdict } from '../peer-network.ts';

export interface PeerRecord {
  readonly proven: boolean;
  /** Bytes a second, smoothed. */
  readonly goodput: number | undefined;
  /** 0 to 255, as it last said. */
  readonly load: number;
  /** Monotonic time until which it is asked last. */
  readonly slowUntil: number | undefined;
}

export interface PeerRecords {
  of(peerId: string, now: number): PeerRecord;
  judge(peerId: string, verdict: Verdict, now: number): void;
  /** A transfer of ours ended: content bytes, and ms in which nothing on our side held it up. */
  measured(peerId: string, bytes: number, ms: number): void;
  loaded(peerId: string, load: number): void;
}

interface Entry {
  proven: boolean;
  goodput: number | undefined;
  load: number;
  losses: number;
  slowUntil: number | undefined;
}

/** Smaller transfers measure the round trip, not the rate. */
const MEASURED_FROM = 64 * 1024;
const NEWEST = 0.3;

export function createPeerRecords(): PeerRecords {
  /** The one used last is at the end. */
  const entries = new Map<string, Entry>();
  const entry = (peerId: string): Entry => {
    const found = entries.get(peerId) ?? {
      proven: false,
      goodput: undefined,
      load: 0,
      losses: 0,
      slowUntil: undefined,
    };
    entries.delete(peerId);
    entries.set(peerId, found);
    if (entries.size > limits.blob.recordsKept) entries.delete(entries.keys().next().value as string);
    return found;
  };
  return {
    of(peerId, now) {
      const { proven = false, goodput, load = 0, slowUntil = 0 } = entries.get(peerId) ?? {};
      return { proven, goodput, load, slowUntil: slowUntil > now ? slowUntil : undefined };
    },
    judge(peerId, verdict, now) {
      const peer = entry(peerId);
      if (verdict.kind === 'verified') {
        peer.proven = true;
        peer.losses = 0;
      }
      if (verdict.kind !== 'slow' || ++peer.losses < limits.blob.slowLosses) return;
      peer.losses = 0;
      peer.slowUntil = now + limits.blob.slowFor;
    },
    measured(peerId, bytes, ms) {
      if (bytes < MEASURED_FROM) return;
      const peer = entry(peerId);
      const rate = (bytes * 1000) / Math.max(ms, 1);
      peer.goodput = peer.goodput === undefined ? rate : peer.goodput + NEWEST * (rate - peer.goodput);
    },
    loaded: (peerId, load) => void (entry(peerId).load = load),
  };
}
