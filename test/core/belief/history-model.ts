/**
 * "What a node believes", transcribed from design/index over the whole history: every record of every voter is kept for
 * ever, and after each event every name is worked out anew. Slow and plain; `Beliefs` must always agree with it.
 */
import {
  type Candidate,
  candidateKey,
  type Pair,
  sameCandidate,
} from '../../../src/core/belief/candidate.ts';
import type { Belief } from '../../../src/core/belief/believe.ts';

export interface HistoryRecord {
  readonly at: number;
  readonly map: ReadonlyMap<string, Pair>;
  readonly stale: ReadonlySet<string>;
  readonly complete: boolean;
}

interface Said {
  readonly at: number;
  readonly candidate: Candidate;
}

interface ModelVoter {
  readonly slot: string;
  readonly covers: (name: string) => boolean;
  excluded: boolean;
  newest: HistoryRecord | undefined;
  /** By name: every vote of every record, in order. */
  readonly said: Map<string, Said[]>;
}

export class HistoryModel {
  readonly #k: number;
  readonly #names: readonly string[];
  readonly #voters = new Map<string, ModelVoter>();
  readonly kept = new Map<string, Belief>();

  constructor(k: number, names: readonly string[]) {
    this.#k = k;
    this.#names = names;
  }

  addVoter(id: string, slot: string, covers: (name: string) => boolean): void {
    this.#voters.set(id, { slot, covers, excluded: false, newest: undefined, said: new Map() });
  }

  accept(id: string, record: HistoryRecord): void {
    const voter = this.#voters.get(id)!;
    if (voter.excluded) return;
    voter.newest = record;
    for (const name of this.#names) {
      const pair = record.map.get(name);
      if (record.stale.has(name)) continue;
      if (pair === undefined && (!record.complete || !voter.covers(name))) continue;
      this.#say(voter, name, { candidate: pair ?? 'absent', at: record.at });
    }
    this.#judge();
  }

  vote(id: string, name: string, said: Said): void {
    const voter = this.#voters.get(id)!;
    if (voter.excluded) return;
    this.#say(voter, name, said);
    this.#judge();
  }

  exclude(slot: string): void {
    for (const voter of this.#voters.values()) if (voter.slot === slot) voter.excluded = true;
    this.#judge();
  }

  /** k slots said the candidate, then or later. */
  wasHeld(name: string, candidate: Candidate, since: number): boolean {
    const slots = new Set<string>();
    for (const voter of this.#voters.values())
      for (const said of voter.said.get(name) ?? [])
        if (said.at >= since && sameCandidate(said.candidate, candidate)) slots.add(voter.slot);
    return slots.size >= this.#k;
  }

  /** A lower serial than the voter said since T makes the entry no vote. */
  #say(voter: ModelVoter, name: string, { candidate, at }: Said): void {
    const list = voter.said.get(name) ?? [];
    const since = this.kept.get(name)?.at ?? -Infinity;
    const goesBack = list.some(
      (said) =>
        candidate !== 'absent' &&
        said.candidate !== 'absent' &&
        said.candidate.serial > candidate.serial &&
        said.at >= since &&
        said.at <= at,
    );
    if (!goesBack) voter.said.set(name, [...list, { candidate, at }]);
  }

  #judge(): void {
    for (const name of this.#names) {
      const belief = this.#believe(name);
      if (belief !== undefined) this.kept.set(name, belief);
    }
  }

  /** T(c) of every candidate. */
  #agreed(name: string): { candidate: Candidate; at: number }[] {
    const voters = [...this.#voters.values()].filter((voter) => !voter.excluded && voter.covers(name));
    const all = voters.flatMap((voter) => voter.said.get(name) ?? []).map((said) => said.candidate);
    const candidates = [...new Map(all.map((candidate) => [candidateKey(candidate), candidate])).values()];
    return candidates.flatMap((candidate) => {
      const times = [...new Set(voters.map((voter) => voter.slot))].map((slot) =>
        Math.max(
          ...voters
            .filter((voter) => voter.slot === slot)
            .flatMap((voter) => voter.said.get(name) ?? [])
            .filter((said) => sameCandidate(said.candidate, candidate))
            .map((said) => said.at),
        ),
      );
      const at = times.sort((a, b) => b - a)[this.#k - 1] ?? -Infinity;
      return at === -Infinity ? [] : [{ candidate, at }];
    });
  }

  #believe(name: string): Belief | undefined {
    const kept = this.kept.get(name);
    const fresh = this.#agreed(name);
    if (kept === undefined) {
      const p = greatest(fresh, undefined);
      const absent = fresh.find(({ candidate }) => candidate === 'absent');
      if (absent !== undefined && (p === undefined || absent.at > p.at))
        return { choice: 'absent', at: absent.at, floor: p?.pair.serial ?? 0 };
      return p && { choice: p.pair, at: p.at, floor: p.pair.serial };
    }
    // T and the serial never go down; an equal serial may come back if its T is newer; what is kept takes part.
    const standing = [...fresh, { candidate: kept.choice, at: kept.at }].filter(({ candidate, at }) => {
      if (at < kept.at) return false;
      if (candidate === 'absent' || sameCandidate(candidate, kept.choice)) return true;
      return candidate.serial > kept.floor || (candidate.serial === kept.floor && at > kept.at);
    });
    const p = greatest(standing, kept);
    const absentAt = Math.max(
      ...standing.filter(({ candidate }) => candidate === 'absent').map(({ at }) => at),
    );
    if (p === undefined || absentAt > p.at)
      return { choice: 'absent', at: absentAt, floor: Math.max(kept.floor, p?.pair.serial ?? 0) };
    return { choice: p.pair, at: p.at, floor: p.pair.serial };
  }
}

/** The page with the greatest (serial, T); between equals the kept one, else the one whose key sorts first. */
function greatest(
  candidates: readonly { candidate: Candidate; at: number }[],
  kept: Belief | undefined,
): { pair: Pair; at: number } | undefined {
  const pages = candidates.flatMap(({ candidate, at }) =>
    candidate === 'absent'
      ? []
      : [{ pair: candidate, at, stays: kept && sameCandidate(candidate, kept.choice) }],
  );
  return pages.sort(
    (a, b) =>
      b.pair.serial - a.pair.serial ||
      b.at - a.at ||
      Number(b.stays ?? false) - Number(a.stays ?? false) ||
      (candidateKey(a.pair) < candidateKey(b.pair) ? -1 : 1),
  )[0];
}
