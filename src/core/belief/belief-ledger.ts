/**
 * The names that are kept, and how one of them is judged. Who changes it is an event: `beliefs.ts`, `acceptance.ts`,
 * `bases-end.ts`. Must always hold: a name that is not kept has no votes of the past and no mute; what is written down
 * beside the last {@link takeChanged} is what was kept then.
 */
import { agreed, type Ballot, believe, type Belief, sameBelief } from './believe.ts';
import { type Backers, backerOf, bySlot, liveBallot, liveVote, type Voter } from './backers.ts';
import { isHigher, type Vote } from './candidate.ts';
import { RestingBeliefs } from './resting-beliefs.ts';
import { VoteMemory, type VoteLimits } from './vote-memory.ts';
import type { VoterView } from './voter-view.ts';

/** Judged before others may have their turn: some milliseconds. */
export const JUDGED_AT_ONCE = 512;

/** Where it yields others may have their turn; then it goes on with these names, about which the views will be asked. */
export type Steps = Generator<readonly string[], void>;

export class BeliefLedger {
  readonly k: number;
  readonly voters = new Map<string, Voter>();
  readonly memory: VoteMemory;
  /** Judged at every event. */
  readonly active = new Map<string, Belief | undefined>();
  /** Changed by their votes only: a removed project's floor. */
  readonly resting = new RestingBeliefs();
  bases: readonly Backers[] = [];
  /** Who votes now. */
  present: Backers = [];
  readonly #dirty = new Set<string>();
  /** Of the dirty ones those that are not written down: nothing is to be said of them if they end as they began. */
  readonly #fresh = new Set<string>();

  constructor(k: number, voteLimits: VoteLimits) {
    this.k = k;
    this.memory = new VoteMemory(voteLimits);
  }

  backers(): Backers {
    const counting = [...this.voters.values()].filter((voter) => !voter.excluded);
    return bySlot(counting.map((voter) => backerOf(voter, voter.view)));
  }

  believed(name: string): Belief | undefined {
    return believe(this.#ballot(name), this.kept(name), this.k);
  }

  kept(name: string): Belief | undefined {
    if (this.active.has(name)) return this.active.get(name);
    const rested = this.resting.get(name);
    return rested === undefined ? believedByBases(this.bases, this.memory, name, this.k) : rested.belief;
  }

  isKept(name: string): boolean {
    return this.active.has(name) || this.resting.has(name);
  }

  /** Takes the name's belief as it is now into what is kept. */
  open(name: string): void {
    const belief = this.believed(name);
    if (!this.isKept(name) && !this.#dirty.has(name)) this.#fresh.add(name);
    this.resting.delete(name);
    this.active.set(name, belief);
  }

  /** Names for which votes had to be forgotten; they are to be judged. */
  remember(id: string, name: string, vote: Vote): string[] {
    const forgotten = this.memory.remember(id, name, vote);
    for (const one of forgotten) this.#dirty.add(one);
    return forgotten;
  }

  /** No vote while the voter's own votes since T have a page with a higher serial. */
  mute(voter: Voter, view: VoterView, name: string): void {
    const candidate = view.holds(name);
    const muted =
      candidate !== 'unknown' && this.higherBefore(voter.id, name, { candidate, at: view.observedAt });
    if (muted !== this.memory.isMuted(voter.id, name)) this.#dirty.add(name);
    this.memory.setMuted(voter.id, name, muted);
  }

  higherBefore(id: string, name: string, { candidate, at }: Vote): boolean {
    if (candidate === 'absent') return false;
    const since = this.kept(name)?.at ?? -Infinity;
    return this.memory
      .of(id, name)
      .some((past) => isHigher(past.candidate, candidate) && past.at >= since && past.at <= at);
  }

  /** One event for one active name; from then on it is kept only if it has to be. */
  judge(name: string): void {
    const ballot = this.#ballot(name);
    const belief = believe(ballot, this.active.get(name), this.k);
    this.active.set(name, belief);
    if (belief !== undefined) for (const id of this.voters.keys()) this.memory.prune(id, name, belief.at);
    if (this.#isUnsettled(name)) {
      this.#dirty.add(name);
      return;
    }
    this.active.delete(name);
    const implied = believe(liveBallot(this.memory, this.present, name), undefined, this.k);
    if (this.bases.length === 0 && sameBelief(implied, belief)) {
      // What is written down of it must go: it would be believed again once a voter is excluded.
      if (this.#fresh.delete(name)) this.#dirty.delete(name);
      else this.#dirty.add(name);
      return;
    }
    this.resting.add(name, belief);
    this.#dirty.add(name);
  }

  /** As {@link judge}; the name is written down again only if that changed something. */
  judgeAgain(name: string): void {
    const before = this.active.get(name);
    const wasFresh = this.#fresh.has(name);
    this.judge(name);
    if (wasFresh && !this.isKept(name)) return;
    if (!this.active.has(name) || !sameBelief(before, this.active.get(name))) this.#dirty.add(name);
  }

  /** One that rests, opened and judged; it is written down again only if that changed something. */
  lookAgain(name: string): void {
    const before = this.resting.get(name)?.belief;
    const wasDirty = this.#dirty.has(name);
    this.open(name);
    this.judge(name);
    const after = this.resting.get(name);
    if (after === undefined || !sameBelief(before, after.belief)) this.mark(name);
    else if (!wasDirty) this.unmark(name);
  }

  /** All that are active. */
  *judgeActive(): Steps {
    let judged = 0;
    for (const name of this.active.keys()) {
      this.judgeAgain(name);
      if (++judged % JUDGED_AT_ONCE === 0) yield [];
    }
  }

  /** Each name that rests. */
  *wake(open: (name: string) => void): Steps {
    for (const names of inPieces(this.resting.names(), JUDGED_AT_ONCE)) {
      yield names;
      for (const name of names) open(name);
    }
  }

  /** Something is about to touch every name. Fewer than k slots make nothing that would have to be kept. */
  *keepBasis(): Steps {
    yield* this.wake((name) => {
      this.open(name);
      this.judgeAgain(name);
    });
    yield* this.judgeActive();
    const basis = this.present.map((slot) => slot.filter((backer) => backer.voter.view !== undefined));
    if (basis.filter((slot) => slot.length > 0).length >= this.k) this.bases = [...this.bases, basis];
  }

  /** It is to be written down again. */
  mark(name: string): void {
    this.#dirty.add(name);
  }

  /** It is written down as it is. */
  unmark(name: string): void {
    this.#dirty.delete(name);
  }

  get changed(): number {
    return this.#dirty.size;
  }

  /** Names whose kept form may have changed since the last call. */
  takeChanged(): string[] {
    const names = [...this.#dirty];
    this.#dirty.clear();
    this.#fresh.clear();
    return names;
  }

  #ballot(name: string): Ballot {
    if (!this.active.has(name)) return liveBallot(this.memory, this.present, name);
    const ballot: Vote[][] = [];
    for (const slot of this.present) {
      const votes: Vote[] = [];
      for (const backer of slot) {
        if (!backer.scope.covers(name)) continue;
        const live = liveVote(this.memory, backer, name);
        if (live !== undefined) votes.push(live);
        votes.push(...this.memory.of(backer.voter.id, name));
      }
      if (votes.length > 0) ballot.push(votes);
    }
    return ballot;
  }

  #isUnsettled(name: string): boolean {
    for (const id of this.voters.keys()) if (this.memory.holdsAny(id, name)) return true;
    return agreed(this.#ballot(name), this.k).length > 1;
  }
}

/** Not gathered before: what rests may be every name. */
export function* inPieces<T>(items: Iterable<T>, most: number): Generator<readonly T[]> {
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length < most) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}

export function believedByBases(
  bases: readonly Backers[],
  memory: VoteMemory,
  name: string,
  k: number,
): Belief | undefined {
  let belief: Belief | undefined;
  for (const basis of bases) belief = believe(liveBallot(memory, basis, name), belief, k);
  return belief;
}
