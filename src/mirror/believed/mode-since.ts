/** Since when a node has been in its mode, across restarts: what direct mode left behind counts for a day after it ended. */
import type { Clock } from '../../core/clock.ts';
import type { Catalog } from '../../store/catalog.ts';

/** To be called at every start, in every mode. Resolves to when the present mode began, ms. */
export async function noteMode(
  catalog: Pick<Catalog, 'document' | 'putDocument'>,
  mode: 'direct' | 'quorum' | 'offline',
  clock: Pick<Clock, 'now'>,
): Promise<number> {
  const kept = (await catalog.document('mode', 'last').catch(() => undefined)) as
    { mode?: unknown; since?: unknown } | undefined;
  if (kept?.mode === mode && typeof kept.since === 'number') return kept.since;
  const since = clock.now();
  await catalog.putDocument('mode', 'last', { mode, since }).catch(() => undefined);
  return since;
}
