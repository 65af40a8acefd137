/**
 * The voters' maps as the rule of belief asks them: what it may ask about is loaded from disk first. Must always hold: of a
 * name that every event judges (`active`) every view's answer is here.
 */
import { setImmediate } from 'node:timers/promises';
import { sameCandidate } from '../../core/belief/candidate.ts';
import { decodeKnownBin, type IndexBin } from '../../core/index-map/index-bin.ts';
import { binNumber } from '../../core/index-map/index-entry.ts';
import { answerOf, type MapAnswer } from '../../core/index-map/map-proof.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ComparedMap } from './differing-names.ts';
import { type LoadedView, type ViewAnswer, viewAnswer, type ViewFacts } from './loaded-view.ts';

export interface BookVoter {
  readonly slot: string;
  /** The map that the slot's view is of. */
  readonly map: ComparedMap;
}

/** Loaded before others have their turn: a millisecond or two. */
const NAMES_AT_ONCE = 64;
/** Answers that stay beyond those that must. */
const SPARE_ANSWERS = 4096;

export class LoadedViews {
  readonly #voters: readonly BookVoter[];
  readonly #views = new Map<string, LoadedView>();

  constructor(voters: readonly BookVoter[]) {
    this.#voters = voters;
  }

  get(slot: string): LoadedView | undefined {
    return this.#views.get(slot);
  }

  set(slot: string, view: LoadedView): void {
    this.#views.set(slot, view);
  }

  entries(): [slot: string, view: LoadedView][] {
    return [...this.#views];
  }

  facts(): Map<string, ViewFacts> {
    return new Map(this.entries().map(([slot, { facts }]) => [slot, facts]));
  }

  /** Those with a view. */
  maps(wanted: (slot: string) => boolean = () => true): ComparedMap[] {
    return this.#voters.filter(({ slot }) => this.#views.has(slot) && wanted(slot)).map(({ map }) => map);
  }

  /** @throws UnavailableError where a map is damaged on disk */
  async load(names: Iterable<string>): Promise<void> {
    const bins = new BinsAtHand();
    let looked = 0;
    // Name by name: most voters have the same bin and answer, which are made once; names of one bin stand together.
    for (const name of names) {
      let number: number | undefined;
      let before: ViewAnswer | undefined;
      for (const { slot, map } of this.#voters) {
        const answers = this.#views.get(slot)?.answers;
        if (answers === undefined) continue;
        if (!answers.has(name)) {
          number ??= binNumber(name as ProjectName);
          const found = answerOf(await bins.get(map, number), name as ProjectName);
          answers.set(name, asBefore(found, before));
        }
        before = answers.get(name);
      }
      if (++looked % NAMES_AT_ONCE === 0) await setImmediate();
    }
  }

  /** What the next view says of these names. */
  async loadNext(
    view: LoadedView,
    names: Iterable<string>,
    answer: (name: string) => Promise<MapAnswer>,
  ): Promise<void> {
    let looked = 0;
    for (const name of names) {
      if (!view.answers.has(name)) view.answers.set(name, viewAnswer(await answer(name)));
      if (++looked % NAMES_AT_ONCE === 0) await setImmediate();
    }
  }

  /** @param next a view that is being accepted; @param active how many must stay. */
  prune(isActive: (name: string) => boolean, active: number, next?: LoadedView): void {
    for (const { answers } of next === undefined ? this.#views.values() : [...this.#views.values(), next]) {
      if (answers.size <= active + SPARE_ANSWERS) continue;
      for (const name of answers.keys()) if (!isActive(name)) answers.delete(name);
    }
  }
}

/** The newest bin of each map; a bin that two maps have is read once. */
class BinsAtHand {
  #number = -1;
  readonly #bins = new Map<ComparedMap, { readonly bytes: Uint8Array; readonly bin: IndexBin }>();

  async get(map: ComparedMap, number: number): Promise<IndexBin> {
    if (number !== this.#number) this.#bins.clear();
    this.#number = number;
    const known = this.#bins.get(map);
    if (known !== undefined) return known.bin;
    const bytes = await map.bin(number);
    const same = [...this.#bins.values()].find((other) => Buffer.compare(other.bytes, bytes) === 0);
    const bin = same?.bin ?? decodeKnownBin(bytes);
    this.#bins.set(map, { bytes, bin });
    return bin;
  }
}

function asBefore(found: MapAnswer, before: ViewAnswer | undefined): ViewAnswer {
  if (before === undefined || before === 'unknown' || found === 'unknown') return viewAnswer(found);
  return sameCandidate(found, before) ? before : viewAnswer(found);
}
