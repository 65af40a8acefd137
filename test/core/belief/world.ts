/** Pages, maps and views by hand: `Beliefs` sees a voter's map as the node gives it, without a map on disk. */
import type { Belief } from '../../../src/core/belief/believe.ts';
import { Beliefs } from '../../../src/core/belief/beliefs.ts';
import type { Candidate, Pair } from '../../../src/core/belief/candidate.ts';
import type { Scope, VoterView } from '../../../src/core/belief/voter-view.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import type { HistoryRecord } from './history-model.ts';

export function pair(serial: number, content: number): Pair {
  return { serial, digest: parseDigest(content.toString(16).padStart(64, '0')), length: 100 };
}

export const wholeIndex: Scope = { id: 'all', covers: () => true };

export function viewOf(record: HistoryRecord, scope: Scope = wholeIndex): VoterView {
  return {
    observedAt: record.at,
    complete: record.complete,
    scope,
    holds: (name) => record.map.get(name) ?? 'absent',
    isStale: (name) => record.stale.has(name),
  };
}

/** Names whose entry or staleness is not the same. */
export function touchedBetween(a: HistoryRecord | undefined, b: HistoryRecord): string[] {
  if (a === undefined) return [];
  const names = new Set([...a.map.keys(), ...b.map.keys(), ...a.stale, ...b.stale]);
  return [...names].filter(
    (name) => a.map.get(name) !== b.map.get(name) || a.stale.has(name) !== b.stale.has(name),
  );
}

export interface Says {
  readonly complete?: boolean;
  readonly stale?: readonly string[];
  readonly scope?: Scope;
}

/** Voters a, b, c... of one slot each, told what to say record by record. */
export function createVoters(k: number, count: number, create = (): Beliefs => new Beliefs(k)) {
  const beliefs = create();
  const records = new Map<string, HistoryRecord>();
  const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, count);
  for (const id of ids) beliefs.addVoter({ id, slot: id });
  return {
    beliefs,
    ids,
    /** `id` signs that it saw `entries` (the whole map) at `at`. */
    says(id: string, at: number, entries: Readonly<Record<string, Pair>>, says: Says = {}): void {
      const record: HistoryRecord = {
        at,
        map: new Map(Object.entries(entries)),
        stale: new Set(says.stale),
        complete: says.complete ?? true,
      };
      beliefs.accept(id, viewOf(record, says.scope), touchedBetween(records.get(id), record));
      records.set(id, record);
    },
    /** What is believed of `foo`, short: `[choice, T]`. */
    foo(): [Candidate, number] | undefined {
      const belief: Belief | undefined = beliefs.believed('foo');
      return belief && [belief.choice, belief.at];
    },
  };
}
