/**
 * When peers without a good record may still be tried: after two wrong or stalled ones on a blob only the upstream and
 * known peers for ten minutes; when too many bytes of peers had to be thrown away within an hour, no new strangers at
 * all (else churning peer ids would make us download garbage for ever). Bounded.
 */
import { LRUCache } from 'lru-cache';
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';

export interface StrangerGate {
  allows(digest: Digest, now: number): boolean;
  /** A stranger gave wrong bytes for this blob, or stalled. */
  failed(digest: Digest, now: number): void;
  discarded(bytes: number, now: number): void;
  fetched(bytes: number, now: number): void;
}

const SLOTS = 60;

export function createStrangerGate(): StrangerGate {
  const { perBlob, pause, discardedBytes, discardedShare, discardedWindow, remembered } = limits.strangers;
  const failures = new LRUCache<Digest, { count: number; until: number }>({ max: remembered });
  const discarded = createHourly(discardedWindow);
  const fetched = createHourly(discardedWindow);
  return {
    allows(digest, now) {
      if (discarded.sum(now) > Math.max(discardedBytes, discardedShare * fetched.sum(now))) return false;
      const failure = failures.get(digest);
      return failure === undefined || now >= failure.until || failure.count < perBlob;
    },
    failed(digest, now) {
      const before = failures.get(digest);
      const count = before !== undefined && now < before.until ? before.count + 1 : 1;
      failures.set(digest, { count, until: now + pause });
    },
    discarded: (bytes, now) => discarded.add(bytes, now),
    fetched: (bytes, now) => fetched.add(bytes, now),
  };
}

interface Hourly {
  add(bytes: number, now: number): void;
  sum(now: number): number;
}

/** A sum over the last `window` ms, kept in 60 slots. */
function createHourly(window: number): Hourly {
  const slots = new Float64Array(SLOTS);
  const width = window / SLOTS;
  let newest = Number.NaN;
  const roll = (now: number): void => {
    const slot = Math.floor(now / width);
    if (Number.isNaN(newest)) newest = slot;
    for (let step = Math.max(newest + 1, slot - SLOTS + 1); step <= slot; step++) slots[step % SLOTS] = 0;
    newest = Math.max(newest, slot);
  };
  return {
    add(bytes, now) {
      roll(now);
      slots[newest % SLOTS] = (slots[newest % SLOTS] ?? 0) + bytes;
    },
    sum(now) {
      roll(now);
      // Not `reduce`: on every look of every flight it makes a heap number a step.
      let sum = 0;
      for (let slot = 0; slot < SLOTS; slot++) sum += slots[slot] ?? 0;
      return sum;
    },
  };
}
