/** Counts broken protocol: three within an hour convict a peer. Knows as many peers as fit, the latest offenders. */
import { limits } from '../../core/limits.ts';

export interface ViolationCounter {
  /** One more of this peer; true when that makes a ban (its count then starts anew). */
  note(peerId: string, now: number): boolean;
}

export function createViolationCounter(): ViolationCounter {
  const times = new Map<string, number[]>();
  return {
    note(peerId, now) {
      const recent = (times.get(peerId) ?? []).filter((at) => now - at < limits.blob.violationsWithin);
      recent.push(now);
      times.delete(peerId);
      if (recent.length >= limits.blob.violations) return true;
      times.set(peerId, recent);
      if (times.size > limits.blob.recordsKept) times.delete(times.keys().next().value as string);
      return false;
    },
  };
}
