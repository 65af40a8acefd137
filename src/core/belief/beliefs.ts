/**
 * What a node believes of every name under one policy and upstream, without keeping anything for the names about which
 * the voters' newest maps say all there is to say.
 *
 * For such an *implicit* name belief is worked out from the views when somebody asks. It may be implicit only if that
 * gives exactly what the whole history gives, now and after any number of heartbeats: no vote of the past as new as its
 * T, no entry that went back in serial, at most one candidate with k votes, no floor but the choice's own. All others
 * are *kept*: active ones are judged at every event, resting ones (a removed project's floor) change only with
 * their votes. What would touch every name at once (a voter's first map, its end, a new scope) keeps a *basis* instead:
 * who voted, and until when. A name that changes after that is kept, so a basis may read the present maps.
 */
import { limits } from '../limits.ts';
import { Acceptance } from './acceptance.ts';
import { BasesEnd } from './bases-end.ts';
import { BeliefLedger, inPieces, JUDGED_AT_ONCE, type Steps } from './belief-ledger.ts';
import type { Belief } from './believe.ts';
import { type Backer, backerOf, bySlot, liveVote, type Voter, type VoterSpec } from './backers.ts';
import { isHigher, type Vote } from './candidate.ts';
import type { KeptBasis, KeptBeliefs, KeptName } from './kept-beliefs.ts';
import type { VoteLimits } from './vote-memory.ts';
import type { Scope, VoterView } from './voter-view.ts';

export class Beliefs {
  readonly #ledger: BeliefLedger;
  /** A record that is being accepted. */
  #acceptance: Acceptance | undefined;

  /** @param k how many slots must hold a candidate. */
  constructor(k: number, voteLimits: VoteLimits = limits.belief.votes) {
    this.#ledger = new BeliefLedger(k, voteLimits);
  }

  /** Of the policy, or a successor that was named. Adding one twice changes nothing. */
  addVoter(spec: VoterSpec): void {
    const ledger = this.#ledger;
    if (ledger.voters.has(spec.id)) return;
    ledger.voters.set(spec.id, { ...spec, view: undefined, excluded: false });
    ledger.present = ledger.backers();
  }

  /** What is believed of the name; undefined is "unknown". */
  believed(name: string): Belief | undefined {
    return (this.#acceptance ?? this.#ledger).believed(name);
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
    const acceptance = this.begin(id, view);
    if (acceptance === undefined) return;
    toItsEnd(acceptance.prepare());
    // Once each: the second time the old view would be read with what the first has unmuted.
    acceptance.touch(new Set(touched));
    toItsEnd(acceptance.finish());
    acceptance.done();
  }

  /** As {@link accept}, in pieces; until it is done nothing else may change. Undefined: the voter does not count. */
  begin(id: string, view: VoterView): Acceptance | undefined {
    const voter = this.#voter(id);
    if (voter.excluded) return undefined;
    this.#acceptance = new Acceptance(this.#ledger, voter, view, () => (this.#acceptance = undefined));
    return this.#acceptance;
  }

  /**
   * One vote without a map: a node's own reading of a page, or a bundle's proof. The same page as before makes the vote
   * as new as `at`; a lower serial after a higher one is no vote.
   */
  vote(id: string, name: string, vote: Vote): void {
    const ledger = this.#ledger;
    const voter = this.#voter(id);
    if (voter.excluded || this.#wentBack(voter, name, vote)) return;
    ledger.open(name);
    for (const forgotten of ledger.remember(id, name, vote))
      if (forgotten !== name && ledger.active.has(forgotten)) ledger.judge(forgotten);
    ledger.mark(name);
    ledger.judge(name);
  }

  /** Proven misconduct: no key of the slot counts any more; what was decided stays. A person's pardon is a new policy. */
  exclude(slot: string): void {
    toItsEnd(this.excluding(slot));
  }

  /** As {@link exclude}, in pieces; until its end nothing else may change. */
  *excluding(slot: string): Steps {
    const ledger = this.#ledger;
    yield* ledger.keepBasis();
    for (const voter of ledger.voters.values()) {
      if (voter.slot !== slot) continue;
      voter.excluded = true;
      ledger.memory.forgetVoter(voter.id);
    }
    ledger.present = ledger.backers();
    yield* ledger.judgeActive();
  }

  /**
   * Lets go of the bases once every voter's newest record is newer than they are.
   *
   * @param differing at least every name for which the covering voters, those excluded too, do not all vote for one
   * candidate, and every name covered by fewer than k of those left. Comparing leaf hashes finds them.
   */
  letBasesGo(differing: Iterable<string>): boolean {
    const end = this.endBases();
    end?.touch(differing);
    toItsEnd(end?.finish() ?? []);
    return end !== undefined;
  }

  /** As {@link letBasesGo}, in pieces; until it is finished nothing else may change. Undefined: not yet. */
  endBases(): BasesEnd | undefined {
    const { bases, voters } = this.#ledger;
    const newest = bases.flat(2).reduce((most, { at }) => Math.max(most, at), -Infinity);
    for (const { view, excluded } of voters.values())
      if (view !== undefined && !excluded && view.observedAt < newest) return undefined;
    return new BasesEnd(this.#ledger);
  }

  /** What a node writes down of one name; undefined when there is nothing to write (any more). */
  keptName(name: string): KeptName | undefined {
    const { memory, voters } = this.#ledger;
    if (!this.#ledger.isKept(name)) return undefined;
    const holding = [...voters.keys()].filter((id) => memory.holdsAny(id, name));
    return {
      belief: this.#ledger.kept(name) ?? null,
      votes: holding.map((id) => ({
        voter: id,
        votes: memory.of(id, name),
        muted: memory.isMuted(id, name),
      })),
    };
  }

  /** While a record is being accepted, those that were kept before. */
  *keptNames(): Generator<string> {
    if (this.#acceptance !== undefined) return yield* this.#acceptance.keptNames();
    yield* this.#ledger.active.keys();
    yield* this.#ledger.resting.names();
  }

  /** Those that every event judges, as it is now. */
  activeNames(): Iterable<string> {
    return this.#ledger.active.keys();
  }

  isActive(name: string): boolean {
    return this.#ledger.active.has(name);
  }

  /** As it is now. */
  isKept(name: string): boolean {
    return this.#ledger.isKept(name);
  }

  /**
   * So many that rest, the longest first, are looked at again: where the voters' newest maps say by now what is believed they need
   * not be kept. A voter that changes everything all the time would leave every name at rest.
   */
  *letGo(most: number): Steps {
    const ledger = this.#ledger;
    if (ledger.bases.length > 0) return;
    for (const some of inPieces(ledger.resting.names().take(most), JUDGED_AT_ONCE)) {
      yield some;
      for (const name of some) ledger.lookAgain(name);
    }
  }

  /** How many {@link takeChanged} has. */
  get changed(): number {
    return this.#ledger.changed;
  }

  /** Names whose `keptName` may have changed since the last call. */
  takeChanged(): string[] {
    return this.#ledger.takeChanged();
  }

  /** Written down together with what `takeChanged` says, in one batch. */
  keptBases(): KeptBasis[] {
    return this.#ledger.bases.map((basis) =>
      basis
        .flat()
        .map(({ voter, at, complete, scope }) => ({ voter: voter.id, at, complete, scope: scope.id })),
    );
  }

  /** What they were of which the bases tell, each once. */
  basisScopes(): Scope[] {
    const scopes = this.#ledger.bases.flat(2).map(({ scope }) => [scope.id, scope] as const);
    return [...new Map(scopes).values()];
  }

  /**
   * How often the voter's `complete` or `scope` became another one since the oldest basis. Each time kept a basis, with the scope that
   * it left; a large one counts for several.
   */
  groundChanges(id: string): number {
    const { bases, present } = this.#ledger;
    let changes = 0;
    let before: Backer | undefined;
    for (const backers of [...bases, present]) {
      const now = backers.flat().find(({ voter }) => voter.id === id);
      if (before !== undefined && now !== undefined)
        if (before.complete !== now.complete || before.scope.id !== now.scope.id)
          changes += 1 + Math.floor((before.scope.names?.size ?? 0) / limits.belief.scopeNames);
      before = now ?? before;
    }
    return changes;
  }

  excludedSlots(): string[] {
    const excluded = [...this.#ledger.voters.values()].filter((voter) => voter.excluded);
    return [...new Set(excluded.map((voter) => voter.slot))];
  }

  /** Before anything else, with every voter added: goes on from what was written down. */
  restore({ names, ...ground }: KeptBeliefs, scopeOf: (id: string) => Scope): void {
    this.restoreGround(ground, scopeOf);
    for (const some of inPieces(names, JUDGED_AT_ONCE)) this.restoreNames(some);
  }

  /** The first step of {@link restore}; then the names, some at a time. */
  restoreGround(kept: Omit<KeptBeliefs, 'names'>, scopeOf: (id: string) => Scope): void {
    const ledger = this.#ledger;
    for (const { voter, view } of kept.views) this.#voter(voter).view = view;
    for (const voter of ledger.voters.values()) voter.excluded = kept.excluded.includes(voter.slot);
    ledger.bases = kept.bases.map((basis) =>
      bySlot(
        basis.map(({ voter, at, complete, scope }) => {
          return { voter: this.#voter(voter), at, complete, scope: scopeOf(scope) };
        }),
      ),
    );
    ledger.present = ledger.backers();
  }

  restoreNames(names: Iterable<readonly [name: string, kept: KeptName]>): void {
    const ledger = this.#ledger;
    for (const [name, { belief, votes }] of names) {
      ledger.active.set(name, belief ?? undefined);
      for (const { voter, votes: past, muted } of votes) {
        for (const vote of past) ledger.memory.remember(voter, name, vote);
        if (muted) ledger.memory.setMuted(voter, name, true);
      }
      ledger.judgeAgain(name);
      if (ledger.isKept(name)) ledger.unmark(name);
    }
  }

  /** How many names, votes and bases are kept, for the status. */
  get size(): { active: number; resting: number; votes: number; bases: number } {
    const { active, resting, bases, memory, voters } = this.#ledger;
    let votes = 0;
    for (const id of voters.keys()) votes += memory.count(id);
    return { active: active.size, resting: resting.size, votes, bases: bases.length };
  }

  #voter(id: string): Voter {
    const voter = this.#ledger.voters.get(id);
    if (voter === undefined) throw new RangeError(`no voter "${id}" in this policy`);
    return voter;
  }

  #wentBack(voter: Voter, name: string, vote: Vote): boolean {
    if (this.#ledger.higherBefore(voter.id, name, vote)) return true;
    if (voter.view === undefined || voter.view.observedAt > vote.at) return false;
    const live = liveVote(this.#ledger.memory, backerOf(voter, voter.view), name);
    return live !== undefined && isHigher(live.candidate, vote.candidate);
  }
}

function toItsEnd(steps: Iterable<readonly string[]>): void {
  for (const _ of steps);
}
