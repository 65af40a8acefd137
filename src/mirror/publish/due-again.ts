/**
 * What is due when a publisher begins again. Its newest record's `observedAt` goes on, so the names that this record calls stale
 * are stale until they are read. Must always hold: where their list is lost nothing is known to be as it was, until the upstream
 * was looked at.
 */
import type { Clock } from '../../core/clock.ts';
import { decodeNames } from '../../core/index-map/name-list.ts';
import type { IndexRecord } from '../../core/log/record.ts';
import { DuePages } from './due-pages.ts';
import type { PageBlobs } from './page-blobs.ts';
import type { PublishedScope } from './published-scope.ts';

export interface DueAgain {
  readonly due: DuePages;
  /** Since when what is not stale is as it is known; undefined: since nobody knows when. */
  readonly observedAt: number | undefined;
}

/** @param before the newest record of the log, if it has one. */
export async function dueAgain(
  deps: { readonly clock: Clock; readonly scope: PublishedScope; readonly blobs: Pick<PageBlobs, 'held'> },
  before: IndexRecord | undefined,
): Promise<DueAgain> {
  const due = new DuePages(deps.clock);
  const digest = before?.stale ?? null;
  if (digest === null) return { due, observedAt: before?.observedAt };
  const bytes = await deps.blobs.held(digest);
  if (bytes === undefined) return { due, observedAt: undefined };
  for (const name of decodeNames(bytes)) if (deps.scope.has(name)) due.add(name, 'changed');
  return { due, observedAt: before?.observedAt };
}
