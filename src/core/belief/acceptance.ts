/**
 * A voter's next record, accepted a piece at a time: one may touch all of 886,324 names, and a node has other things to do
 * meanwhile. Must always hold: until {@link Acceptance.done} whoever asks is told what was believed before; how the
 * names are cut into pieces changes nothing.
 */
import { type Backers, backerOf, liveBallot, liveVote, type Voter } from './backers.ts';
import { type BeliefLedger, believedByBases, JUDGED_AT_ONCE, type Steps } from './belief-ledger.ts';
import { believe, type Belief } from './believe.ts';
import { VoteMemory } from './vote-memory.ts';
import type { VoterView } from './voter-view.ts';

/** A name that is not kept has none. */
const NO_VOTES = new VoteMemory({ perName: 0, perVoter: 0 });

export class Acceptance {
  readonly #ledger: BeliefLedger;
  readonly #voter: Voter;
  readonly #view: VoterView;
  readonly #old: VoterView | undefined;
  readonly #before: Backers;
  readonly #after: Backers;
  readonly #stillMuted: Set<string>;
  /** As they were: what is told meanwhile. */
  readonly #active: ReadonlyMap<string, Belief | undefined>;
  readonly #bases: readonly Backers[];
  readonly #onDone: () => void;

  constructor(ledger: BeliefLedger, voter: Voter, view: VoterView, onDone: () => void) {
    this.#ledger = ledger;
    this.#voter = voter;
    this.#view = view;
    this.#onDone = onDone;
    this.#old = voter.view;
    this.#stillMuted = new Set(ledger.memory.muted(voter.id));
    this.#active = new Map(ledger.active);
    ledger.resting.begin();
    this.#bases = ledger.bases;
    this.#before = ledger.present;
    voter.view = view;
    this.#after = ledger.backers();
    voter.view = this.#old;
  }

  /** First, to its end. */
  *prepare(): Steps {
    const [old, view] = [this.#old, this.#view];
    if (old === undefined || old.complete !== view.complete || old.scope.id !== view.scope.id)
      yield* this.#ledger.keepBasis();
  }

  /** Names whose entry or staleness is not the same in both views, each once over all calls. Both are asked about these, and must not throw. */
  touch(names: Iterable<string>): void {
    for (const name of names) this.#touch(name);
    this.#showOld();
  }

  /** When all were touched. The new view is asked about every name that is active. */
  *finish(): Steps {
    const ledger = this.#ledger;
    let muted = 0;
    for (const name of this.#stillMuted) {
      this.#showNew();
      ledger.mute(this.#voter, this.#view, name);
      if (++muted % JUDGED_AT_ONCE !== 0) continue;
      this.#showOld();
      yield [];
    }
    const judging = ledger.judgeActive();
    for (;;) {
      this.#showNew();
      const { done } = judging.next();
      this.#showOld();
      if (done === true) return;
      yield [];
    }
  }

  /** From here on it is believed. */
  done(): void {
    this.#showNew();
    this.#ledger.resting.end();
    this.#onDone();
  }

  /** What was believed before it began. */
  believed(name: string): Belief | undefined {
    if (this.#active.has(name)) return this.#active.get(name);
    const { k, resting } = this.#ledger;
    const rested = resting.restedBefore(name);
    const kept = rested === undefined ? believedByBases(this.#bases, NO_VOTES, name, k) : rested.belief;
    return believe(liveBallot(NO_VOTES, this.#before, name), kept, k);
  }

  /** Those that were kept before it began. */
  *keptNames(): Generator<string> {
    yield* this.#active.keys();
    yield* this.#ledger.resting.namesBefore();
  }

  #touch(name: string): void {
    const [ledger, voter] = [this.#ledger, this.#voter];
    this.#showOld();
    const wasKept = ledger.isKept(name);
    ledger.open(name);
    const past = this.#old && liveVote(ledger.memory, backerOf(voter, this.#old), name);
    this.#showNew();
    if (past !== undefined)
      for (const forgotten of ledger.remember(voter.id, name, past)) {
        // One that was kept before may be touched later on, or not at all: it is judged at the end.
        if (forgotten !== name && ledger.active.has(forgotten) && !this.#active.has(forgotten))
          ledger.judge(forgotten);
      }
    ledger.mute(voter, this.#view, name);
    this.#stillMuted.delete(name);
    ledger.judge(name);
    if (wasKept) ledger.mark(name);
  }

  #showOld(): void {
    this.#voter.view = this.#old;
    this.#ledger.present = this.#before;
  }

  #showNew(): void {
    this.#voter.view = this.#view;
    this.#ledger.present = this.#after;
  }
}
