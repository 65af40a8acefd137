/**
 * When what was kept of every name at once (the bases) may go, and which names have to be looked at then. Must always hold: of
 * every other name k voters that are left say now what is believed, and have read as late as any basis says.
 */
import type { Beliefs } from '../../core/belief/beliefs.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import { limits } from '../../core/limits.ts';
import { differingNames } from './differing-names.ts';
import type { LoadedView } from './loaded-view.ts';
import type { LoadedViews } from './loaded-views.ts';

/** Undefined: there are no bases, or they may not go yet. A name may come twice. */
export function namesToSettle(
  beliefs: Pick<Beliefs, 'keptBases' | 'basisScopes' | 'excludedSlots'>,
  views: Pick<LoadedViews, 'entries' | 'maps'>,
  k: number,
): AsyncIterable<readonly string[]> | undefined {
  const bases = beliefs.keptBases().flat();
  if (bases.length === 0) return undefined;
  const newest = bases.reduce((most, { at }) => Math.max(most, at), -Infinity);
  const excluded = beliefs.excludedSlots();
  const counting = views.entries().filter(([slot]) => !excluded.includes(slot));
  if (counting.length < k || counting.some(([, view]) => view.observedAt < newest)) return undefined;
  const [first, ...others] = new Set(counting.map(([, { scope }]) => scope.id));
  if (others.length === 0)
    return differing(views, views.maps(), first === 'all' ? [] : beliefs.basisScopes());
  // Each name must have k of those left, and what a scope covers is looked at name by name.
  if (counting.filter(([, view]) => isWhole(view)).length < k) return undefined;
  const scopes = [...beliefs.basisScopes(), ...views.entries().map(([, { scope }]) => scope)];
  const named = new Map(scopes.filter(({ id }) => id !== 'all').map((scope) => [scope.id, scope]));
  const sizes = [...named.values()].map(({ names }) => names?.size ?? Infinity);
  if (sizes.reduce((sum, size) => sum + size, 0) > limits.belief.scopeNames) return undefined;
  const whole = new Set(views.entries().flatMap(([slot, view]) => (isWhole(view) ? [slot] : [])));
  return differing(
    views,
    views.maps((slot) => whole.has(slot)),
    named.values(),
  );
}

function isWhole({ scope }: LoadedView): boolean {
  return scope.id === 'all';
}

async function* differing(
  views: Pick<LoadedViews, 'entries'>,
  maps: ReturnType<LoadedViews['maps']>,
  scopes: Iterable<Scope>,
): AsyncGenerator<readonly string[]> {
  yield* differingNames(maps);
  for (const [, { facts }] of views.entries()) yield [...facts.stale];
  for (const { names } of scopes) yield [...(names ?? [])];
}
