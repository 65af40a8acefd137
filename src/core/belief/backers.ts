/** Who stands behind what: the voters of a policy by slot, and what the maps in their views say of a name. */
import type { Ballot } from './believe.ts';
import type { Vote } from './candidate.ts';
import type { VoteMemory } from './vote-memory.ts';
import type { Scope, VoterView } from './voter-view.ts';

export interface VoterSpec {
  /** The key's name in the policy; any name for a node's own reading. */
  readonly id: string;
  /** Keys of one slot count once: a publisher's successor, its own node's reading. */
  readonly slot: string;
}

export interface Voter extends VoterSpec {
  view: VoterView | undefined;
  excluded: boolean;
}

/** A voter as it is, or was at a moment when something touched every name. Entries are read from its present view. */
export interface Backer {
  readonly voter: Voter;
  readonly at: number;
  readonly complete: boolean;
  readonly scope: Scope;
}

/** One list a slot. */
export type Backers = readonly (readonly Backer[])[];

const everything: Scope = { id: 'all', covers: () => true };

/** Without a view: a node's own reading, or a voter of which bundles are all that came yet. */
export function backerOf(voter: Voter, view: VoterView | undefined): Backer {
  if (view === undefined) return { voter, at: 0, complete: false, scope: everything };
  return { voter, at: view.observedAt, complete: view.complete, scope: view.scope };
}

export function bySlot(backers: readonly Backer[]): Backers {
  return [...Map.groupBy(backers, (backer) => backer.voter.slot).values()];
}

/** What the voter's map says of the name; undefined where that is no vote. */
export function liveVote(memory: VoteMemory, backer: Backer, name: string): Vote | undefined {
  const { voter, at, complete, scope } = backer;
  if (voter.view === undefined || !scope.covers(name)) return undefined;
  if (voter.view.isStale(name) || memory.isMuted(voter.id, name)) return undefined;
  const candidate = voter.view.holds(name);
  if (candidate === 'unknown' || (candidate === 'absent' && !complete)) return undefined;
  return { candidate, at };
}

/** The maps' votes alone, without those of the past. */
export function liveBallot(memory: VoteMemory, backers: Backers, name: string): Ballot {
  const ballot: Vote[][] = [];
  for (const slot of backers) {
    const votes: Vote[] = [];
    for (const backer of slot) {
      const live = liveVote(memory, backer, name);
      if (live !== undefined) votes.push(live);
    }
    if (votes.length > 0) ballot.push(votes);
  }
  return ballot;
}
