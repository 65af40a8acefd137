/** Lets go of the bases, a piece at a time. What is believed is the same before, meanwhile and after it. */
import type { Backers } from './backers.ts';
import type { BeliefLedger, Steps } from './belief-ledger.ts';

export class BasesEnd {
  readonly #ledger: BeliefLedger;
  readonly #bases: readonly Backers[];

  constructor(ledger: BeliefLedger) {
    this.#ledger = ledger;
    this.#bases = ledger.bases;
  }

  /** Names for which the maps do not say what is believed. */
  touch(names: Iterable<string>): void {
    for (const name of names) this.#touch(name);
  }

  /** When all were touched: to its end. */
  *finish(): Steps {
    yield* this.#ledger.wake((name) => this.#touch(name));
    this.#ledger.bases = [];
    yield* this.#ledger.judgeActive();
  }

  /** With the bases the name is as it is; without them it is kept if it has to be. */
  #touch(name: string): void {
    const ledger = this.#ledger;
    ledger.bases = this.#bases;
    ledger.open(name);
    ledger.bases = [];
    ledger.judge(name);
    ledger.bases = this.#bases;
  }
}
