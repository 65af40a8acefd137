/**
 * Belief over maps on disk and over restarts. Must always hold: what changes is written in one piece together with the head it
 * came from, before the map and memory show it to anybody; one change at a time; every name that the rule may
 * ask about is loaded before it is asked. A change may touch every name: it goes on a piece at a time, and between the
 * pieces questions are answered with what is still written.
 */
import { setImmediate } from 'node:timers/promises';
import type { Acceptance } from '../../core/belief/acceptance.ts';
import type { Belief } from '../../core/belief/believe.ts';
import type { Steps } from '../../core/belief/belief-ledger.ts';
import type { Beliefs } from '../../core/belief/beliefs.ts';
import type { Vote } from '../../core/belief/candidate.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import { InvalidIndexMapError } from '../../core/errors.ts';
import { binNumber } from '../../core/index-map/index-entry.ts';
import type { MapAnswer } from '../../core/index-map/map-proof.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { Gate } from '../../store/gate.ts';
import { differingNames } from './differing-names.ts';
import type { FollowState, StateWrite } from './follow-state.ts';
import { LoadedView, type ViewFacts } from './loaded-view.ts';
import { LoadedViews } from './loaded-views.ts';
import { namesToSettle } from './names-to-settle.ts';
import { pieces } from './pieces.ts';
import { type BookOptions, emptyBeliefs, OWN, restoreBeliefs } from './restore-beliefs.ts';
import { WrittenChange } from './written-beliefs.ts';

export interface NewView {
  readonly slot: string;
  readonly facts: ViewFacts;
  /** Names whose entry or staleness is another one than in the view before, each once; without a view before, those that are stale. */
  touched(): AsyncIterable<readonly string[]>;
  /** Bins that begin or cease to be partial: what they lack is another answer now. */
  readonly turned: ReadonlySet<number>;
  /** What the new map says; of a touched name, and of any where there was no view before. */
  after(name: string): Promise<MapAnswer>;
}

export interface Swap {
  /** To be written with the beliefs. */
  readonly writes: readonly StateWrite[];
  /** Makes the map the new one, when all is written. */
  commit(): Promise<void>;
}

/** Loaded and judged while questions wait: some 20 ms. */
const NAMES_A_PIECE = 512;
/** Of what rests, looked at again after one change: some 2 s of work at most. */
const LOOKED_AT_MOST = 65_536;
/** Of a change that touches more, nobody wants the names. */
const NAMES_TOLD = 1024;

export class BeliefBook {
  readonly #state: FollowState;
  readonly #options: BookOptions;
  readonly #scopeOf: (id: string) => Promise<Scope>;
  /** Who changes something holds this from its beginning to its end, */
  readonly #changing = new Gate(1);
  /** and this, as who asks does, for each of its pieces. */
  readonly #piece = new Gate(1);
  /** How many of those that rest are looked at after each change: more while much of it can go. */
  #pace = NAMES_A_PIECE;
  #views: LoadedViews;
  #beliefs: Beliefs;
  /** A change broke off, and memory is not what was written: the views of that. */
  #broken: ReadonlyMap<string, ViewFacts> | undefined;
  /** Of a change that is written, and whose map a full disk keeps back: what was believed before is told until it is made. */
  #unfinished: (() => Promise<void>) | undefined;

  private constructor(state: FollowState, options: BookOptions, scopeOf: (id: string) => Promise<Scope>) {
    this.#state = state;
    this.#scopeOf = scopeOf;
    this.#options = options;
    this.#views = new LoadedViews(options.voters);
    this.#beliefs = emptyBeliefs(options);
  }

  /** @param views those whose maps are here, by slot; @param scopeOf of the ids that bases name. */
  static async open(
    state: FollowState,
    options: BookOptions,
    views: ReadonlyMap<string, ViewFacts>,
    scopeOf: (id: string) => Promise<Scope>,
  ): Promise<BeliefBook> {
    const book = new BeliefBook(state, options, scopeOf);
    await book.#restore(views);
    return book;
  }

  async believed(name: string): Promise<Belief | undefined> {
    return (await this.believedAll([name]))[0];
  }

  /** Of many names at once, one state for all of them. */
  believedAll(names: readonly string[]): Promise<(Belief | undefined)[]> {
    return this.#inPiece(async () => {
      await this.#views.load(names);
      const all = names.map((name) => this.#beliefs.believed(name));
      this.#prune();
      return all;
    });
  }

  /** Resolves to the names whose belief may have changed (or `all`: too many), when all is written and the map is swapped. */
  accept(next: NewView, swap: Swap): Promise<string[] | 'all'> {
    return this.#change(async () => {
      const { slot, facts } = next;
      const isFirst = this.#views.get(slot) === undefined;
      const view = new LoadedView(facts, new Map());
      const acceptance = await this.#inPiece(async () => {
        await this.#views.load(this.#beliefs.activeNames());
        return this.#beliefs.begin(slot, view);
      });
      const told = new Set<string>();
      const written = new WrittenChange(this.#state, this.#beliefs);
      let touched = 0;
      if (acceptance !== undefined) {
        await this.#inPieces(acceptance.prepare(), written);
        for await (const names of pieces(this.#touchedBy(next, isFirst), NAMES_A_PIECE)) {
          await this.#touch(acceptance, view, next, names);
          await written.lay();
          touched += names.length;
          for (const name of names) if (told.size <= NAMES_TOLD) told.add(name);
        }
        await this.#inPiece(() => this.#loadUntouched(view, next, isFirst));
        await this.#inPieces(acceptance.finish(), written);
      }
      const prepared = await written.prepare();
      await this.#inPiece(() => this.#state.write([...swap.writes, ...prepared.writes]));
      this.#unfinished = async () => {
        await this.#inPiece(async () => {
          await swap.commit();
          acceptance?.done();
          this.#views.set(slot, view);
        }).catch((error: unknown) => {
          if (error instanceof InvalidIndexMapError) this.#unfinished = undefined;
          throw error;
        });
        this.#unfinished = undefined;
        await prepared.finish();
      };
      await this.#unfinished();
      await this.#letBasesGo();
      await this.#letRestGo(touched);
      this.#prune();
      if (isFirst || prepared.names === 'many') return 'all';
      for (const name of prepared.names) if (told.size <= NAMES_TOLD) told.add(name);
      return told.size > NAMES_TOLD ? 'all' : [...told];
    });
  }

  /** A bundle's vote, or with slot `own` this node's reading. */
  vote(slot: string, name: string, vote: Vote): Promise<void> {
    return this.#change(() =>
      this.#inPiece(async () => {
        await this.#views.load([name, ...this.#beliefs.activeNames()]);
        this.#beliefs.vote(slot, name, vote);
        await this.#write(new WrittenChange(this.#state, this.#beliefs));
        this.#prune();
      }),
    );
  }

  ownVote(name: string, vote: Vote): Promise<void> {
    return this.vote(OWN, name, vote);
  }

  /** Who is to go on from the map of a change goes on from the newest. */
  async finishChange(): Promise<void> {
    if (this.#unfinished !== undefined) await this.#change(async () => undefined);
  }

  exclude(slot: string, writes: readonly StateWrite[] = []): Promise<void> {
    return this.#change(async () => {
      if (this.#beliefs.excludedSlots().includes(slot)) return;
      await this.#inPiece(() => this.#views.load(this.#beliefs.activeNames()));
      const written = new WrittenChange(this.#state, this.#beliefs);
      await this.#inPieces(this.#beliefs.excluding(slot), written);
      await this.#write(written, writes);
    });
  }

  excluded(): string[] {
    return this.#beliefs.excludedSlots();
  }

  isPending(name: string): boolean {
    return this.#beliefs.isKept(name);
  }

  /** Kept for one name each: in those alone voters differ from what a look at their maps would say. */
  keptNames(): Iterable<string> {
    return this.#beliefs.keptNames();
  }

  view(slot: string): ViewFacts | undefined {
    return this.#views.get(slot)?.facts;
  }

  /** As `Beliefs` counts them. */
  groundChanges(slot: string): number {
    return this.#beliefs.groundChanges(slot);
  }

  /** The lists that bases still stand on, by digest. */
  basisScopes(): string[] {
    return this.#beliefs.basisScopes().map(({ id }) => id);
  }

  /** No T rests on what the slot's view says: its own new word decides, or k others have read as late. */
  isOutdated(slot: string): boolean {
    const at = this.#views.get(slot)?.observedAt ?? -Infinity;
    const { k } = this.#options;
    const others = this.#views
      .entries()
      .filter(([other]) => other !== slot && !this.excluded().includes(other));
    return k === 1 || others.filter(([, view]) => view.observedAt >= at).length >= k;
  }

  get size(): Beliefs['size'] {
    return this.#beliefs.size;
  }

  /** No map and no belief becomes another one while `work` runs. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#inPiece(work);
  }

  #inPiece<T>(work: () => Promise<T>): Promise<T> {
    return this.#piece.run(async () => {
      if (this.#broken !== undefined) await this.#restore(this.#broken);
      return work();
    });
  }

  async #inPieces(steps: Steps, written?: WrittenChange): Promise<void> {
    let names: readonly string[] | undefined = [];
    for (;;) {
      const some: readonly string[] = names;
      names = await this.#inPiece(async () => {
        await this.#views.load(some);
        const { value } = steps.next();
        this.#prune();
        return value ?? undefined;
      });
      // Nobody but who changes something is kept from their turn: what is asked meanwhile is asked of memory.
      await written?.lay();
      if (names === undefined) return;
      await setImmediate();
    }
  }

  async #write(written: WrittenChange, writes: readonly StateWrite[] = []): Promise<void> {
    const prepared = await written.prepare();
    await this.#state.write([...writes, ...prepared.writes]);
    await prepared.finish();
  }

  /** Where it fails, what is believed is again what is written. */
  #change<T>(work: () => Promise<T>): Promise<T> {
    return this.#changing.run(async () => {
      try {
        await this.#unfinished?.();
        return await work();
      } catch (error) {
        // Who asks next mends it, and hears why where that cannot be.
        if (this.#unfinished === undefined) this.#broken ??= this.#views.facts();
        throw error;
      }
    });
  }

  #touch(acceptance: Acceptance, view: LoadedView, next: NewView, names: readonly string[]): Promise<void> {
    return this.#inPiece(async () => {
      await this.#views.load(names);
      await this.#views.loadNext(view, names, (name) => next.after(name));
      acceptance.touch(names);
      this.#prune(view);
    });
  }

  /** Every kept name is judged at the end: what was not touched says what it said. */
  async #loadUntouched(view: LoadedView, next: NewView, isFirst: boolean): Promise<void> {
    const names = this.#beliefs.activeNames();
    if (isFirst) return this.#views.loadNext(view, names, (name) => next.after(name));
    const old = this.#views.get(next.slot)?.answers;
    for (const name of names) {
      const answer = view.answers.has(name) ? undefined : old?.get(name);
      if (answer !== undefined) view.answers.set(name, answer);
    }
  }

  /** Where two answers could have k votes it matters which came first: then a first view touches the names that voters differ in. */
  async *#touchedBy(next: NewView, isFirst: boolean): AsyncGenerator<readonly string[]> {
    const { k, voters } = this.#options;
    const turned = new Set<string>();
    if (isFirst) {
      const maps = this.#views.maps();
      if (2 * k > voters.length + 1 || maps.length < k) return;
      for await (const names of differingNames(maps))
        yield names.filter((name) => !next.facts.stale.has(name));
    } else if (next.turned.size > 0) {
      for (const name of this.#beliefs.keptNames())
        if (next.turned.has(binNumber(name as ProjectName))) turned.add(name);
      yield [...turned];
    }
    for await (const names of next.touched()) yield names.filter((name) => !turned.has(name));
  }

  async #letBasesGo(): Promise<void> {
    const settling = namesToSettle(this.#beliefs, this.#views, this.#options.k);
    const end = settling && this.#beliefs.endBases();
    if (settling === undefined || end === undefined) return;
    const written = new WrittenChange(this.#state, this.#beliefs);
    for await (const names of pieces(settling, NAMES_A_PIECE)) {
      await this.#inPiece(async () => {
        await this.#views.load(names);
        end.touch(names);
        this.#prune();
      });
      await written.lay();
    }
    await this.#inPieces(end.finish(), written);
    await this.#write(written);
  }

  /** A change of every name leaves them at rest until the other voters have read as late. */
  async #letRestGo(touched: number): Promise<void> {
    const before = this.#beliefs.size.resting;
    const most = Math.min(before, Math.max(touched, this.#pace));
    if (most === 0) return;
    const written = new WrittenChange(this.#state, this.#beliefs);
    await this.#inPieces(this.#beliefs.letGo(most), written);
    if (!written.isEmpty) await this.#write(written);
    const gone = before - this.#beliefs.size.resting;
    this.#pace = gone > most / 2 ? Math.min(2 * this.#pace, LOOKED_AT_MOST) : NAMES_A_PIECE;
  }

  #prune(next?: LoadedView): void {
    this.#views.prune((name) => this.#beliefs.isActive(name), this.#beliefs.size.active, next);
  }

  async #restore(facts: ReadonlyMap<string, ViewFacts>): Promise<void> {
    const { views, beliefs } = await restoreBeliefs(this.#state, this.#options, facts, this.#scopeOf);
    [this.#views, this.#beliefs, this.#broken] = [views, beliefs, undefined];
    this.#prune();
  }
}
