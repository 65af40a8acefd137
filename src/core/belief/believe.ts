/**
 * The rule by which a node believes (design/index, "What a node believes"), for one name. Must always hold: what is
 * chosen has the votes of k slots, or was kept; neither its time nor its serial is below what was kept.
 */
import { type Candidate, candidateKey, type Pair, sameCandidate, type Vote } from './candidate.ts';

/** One list of votes a slot. A slot counts once for a candidate, with its newest vote, however many keys sign for it. */
export type Ballot = readonly (readonly Vote[])[];

/** What is believed of a name, and kept. */
export interface Belief {
  readonly choice: Candidate;
  /** T: k slots held the choice then or later. The age is now - T. */
  readonly at: number;
  /** No page with a lower serial is believed: the choice's serial, or under an absence the last one before it. */
  readonly floor: number;
}

/** A candidate with the votes of k slots, and the k-th newest of them. */
interface Agreed {
  readonly candidate: Candidate;
  readonly at: number;
}

interface Standing {
  readonly candidate: Pair;
  readonly at: number;
}

/** Every candidate that k slots vote for. Two or more: which one is believed depends on the order of events. */
export function agreed(ballot: Ballot, k: number): Agreed[] {
  const only = ballot[0]?.[0]?.candidate;
  if (only === undefined || ballot.length < k) return [];
  if (ballot.every((votes) => votes.length === 1 && sameCandidate(votes[0]!.candidate, only))) {
    const at = ballot.map((votes) => votes[0]!.at).sort((a, b) => b - a)[k - 1];
    return at === undefined ? [] : [{ candidate: only, at }];
  }
  const times = new Map<string, { candidate: Candidate; at: number[] }>();
  for (const votes of ballot) {
    const newest = new Map<string, Vote>();
    for (const vote of votes) {
      const key = candidateKey(vote.candidate);
      if (vote.at > (newest.get(key)?.at ?? -Infinity)) newest.set(key, vote);
    }
    for (const [key, { candidate, at }] of newest) {
      const known = times.get(key);
      if (known === undefined) times.set(key, { candidate, at: [at] });
      else known.at.push(at);
    }
  }
  const found: Agreed[] = [];
  for (const { candidate, at } of times.values()) {
    const kth = at.sort((a, b) => b - a)[k - 1];
    if (kth !== undefined) found.push({ candidate, at: kth });
  }
  return found;
}

/**
 * The next belief. Only what is not below `kept` takes part, and what is kept takes part as well: a higher serial whose
 * T is older than the kept one's waits until its own T is as new. So a vote older than the kept T can never matter
 * again, which is what makes it safe to forget it.
 *
 * @returns undefined for "unknown": 503, never 404.
 */
export function believe(ballot: Ballot, kept: Belief | undefined, k: number): Belief | undefined {
  let page: Standing | undefined;
  let absentAt = kept?.choice === 'absent' ? kept.at : undefined;
  if (kept !== undefined && kept.choice !== 'absent') page = { candidate: kept.choice, at: kept.at };
  for (const { candidate, at } of agreed(ballot, k)) {
    if (candidate === 'absent') absentAt = Math.max(absentAt ?? at, at);
    else if (
      mayFollow(candidate, at, kept) &&
      (page === undefined || isBefore(page, { candidate, at }, kept))
    )
      page = { candidate, at };
  }
  if (absentAt !== undefined && (page === undefined || absentAt > page.at))
    return {
      choice: 'absent',
      at: absentAt,
      floor: Math.max(kept?.floor ?? 0, page?.candidate.serial ?? 0),
    };
  return page && { choice: page.candidate, at: page.at, floor: page.candidate.serial };
}

export function sameBelief(a: Belief | undefined, b: Belief | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.at === b.at && a.floor === b.floor && sameCandidate(a.choice, b.choice);
}

function mayFollow(page: Pair, at: number, kept: Belief | undefined): boolean {
  if (kept === undefined) return true;
  return page.serial > kept.floor ? at >= kept.at : page.serial === kept.floor && at > kept.at;
}

/** By (serial, T). Between equals what is kept stays; where nothing is, every node takes the same. */
function isBefore(a: Standing, b: Standing, kept: Belief | undefined): boolean {
  if (a.candidate.serial !== b.candidate.serial) return a.candidate.serial < b.candidate.serial;
  if (a.at !== b.at) return a.at < b.at;
  if (kept !== undefined && sameCandidate(kept.choice, a.candidate)) return false;
  if (kept !== undefined && sameCandidate(kept.choice, b.candidate)) return true;
  return candidateKey(b.candidate) < candidateKey(a.candidate);
}
