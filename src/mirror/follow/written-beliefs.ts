/**
 * Beliefs as they are written down: a key for each kept name, the bases, who is excluded. Must always hold: a change is
 * written whole or not at all. One of many names is laid beside the others first, some at a time; the write that says that
 * it counts is a small one, and then they take their places.
 */
import { setImmediate } from 'node:timers/promises';
import type { Beliefs } from '../../core/belief/beliefs.ts';
import type { KeptBasis, KeptName } from '../../core/belief/kept-beliefs.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import type { FollowState, StateWrite } from './follow-state.ts';

const NAME = 'name/';
/** Names laid beside; an empty value stands for a name that is not kept any more. */
const NEXT = 'next/';
/** It is there: what is laid beside counts. */
const NEXT_COUNTS = 'next';
/** Encoded before others have their turn: a few milliseconds. */
const NAMES_AT_ONCE = 256;
/** In one write: some 10 ms of it are this thread's (250,000 in one: 1.4 s and 300 MB). */
const NAMES_A_WRITE = 2048;
const NOTHING = Buffer.alloc(0);

export interface WrittenBeliefs {
  readonly bases: readonly KeptBasis[];
  readonly excluded: readonly string[];
  /** Those that the bases name. */
  readonly scopes: ReadonlyMap<string, Scope>;
}

/** All but the names. Puts right what a kill left beside them. */
export async function readBeliefs(
  state: FollowState,
  scopeOf: (id: string) => Promise<Scope>,
): Promise<WrittenBeliefs> {
  if ((await state.get(NEXT_COUNTS)) === undefined) await emptyNext(state, () => []);
  else await takePlaces(state);
  const bases = parse((await state.get('bases')) ?? Buffer.from('[]')) as KeptBasis[];
  const excluded = parse((await state.get('excluded')) ?? Buffer.from('[]')) as string[];
  const scopes = new Map<string, Scope>();
  for (const { scope } of bases.flat()) if (!scopes.has(scope)) scopes.set(scope, await scopeOf(scope));
  return { bases, excluded, scopes };
}

/** After {@link readBeliefs}: some at a time, for it may be every name. */
export async function* readNames(
  state: FollowState,
): AsyncGenerator<readonly (readonly [name: string, kept: KeptName])[]> {
  let names: [string, KeptName][] = [];
  for await (const [key, value] of state.entries(NAME)) {
    names.push([key.slice(NAME.length), parse(value) as KeptName]);
    if (names.length < NAMES_AT_ONCE) continue;
    yield names;
    names = [];
  }
  if (names.length > 0) yield names;
}

export interface PreparedBeliefs {
  /** To be written together with all that belongs to them; nothing counts before. */
  readonly writes: readonly StateWrite[];
  /** Those that changed; `many`: too many to name. */
  readonly names: readonly string[] | 'many';
  /** After that. A kill before it is made good when they are read. */
  finish(): Promise<void>;
}

export type ChangingBeliefs = Pick<
  Beliefs,
  'changed' | 'takeChanged' | 'keptName' | 'keptBases' | 'excludedSlots'
>;

/** What one change makes of what is written. Names that changed are not gathered: many are laid beside as it goes on. */
export class WrittenChange {
  readonly #state: FollowState;
  readonly #beliefs: ChangingBeliefs;
  #laid = false;

  constructor(state: FollowState, beliefs: ChangingBeliefs) {
    this.#state = state;
    this.#beliefs = beliefs;
  }

  /** Nothing has changed. */
  get isEmpty(): boolean {
    return !this.#laid && this.#beliefs.changed === 0;
  }

  /** Between two pieces of the change. */
  async lay(): Promise<void> {
    if (this.#beliefs.changed < NAMES_A_WRITE) return;
    await this.#lay(this.#beliefs.takeChanged());
  }

  /** At its end; names must stay as they are until all is finished. */
  async prepare(): Promise<PreparedBeliefs> {
    const [state, beliefs] = [this.#state, this.#beliefs];
    const names = beliefs.takeChanged();
    const rest: StateWrite[] = [
      ['bases', json(beliefs.keptBases())],
      ['excluded', json(beliefs.excludedSlots())],
    ];
    if (!this.#laid && names.length <= NAMES_A_WRITE) {
      const writes = [...(await keptWrites(beliefs, names, NAME, undefined)), ...rest];
      return { writes, names, finish: async () => undefined };
    }
    await this.#lay(names);
    return { writes: [...rest, [NEXT_COUNTS, NOTHING]], names: 'many', finish: () => takePlaces(state) };
  }

  async #lay(names: readonly string[]): Promise<void> {
    this.#laid = true;
    for (let at = 0; at < names.length; at += NAMES_A_WRITE) {
      const some = names.slice(at, at + NAMES_A_WRITE);
      await this.#state.write(await keptWrites(this.#beliefs, some, NEXT, NOTHING));
    }
  }
}

async function keptWrites(
  beliefs: ChangingBeliefs,
  names: readonly string[],
  prefix: string,
  none: Uint8Array | undefined,
): Promise<StateWrite[]> {
  const writes: StateWrite[] = [];
  for (const name of names) {
    const kept = beliefs.keptName(name);
    writes.push([`${prefix}${name}`, kept === undefined ? none : json(kept)]);
    if (writes.length % NAMES_AT_ONCE === 0) await setImmediate();
  }
  return writes;
}

async function takePlaces(state: FollowState): Promise<void> {
  await emptyNext(state, (name, value) => [[`${NAME}${name}`, value.length === 0 ? undefined : value]]);
  await state.write([[NEXT_COUNTS, undefined]]);
}

async function emptyNext(
  state: FollowState,
  also: (name: string, value: Uint8Array) => readonly StateWrite[],
): Promise<void> {
  let writes: StateWrite[] = [];
  for await (const [key, value] of state.entries(NEXT)) {
    writes.push([key, undefined], ...also(key.slice(NEXT.length), value));
    if (writes.length < 2 * NAMES_A_WRITE) continue;
    await state.write(writes);
    writes = [];
  }
  if (writes.length > 0) await state.write(writes);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}
