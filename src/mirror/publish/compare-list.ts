/** What a list of all projects says against what is known: which pages changed, are gone, or are new. Changes nothing. */
import { setImmediate } from 'node:timers/promises';
import type { ProjectName } from '../../core/project-name.ts';
import type { KnownPages } from './known-pages.ts';
import type { ReadList } from './read-list.ts';

export interface ListNews {
  readonly changed: readonly { readonly name: ProjectName; readonly serial: number }[];
  /** Known, and not listed by a list that is as new as what is known of them. */
  readonly gone: readonly ProjectName[];
  readonly known: number;
  /** Names listed, of those that are published. */
  readonly size: number;
  /** Of a listed name its serial; it is not among the fresh ones any more. */
  take(name: ProjectName): number | undefined;
  /** Listed, and not known. */
  fresh(): Iterable<{ readonly name: ProjectName; readonly serial: number }>;
}

/** Others' turn after so many entries. */
const AT_ONCE = 2000;

export async function compareList(list: ReadList, known: Pick<KnownPages, 'entries'>): Promise<ListNews> {
  const changed: { name: ProjectName; serial: number }[] = [];
  const gone: ProjectName[] = [];
  let count = 0;
  for await (const { name, serial } of known.entries()) {
    count++;
    if (count % AT_ONCE === 0) await setImmediate();
    const listed = list.names.mark(name);
    if (listed === undefined) {
      if (!list.serials || serial <= list.serial) gone.push(name);
      continue;
    }
    if (list.serials && listed > serial) changed.push({ name, serial: listed });
  }
  return {
    changed,
    gone,
    known: count,
    size: list.names.size,
    take: (name) => list.names.mark(name),
    fresh: () => list.names.unmarked(),
  };
}
