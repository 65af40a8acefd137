/**
 * Belief over maps on disk and over restarts. Must always hold: what changes is written in one piece together with the head it
 * came from, before the map and memory show it to anybody; one change at a time; every name that the rule may
 * ask about is loaded before it is asked.
 */
import { setImmediate } from 'node:timers/promises';
import type { Belief } from '../../core/belief/believe.ts';
import { Beliefs } from '../../core/belief/beliefs.ts';
import type { Vote } from '../../core/belief/candidate.ts';
import type { KeptBasis, KeptName } from '../../core/belief/kept-beliefs.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import { binNumber } from '../../core/index-map/index-entry.ts';
import type { MapAnswer } from '../../core/index-map/map-proof.ts';
import type { ProjectName } from '../../core/project-name.ts';
import { Gate } from '../../store/gate.ts';
import { differingNames, type ComparedMap } from './differing-names.ts';
import type { FollowState, StateWrite } from './follow-state.ts';
import { LoadedView, type ViewAnswer, viewAnswer, type ViewFacts } from './loaded-view.ts';

/** The map that a slot's view is of. */
export interface BookMap extends ComparedMap {
  get(name: ProjectName): Promise<MapAnswer>;
}

export interface BookVoter {
  readonly slot: string;
  readonly map: BookMap;
}

export interface NewView {
  readonly slot: string;
  readonly facts: ViewFacts;
  /** Names whose entry or staleness is another one than in the view before; ignored for the first. */
  readonly touched: readonly string[];
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

const OWN = 'own';
/** Looked at before others have their turn: some milliseconds. */
const NAMES_AT_ONCE = 64;
/** Answers that are kept beyond those that must be. */
const SPARE_ANSWERS = 4096;

export interface BookOptions {
  readonly k: number;
  readonly voters: readonly BookVoter[];
  /** Of this node's own reading; its own publisher's where it has one. */
  readonly ownSlot: string;
}

export class BeliefBook {
  readonly #state: FollowState;
  readonly #options: BookOptions;
  readonly #scopeOf: (id: string) => Promise<Scope>;
  readonly #gate = new Gate(1);
  readonly #views = new Map<string, LoadedView>();
  #beliefs: Beliefs;

  private constructor(state: FollowState, options: BookOptions, scopeOf: (id: string) => Promise<Scope>) {
    this.#state = state;
    this.#scopeOf = scopeOf;
    this.#options = options;
    this.#beliefs = this.#empty();
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

  believed(name: string): Promise<Belief | undefined> {
    return this.#gate.run(async () => {
      await this.#load([name]);
      const belief = this.#beliefs.believed(name);
      this.#prune();
      return belief;
    });
  }

  /** Of many names at once, one state for all of them. */
  believedAll(names: readonly string[]): Promise<(Belief | undefined)[]> {
    return this.#gate.run(async () => {
      await this.#load(names);
      const all = names.map((name) => this.#beliefs.believed(name));
      this.#prune();
      return all;
    });
  }

  /** Resolves to the names whose belief may have changed, when all is written and the map is swapped. */
  accept(next: NewView, swap: Swap): Promise<string[] | 'all'> {
    return this.#gate.run(async () => {
      const { slot, facts } = next;
      const old = this.#views.get(slot);
      const touched = old === undefined ? await this.#firstTouched(next) : this.#withTurned(next);
      await this.#load([...this.#beliefs.keptNames(), ...touched]);
      const answers = new Map<string, ViewAnswer>(old?.answers);
      const asked = old === undefined ? [...this.#beliefs.keptNames(), ...touched] : touched;
      for (const [at, name] of asked.entries()) {
        answers.set(name, viewAnswer(await next.after(name)));
        if (at % NAMES_AT_ONCE === 0) await setImmediate();
      }
      const view = new LoadedView(facts, answers);
      this.#beliefs.accept(slot, view, touched);
      this.#views.set(slot, view);
      const changed = this.#beliefs.takeChanged();
      await this.#write([...swap.writes, ...this.#writesFor(changed)], () => this.#setView(slot, old));
      await swap.commit();
      await this.#letBasesGo();
      this.#prune();
      return old === undefined ? 'all' : [...new Set([...touched, ...changed])];
    });
  }

  /** A bundle's vote, or with slot `own` this node's reading. */
  vote(slot: string, name: string, vote: Vote): Promise<void> {
    return this.#change(async () => {
      await this.#load([name, ...this.#beliefs.keptNames()]);
      this.#beliefs.vote(slot, name, vote);
    });
  }

  ownVote(name: string, vote: Vote): Promise<void> {
    return this.vote(OWN, name, vote);
  }

  exclude(slot: string, writes: readonly StateWrite[] = []): Promise<void> {
    return this.#change(async () => {
      await this.#load(this.#beliefs.keptNames());
      if (this.#beliefs.excludedSlots().includes(slot)) return;
      this.#beliefs.exclude(slot);
    }, writes);
  }

  excluded(): string[] {
    return this.#beliefs.excludedSlots();
  }

  isPending(name: string): boolean {
    return this.#beliefs.keptName(name) !== undefined;
  }

  /** Kept for one name each: in those alone voters differ from what a look at their maps would say. */
  keptNames(): Iterable<string> {
    return this.#beliefs.keptNames();
  }

  view(slot: string): ViewFacts | undefined {
    return this.#views.get(slot)?.facts;
  }

  get size(): Beliefs['size'] {
    return this.#beliefs.size;
  }

  /** Nothing is being changed while `work` runs. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#gate.run(work);
  }

  async #change(work: () => Promise<void>, writes: readonly StateWrite[] = []): Promise<void> {
    await this.#gate.run(async () => {
      await work();
      await this.#write([...writes, ...this.#writesFor(this.#beliefs.takeChanged())]);
      this.#prune();
    });
  }

  /** Where it fails, what is believed is again what is written. */
  async #write(writes: readonly StateWrite[], undo = (): void => {}): Promise<void> {
    try {
      await this.#state.write(writes);
    } catch (error) {
      undo();
      const views = new Map([...this.#views].map(([slot, { facts }]) => [slot, facts]));
      this.#beliefs = this.#empty();
      await this.#restore(views);
      throw error;
    }
  }

  #setView(slot: string, view: LoadedView | undefined): void {
    if (view === undefined) this.#views.delete(slot);
    else this.#views.set(slot, view);
  }

  #empty(): Beliefs {
    const beliefs = new Beliefs(this.#options.k);
    for (const { slot } of this.#options.voters) beliefs.addVoter({ id: slot, slot });
    beliefs.addVoter({ id: OWN, slot: this.#options.ownSlot });
    return beliefs;
  }

  async #restore(views: ReadonlyMap<string, ViewFacts>): Promise<void> {
    for (const [slot, facts] of views) this.#views.set(slot, new LoadedView(facts, new Map()));
    const names: [string, KeptName][] = [];
    for await (const [key, value] of this.#state.entries('name/'))
      names.push([key.slice('name/'.length), parse(value) as KeptName]);
    const bases = parse((await this.#state.get('bases')) ?? Buffer.from('[]')) as KeptBasis[];
    const excluded = parse((await this.#state.get('excluded')) ?? Buffer.from('[]')) as string[];
    const scopes = new Map<string, Scope>();
    for (const { scope } of bases.flat())
      if (!scopes.has(scope)) scopes.set(scope, await this.#scopeOf(scope));
    await this.#load(names.map(([name]) => name));
    const kept = {
      names,
      bases,
      excluded,
      views: [...this.#views].map(([voter, view]) => ({ voter, view })),
    };
    this.#beliefs.restore(kept, (id) => scopes.get(id) as Scope);
    this.#prune();
  }

  /** Where two answers could have k votes it matters which came first: then the names that voters differ in are looked at. */
  async #firstTouched(next: NewView): Promise<string[]> {
    const { k, voters } = this.#options;
    if (2 * k > voters.length + 1 || this.#views.size < k) return [];
    const names = await differingNames(this.#maps());
    return [...new Set([...names, ...next.touched])];
  }

  #withTurned({ touched, turned }: NewView): readonly string[] {
    if (turned.size === 0) return touched;
    const kept = [...this.#beliefs.keptNames()].filter((name) => turned.has(binNumber(name as ProjectName)));
    return [...new Set([...touched, ...kept])];
  }

  async #letBasesGo(): Promise<void> {
    const bases = this.#beliefs.keptBases().flat();
    if (bases.length === 0) return;
    const newest = Math.max(...bases.map(({ at }) => at));
    const views = [...this.#views].filter(([slot]) => !this.excluded().includes(slot));
    const scopes = new Set(views.map(([, { scope }]) => scope.id));
    if (views.length < this.#options.k || scopes.size > 1) return;
    if (views.some(([, view]) => view.observedAt < newest)) return;
    const names = await differingNames(this.#maps());
    for (const [, { facts }] of this.#views) names.push(...facts.stale);
    await this.#load([...names, ...this.#beliefs.keptNames()]);
    if (!this.#beliefs.letBasesGo(names)) return;
    await this.#write(this.#writesFor(this.#beliefs.takeChanged()));
  }

  #maps(): BookMap[] {
    return this.#options.voters.filter(({ slot }) => this.#views.has(slot)).map(({ map }) => map);
  }

  async #load(names: Iterable<string>): Promise<void> {
    let looked = 0;
    // Name by name: most voters have the same bin, which is read once.
    for (const name of names) {
      for (const { slot, map } of this.#options.voters) {
        const answers = this.#views.get(slot)?.answers;
        if (answers?.has(name) === false) answers.set(name, viewAnswer(await map.get(name as ProjectName)));
      }
      if (++looked % NAMES_AT_ONCE === 0) await setImmediate();
    }
  }

  #prune(): void {
    const kept = new Set(this.#beliefs.keptNames());
    for (const { answers } of this.#views.values()) {
      if (answers.size <= kept.size + SPARE_ANSWERS) continue;
      for (const name of answers.keys()) if (!kept.has(name)) answers.delete(name);
    }
  }

  #writesFor(names: readonly string[]): StateWrite[] {
    const writes = names.map((name): StateWrite => {
      const kept = this.#beliefs.keptName(name);
      return [`name/${name}`, kept && json(kept)];
    });
    return [
      ...writes,
      ['bases', json(this.#beliefs.keptBases())],
      ['excluded', json(this.#beliefs.excludedSlots())],
    ];
  }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}
