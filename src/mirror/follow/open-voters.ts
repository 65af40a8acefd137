/** What a policy's publishers are known by, opened from disk: their logs, their maps, and what is believed of them. */
import { hash } from 'node:crypto';
import type { Scope } from '../../core/belief/voter-view.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import type { Policy } from '../../core/log/policy.ts';
import type { IndexMaps } from '../../store/index-map/index-maps.ts';
import type { AgreedFormat } from './agreed-format.ts';
import { BeliefBook } from './belief-book.ts';
import { logScope } from './carry-voters.ts';
import type { FollowState, FollowStates } from './follow-state.ts';
import { FollowedLog } from './followed-log.ts';
import { FollowedMap } from './followed-map.ts';
import type { ViewFacts } from './loaded-view.ts';
import type { NameLists } from './name-lists.ts';

export interface OpenedVoter {
  readonly slot: string;
  readonly log: FollowedLog;
  readonly map: FollowedMap;
}

/** @param origins of which the maps on disk are this policy's (`carryVoters`); others are dropped. */
export async function openVoters(
  {
    maps,
    facts,
    states,
    state,
  }: {
    readonly maps: IndexMaps;
    readonly facts: FactEmitter;
    readonly states: FollowStates;
    readonly state: FollowState;
  },
  { policy, upstream }: { readonly policy: Policy; readonly upstream: string },
  origins: ReadonlySet<string>,
): Promise<OpenedVoter[]> {
  const viewOf = (origin: string): string => `follow:${shortHash(upstream)}:${shortHash(origin)}`;
  const kept = new Set([...origins].map(viewOf));
  for (const view of maps.views()) if (view.startsWith('follow:') && !kept.has(view)) await maps.drop(view);
  const opened: OpenedVoter[] = [];
  for (const { key } of policy.publishers) {
    const origin = key.name;
    const log = await FollowedLog.open(origin, states.scope(logScope(key.text)), (message) =>
      facts.emit('storage:repaired', { message }),
    );
    const map = await FollowedMap.open({ slot: key.text, origin, view: viewOf(origin), maps, state });
    opened.push({ slot: key.text, log, map });
  }
  return opened;
}

export async function openBook(
  state: FollowState,
  policy: Policy,
  opened: readonly OpenedVoter[],
  {
    lists,
    format,
    own,
  }: {
    readonly lists: NameLists;
    readonly format: Pick<AgreedFormat, 'decided'>;
    /** Of this node's own publisher. */
    readonly own: string | undefined;
  },
): Promise<BeliefBook> {
  const { signal } = new AbortController();
  const scopeOf = async (id: string): Promise<Scope> =>
    // A list that is gone covers nothing: its votes of the past are none, which is never too much.
    (await lists.scope(id as 'all' | Digest, '', [], signal)) ?? {
      id,
      covers: () => false,
      names: new Set(),
    };
  const agreed = await format.decided();
  const views = new Map<string, ViewFacts>();
  for (const { slot, map } of opened) {
    if (map.head === undefined) continue;
    const { record, observedAt } = map.head;
    const scope = await lists.scope(record.scope, '', [], signal);
    const stale = await lists.names(record.stale, '', [], signal);
    // Under another policy it may have counted that here is of the wrong format.
    if (scope !== undefined && stale !== undefined && record.format === agreed)
      views.set(slot, { observedAt, complete: record.complete, scope, stale });
    else map.forget();
  }
  const voters = opened.map(({ slot, map }) => ({ slot, map: map.map }));
  const ownSlot = policy.publishers.find(({ key }) => key.name === own)?.key.text ?? 'own';
  return BeliefBook.open(state, { k: policy.k, voters, ownSlot }, views, scopeOf);
}

/** Lists of names that the map's record stands on. */
export function namedLists({ head }: FollowedMap): string[] {
  return [head?.record.scope, head?.record.stale].filter((digest) => typeof digest === 'string');
}

function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32);
}
