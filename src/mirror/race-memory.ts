/**
 * What one race teaches the next: how fast the upstream is, whether peers ever win (else the upstream is not kept
 * waiting for them), and how many hedges were earned. Bounded; kept in memory only.
 */
import { limits } from '../core/limits.ts';
import type { Meter } from './source-progress.ts';

export interface RaceMemory {
  /** How long peers may keep the upstream waiting, ms. */
  budget(): number;
  /** A cold fetch that peers could have won is over. */
  finished(winner: 'peer' | 'upstream'): void;
  /** A cold fetch begins: earns a part of a hedge. */
  began(): void;
  mayHedge(): boolean;
  spendHedge(): void;
  /** Bytes a second that the upstream gave lately; undefined when not known. */
  upstreamRate(now: number): number | undefined;
  noteUpstream(meter: Meter, now: number): void;
}

export function createRaceMemory(): RaceMemory {
  const { history, historyShare, hedgeEvery, hedgeMax, upstreamStart, upstreamRateKept, winBytes } =
    limits.race;
  const wins: boolean[] = [];
  let begun = 0;
  let rate: { value: number; at: number } | undefined;
  return {
    budget() {
      if (wins.length < history) return upstreamStart;
      const won = wins.filter((peer) => peer).length;
      return won < historyShare * history ? 0 : upstreamStart;
    },
    finished(winner) {
      wins.push(winner === 'peer');
      if (wins.length > history) wins.shift();
    },
    // Counted in whole requests: twenty twentieths do not make one in binary fractions.
    began() {
      begun = Math.min(hedgeMax * hedgeEvery, begun + 1);
    },
    mayHedge: () => begun >= hedgeEvery,
    spendHedge() {
      begun -= hedgeEvery;
    },
    upstreamRate: (now) => (rate !== undefined && now - rate.at <= upstreamRateKept ? rate.value : undefined),
    noteUpstream(meter, now) {
      if (meter.delivered < winBytes) return;
      const seen = (meter.delivered * 1000) / Math.max(1, meter.lastAt - meter.startedAt);
      const before = rate !== undefined && now - rate.at <= upstreamRateKept ? rate.value : seen;
      rate = { value: before * 0.7 + seen * 0.3, at: now };
    },
  };
}
