/** Beliefs as they were written, over the voters' maps as they are on disk. Names come some at a time: it may be every one. */
import { Beliefs } from '../../core/belief/beliefs.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import type { FollowState } from './follow-state.ts';
import { LoadedView, type ViewFacts } from './loaded-view.ts';
import { type BookVoter, LoadedViews } from './loaded-views.ts';
import { readBeliefs, readNames } from './written-beliefs.ts';

export interface BookOptions {
  readonly k: number;
  readonly voters: readonly BookVoter[];
  /** Of this node's own reading; its own publisher's where it has one. */
  readonly ownSlot: string;
}

export const OWN = 'own';

export function emptyBeliefs({ k, voters, ownSlot }: BookOptions): Beliefs {
  const beliefs = new Beliefs(k);
  for (const { slot } of voters) beliefs.addVoter({ id: slot, slot });
  beliefs.addVoter({ id: OWN, slot: ownSlot });
  return beliefs;
}

/** @param facts of the views whose maps are here, by slot. */
export async function restoreBeliefs(
  state: FollowState,
  options: BookOptions,
  facts: ReadonlyMap<string, ViewFacts>,
  scopeOf: (id: string) => Promise<Scope>,
): Promise<{ readonly views: LoadedViews; readonly beliefs: Beliefs }> {
  const { scopes, ...ground } = await readBeliefs(state, scopeOf);
  const views = new LoadedViews(options.voters);
  for (const [slot, fact] of facts) views.set(slot, new LoadedView(fact, new Map()));
  const beliefs = emptyBeliefs(options);
  const restored = views.entries().map(([voter, view]) => ({ voter, view }));
  beliefs.restoreGround({ ...ground, views: restored }, (id) => scopes.get(id) as Scope);
  for await (const names of readNames(state)) {
    views.prune((name) => beliefs.isActive(name), beliefs.size.active);
    await views.load(names.map(([name]) => name));
    beliefs.restoreNames(names);
  }
  return { views, beliefs };
}
