/** Beliefs as they are written down: a key for each kept name, the bases, who is excluded. */
import { setImmediate } from 'node:timers/promises';
import type { Beliefs } from '../../core/belief/beliefs.ts';
import type { KeptBasis, KeptName } from '../../core/belief/kept-beliefs.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import type { FollowState, StateWrite } from './follow-state.ts';

const NAME = 'name/';
/** Encoded before others have their turn: a few milliseconds. */
const NAMES_AT_ONCE = 256;

export interface WrittenBeliefs {
  readonly names: readonly (readonly [string, KeptName])[];
  readonly bases: readonly KeptBasis[];
  readonly excluded: readonly string[];
  /** Those that the bases name. */
  readonly scopes: ReadonlyMap<string, Scope>;
}

export async function readBeliefs(
  state: FollowState,
  scopeOf: (id: string) => Promise<Scope>,
): Promise<WrittenBeliefs> {
  const names: [string, KeptName][] = [];
  for await (const [key, value] of state.entries(NAME))
    names.push([key.slice(NAME.length), parse(value) as KeptName]);
  const bases = parse((await state.get('bases')) ?? Buffer.from('[]')) as KeptBasis[];
  const excluded = parse((await state.get('excluded')) ?? Buffer.from('[]')) as string[];
  const scopes = new Map<string, Scope>();
  for (const { scope } of bases.flat()) if (!scopes.has(scope)) scopes.set(scope, await scopeOf(scope));
  return { names, bases, excluded, scopes };
}

/** Of these names, which may have changed. */
export async function beliefWrites(beliefs: Beliefs, names: readonly string[]): Promise<StateWrite[]> {
  const writes: StateWrite[] = [];
  for (const name of names) {
    const kept = beliefs.keptName(name);
    writes.push([`${NAME}${name}`, kept && json(kept)]);
    if (writes.length % NAMES_AT_ONCE === 0) await setImmediate();
  }
  writes.push(['bases', json(beliefs.keptBases())], ['excluded', json(beliefs.excludedSlots())]);
  return writes;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}
