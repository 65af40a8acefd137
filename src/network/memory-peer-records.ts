/** What a node of the in-memory world remembers of its peers: proofs, losses, goodput, bans. */
import type { Clock } from '../core/clock.ts';
import { limits } from '../core/limits.ts';
import type { NetworkStatus, Verdict } from './peer-network.ts';

type Ban = NetworkStatus['banned'][number];

interface Record {
  proven: boolean;
  goodput: number | undefined;
  losses: number;
  slowUntil: number;
  receivedBytes: number;
}

export interface MemoryPeerRecords {
  of(peerId: string): { readonly proven: boolean; readonly goodput: number | undefined };
  judge(peerId: string, verdict: Verdict): void;
  received(peerId: string, bytes: number): void;
  traffic(peerId: string): { receivedBytes: number; sentBytes: number };
  /** Those that lost three races within the hour come last. */
  rank<T extends { readonly peerId: string }>(peers: readonly T[]): T[];
  ban(ban: Ban): void;
  banned(peerId: string): boolean;
  bans(): Ban[];
}

export function createMemoryPeerRecords(clock: Clock): MemoryPeerRecords {
  const records = new Map<string, Record>();
  const bans = new Map<string, Ban>();
  const record = (peerId: string): Record => {
    let found = records.get(peerId);
    if (!found) {
      found = { proven: false, goodput: undefined, losses: 0, slowUntil: -1, receivedBytes: 0 };
      records.set(peerId, found);
    }
    return found;
  };
  const slow = (peerId: string): number => (record(peerId).slowUntil > clock.monotonic() ? 1 : 0);
  return {
    of: record,
    judge(peerId, verdict) {
      const entry = record(peerId);
      if (verdict.kind === 'verified') {
        entry.proven = true;
        if (verdict.ms > 0) entry.goodput = (verdict.bytes * 1000) / verdict.ms;
      } else if (verdict.kind === 'slow' && ++entry.losses >= limits.blob.slowLosses) {
        entry.losses = 0;
        entry.slowUntil = clock.monotonic() + limits.blob.slowFor;
      }
    },
    received: (peerId, bytes) => void (record(peerId).receivedBytes += bytes),
    traffic: (peerId) => ({ receivedBytes: record(peerId).receivedBytes, sentBytes: 0 }),
    rank: (peers) => [...peers].sort((a, b) => slow(a.peerId) - slow(b.peerId)),
    ban: (ban) => void bans.set(ban.peerId, ban),
    banned: (peerId) => (bans.get(peerId)?.until ?? 0) > clock.now(),
    bans: () => [...bans.values()].filter((ban) => ban.until > clock.now()),
  };
}
