/**
 * What a node believes of every name under one policy and upstream, without keeping anything for the names about which
 * the voters' newest maps say all there is to say.
 *
 * For such an *implicit* name belief is worked out from the views when somebody asks. It may be implicit only if that
 * gives exactly what the whole history gives, now and after any number of heartbeats: no vote of the past as new as its
 * T, no entry that went back in serial, at most one candidate with k votes, no floor but the choice's own. All others
 * are *kept*: `#active` ones are judged at every event, `#resting` ones (a removed project's floor) change only with
 * their votes. What would touch every name at once (a voter's first map, its end, a new scope) keeps a *basis* instead:
 * who voted, and until when. A name that changes after that is kept, so a basis may read the present maps.
 */
import { limits } from '../limits.ts';
import { agreed, type Ballot, believe, type Belief, sameBelief } from './believe.ts';
import {
  type Backers,
  backerOf,
  bySlot,
  liveBallot,
  liveVote,
  type Voter,
  type VoterSpec,
} from './backers.ts';
import { isHigher, type Vote } from './candidate.ts';
import type { KeptBasis, KeptBeliefs, KeptName } from './kept-beliefs.ts';
import { VoteMemory, type VoteLimits } from './vote-memory.ts';
import type { Scope, VoterView } from './voter-view.ts';

export class Beliefs {
  readonly #k: number;
  readonly #voters = new Map<string, Voter>();
  readonly #memory: VoteMemory;
  readonly #active = new Map<string, Belief | undefined>();
  readonly #resting = new Map<string, Belief | undefined>();
  #bases: Backers[] = [];
  /** Who votes now. */
  #present: Backers = [];
  readonly #dirty = new Set<string>();

  /** @param k how many slots must hold a candidate. */
  constructor(k: number, voteLimits: VoteLimits = limits.belief.votes) {
    this.#k = k;
    this.#memory = new VoteMemory(voteLimits);
  }

  /** Of the policy, or a successor that was named. Adding one twice changes nothing. */
  addVoter(spec: VoterSpec): void {
    if (this.#voters.has(spec.id)) return;
    this.#voters.set(spec.id, { ...spec, view: undefined, excluded: false });
    this.#present = this.#backers();
  }

  /** What is believed of the name; undefined is "unknown". */
  believed(name: string): Belief | undefined {
    return believe(this.#ballot(name), this.#kept(name), this.#k);
  }

  /**
   * A voter's next accepted record (`judgeRecord`).
   *
   * @param touched every name whose entry or staleness is not the same in `view` and in the view before. With a voter's
   * first view, or a new `complete` or `scope`, none are needed for that, but where 2k slots or more vote (the policy
   * warns of it) those names for which voters differ: two answers could have k votes, and which one came first matters.
   * Read once, while both views are looked at; it must not throw.
   */
  accept(id: string, view: VoterView, touched: Iterable<string>): void {
    const voter = this.#voter(id);
    if (voter.excluded) return;
    const old = voter.view;
    if (old === undefined || old.complete !== view.complete || old.scope.id !== view.scope.id)
      this.#keepBasis();
    const stillMuted = new Set(this.#memory.muted(id));
    const before = this.#present;
    voter.view = view;
    const after = this.#backers();
    for (const name of touched) {
      voter.view = old;
      this.#present = before;
      const wasKept = this.#isKept(name);
      this.#open(name);
      const past = old && liveVote(this.#memory, backerOf(voter, old), name);
      voter.view = view;
      this.#present = after;
      if (past !== undefined) this.#remember(id, name, past);
      this.#mute(voter, view, name);
      stillMuted.delete(name);
      this.#judge(name);
      if (wasKept) this.#dirty.add(name);
    }
    voter.view = view;
    this.#present = after;
    for (const name of stillMuted) this.#mute(voter, view, name);
    this.#judgeActive();
  }

  /**
   * One vote without a map: a node's own reading of a page, or a bundle's proof. The same page as before makes the vote
   * as new as `at`; a lower serial after a higher one is no vote.
   */
  vote(id: string, name: string, vote: Vote): void {
    const voter = this.#voter(id);
    if (voter.excluded || this.#wentBack(voter, name, vote)) return;
    this.#open(name);
    this.#remember(id, name, vote);
    this.#dirty.add(name);
    this.#judge(name);
  }

  /** Proven misconduct: no key of the slot counts any more; what was decided stays. A person's pardon is a new policy. */
  exclude(slot: string): void {
    this.#keepBasis();
    for (const voter of this.#voters.values()) {
      if (voter.slot !== slot) continue;
      voter.excluded = true;
      this.#memory.forgetVoter(voter.id);
    }
    this.#present = this.#backers();
    this.#judgeActive();
  }

  /**
   * Lets go of the bases once every voter's newest record is newer than they are.
   *
   * @param differing at least every name for which the covering voters, those excluded too, do not all vote for one
   * candidate, and every name covered by fewer than k of those left. Comparing leaf hashes finds them.
   */
  letBasesGo(differing: Iterable<string>): boolean {
    const newest = Math.max(...this.#bases.flat(2).map((backer) => backer.at));
    for (const { view, excluded } of this.#voters.values())
      if (view !== undefined && !excluded && view.observedAt < newest) return false;
    for (const name of differing) this.#open(name);
    this.#bases = [];
    for (const name of this.#resting.keys()) this.#open(name);
    this.#judgeActive();
    return true;
  }

  /** What a node writes down of one name; undefined when there is nothing to write (any more). */
  keptName(name: string): KeptName | undefined {
    if (!this.#isKept(name)) return undefined;
    const voters = [...this.#voters.keys()].filter((id) => this.#memory.holdsAny(id, name));
    return {
      belief: this.#kept(name) ?? null,
      votes: voters.map((id) => ({
        voter: id,
        votes: this.#memory.of(id, name),
        muted: this.#memory.isMuted(id, name),
      })),
    };
  }

  keptNames(): Iterable<string> {
    return [...this.#active.keys(), ...this.#resting.keys()];
  }

  /** Names whose `keptName` may have changed since the last call. */
  takeChanged(): string[] {
    const names = [...this.#dirty];
    this.#dirty.clear();
    return names;
  }

  /** Written down together with what `takeChanged` says, in one batch. */
  keptBases(): KeptBasis[] {
    return this.#bases.map((basis) =>
      basis
        .flat()
        .map(({ voter, at, complete, scope }) => ({ voter: voter.id, at, complete, scope: scope.id })),
    );
  }

  excludedSlots(): string[] {
    return [
      ...new Set([...this.#voters.values()].filter((voter) => voter.excluded).map((voter) => voter.slot)),
    ];
  }

  /** Before anything else, with every voter added: goes on from what was written down. */
  restore(kept: KeptBeliefs, scopeOf: (id: string) => Scope): void {
    for (const { voter, view } of kept.views) this.#voter(voter).view = view;
    for (const voter of this.#voters.values()) voter.excluded = kept.excluded.includes(voter.slot);
    this.#bases = kept.bases.map((basis) =>
      bySlot(
        basis.map(({ voter, at, complete, scope }) => {
          return { voter: this.#voter(voter), at, complete, scope: scopeOf(scope) };
        }),
      ),
    );
    this.#present = this.#backers();
    for (const [name, { belief, votes }] of kept.names) {
      this.#active.set(name, belief ?? undefined);
      for (const { voter, votes: past, muted } of votes) {
        for (const vote of past) this.#memory.remember(voter, name, vote);
        if (muted) this.#memory.setMuted(voter, name, true);
      }
    }
    this.#judgeActive();
    this.#dirty.clear();
  }

  /** How many names, votes and bases are kept, for the status. */
  get size(): { active: number; resting: number; votes: number; bases: number } {
    let votes = 0;
    for (const id of this.#voters.keys()) votes += this.#memory.count(id);
    return { active: this.#active.size, resting: this.#resting.size, votes, bases: this.#bases.length };
  }

  #voter(id: string): Voter {
    const voter = this.#voters.get(id);
    if (voter === undefined) throw new RangeError(`no voter "${id}" in this policy`);
    return voter;
  }

  #kept(name: string): Belief | undefined {
    if (this.#active.has(name)) return this.#active.get(name);
    if (this.#resting.has(name)) return this.#resting.get(name);
    let belief: Belief | undefined;
    for (const basis of this.#bases) belief = believe(liveBallot(this.#memory, basis, name), belief, this.#k);
    return belief;
  }

  #isKept(name: string): boolean {
    return this.#active.has(name) || this.#resting.has(name);
  }

  #backers(): Backers {
    const counting = [...this.#voters.values()].filter((voter) => !voter.excluded);
    return bySlot(counting.map((voter) => backerOf(voter, voter.view)));
  }

  #ballot(name: string): Ballot {
    if (!this.#active.has(name)) return liveBallot(this.#memory, this.#present, name);
    const ballot: Vote[][] = [];
    for (const slot of this.#present) {
      const votes: Vote[] = [];
      for (const backer of slot) {
        if (!backer.scope.covers(name)) continue;
        const live = liveVote(this.#memory, backer, name);
        if (live !== undefined) votes.push(live);
        votes.push(...this.#memory.of(backer.voter.id, name));
      }
      if (votes.length > 0) ballot.push(votes);
    }
    return ballot;
  }

  /** Takes the name's belief as it is now into what is kept. */
  #open(name: string): void {
    const belief = this.believed(name);
    this.#resting.delete(name);
    this.#active.set(name, belief);
  }

  #remember(id: string, name: string, vote: Vote): void {
    for (const forgotten of this.#memory.remember(id, name, vote)) {
      this.#dirty.add(forgotten);
      if (forgotten !== name && this.#active.has(forgotten)) this.#judge(forgotten);
    }
  }

  /** No vote while the voter's own votes since T have a page with a higher serial. */
  #mute(voter: Voter, view: VoterView, name: string): void {
    const candidate = view.holds(name);
    const muted =
      candidate !== 'unknown' && this.#higherBefore(voter.id, name, { candidate, at: view.observedAt });
    if (muted !== this.#memory.isMuted(voter.id, name)) this.#dirty.add(name);
    this.#memory.setMuted(voter.id, name, muted);
  }

  #higherBefore(id: string, name: string, { candidate, at }: Vote): boolean {
    if (candidate === 'absent') return false;
    const since = this.#kept(name)?.at ?? -Infinity;
    return this.#memory
      .of(id, name)
      .some((past) => isHigher(past.candidate, candidate) && past.at >= since && past.at <= at);
  }

  #wentBack(voter: Voter, name: string, vote: Vote): boolean {
    if (this.#higherBefore(voter.id, name, vote)) return true;
    if (voter.view === undefined || voter.view.observedAt > vote.at) return false;
    const live = liveVote(this.#memory, backerOf(voter, voter.view), name);
    return live !== undefined && isHigher(live.candidate, vote.candidate);
  }

  /** Fewer than k slots make nothing that would have to be kept. */
  #keepBasis(): void {
    for (const name of this.#resting.keys()) this.#open(name);
    this.#judgeActive();
    const basis = this.#present.map((slot) => slot.filter((backer) => backer.voter.view !== undefined));
    if (basis.filter((slot) => slot.length > 0).length >= this.#k) this.#bases.push(basis);
  }

  #judgeActive(): void {
    for (const name of this.#active.keys()) {
      const before = this.#active.get(name);
      this.#judge(name);
      if (!this.#active.has(name) || !sameBelief(before, this.#active.get(name))) this.#dirty.add(name);
    }
  }

  /** One event for one active name; from then on it is kept only if it has to be. */
  #judge(name: string): void {
    const ballot = this.#ballot(name);
    const belief = believe(ballot, this.#active.get(name), this.#k);
    this.#active.set(name, belief);
    if (belief !== undefined) for (const id of this.#voters.keys()) this.#memory.prune(id, name, belief.at);
    if (this.#isUnsettled(name)) {
      this.#dirty.add(name);
      return;
    }
    this.#active.delete(name);
    const implied = believe(liveBallot(this.#memory, this.#present, name), undefined, this.#k);
    if (this.#bases.length === 0 && sameBelief(implied, belief)) return;
    this.#resting.set(name, belief);
    this.#dirty.add(name);
  }

  #isUnsettled(name: string): boolean {
    for (const id of this.#voters.keys()) if (this.#memory.holdsAny(id, name)) return true;
    return agreed(this.#ballot(name), this.#k).length > 1;
  }
}
