/**
 * What the publisher knows of every project: the map of its last record, and over it what was read since. Always true: what
 * is known is on disk, its page too, before it counts.
 */
import type { IndexEntry } from '../../core/index-map/index-entry.ts';
import { sameEntry } from '../../core/index-map/index-entry.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexMap } from '../../store/index-map/index-maps.ts';
import type { PageValidators } from '../../upstream/upstream.ts';
import type { PageBlobs } from './page-blobs.ts';
import type { PublisherState } from './publisher-state.ts';

export interface ReadPage {
  readonly entry: IndexEntry;
  readonly bytes: Uint8Array;
  readonly url: string;
  readonly validators: PageValidators;
}

export interface KnownPages {
  /** Undefined: not known, or known to be absent. */
  get(project: ProjectName): Promise<IndexEntry | undefined>;
  /** How to ask whether the known page is as it was. */
  validators(project: ProjectName): Promise<PageValidators | undefined>;
  /** True when it says something else than before. */
  take(page: ReadPage): Promise<boolean>;
  /** It leaves the map. `at`: when it was known to be absent; wall clock, ms. */
  remove(project: ProjectName, at?: number): Promise<boolean>;
  /** When it was last seen to be absent, across restarts; undefined when it is there. */
  absentAt(project: ProjectName): Promise<number | undefined>;
  /** All known entries, in the order of bins; those of no record yet come last. */
  entries(): AsyncIterable<IndexEntry>;
  /** Of no record yet. */
  readonly changed: ReadonlyMap<ProjectName, IndexEntry | undefined>;
  /** A record holds these now. */
  settled(changes: Iterable<readonly [ProjectName, IndexEntry | undefined]>): ProjectName[];
}

export async function openKnownPages(deps: {
  readonly map: IndexMap;
  readonly state: PublisherState;
  readonly blobs: PageBlobs;
}): Promise<KnownPages> {
  const { map, state, blobs } = deps;
  const changed = new Map(await state.changed());

  async function inMap(project: ProjectName): Promise<IndexEntry | undefined> {
    const answer = await map.get(project);
    return typeof answer === 'object' ? answer : undefined;
  }

  async function get(project: ProjectName): Promise<IndexEntry | undefined> {
    return changed.has(project) ? changed.get(project) : await inMap(project);
  }

  return {
    get,
    async validators(project) {
      const [trace, entry] = [await state.trace(project), await get(project)];
      if (trace === undefined || entry?.digest !== trace.digest) return undefined;
      const { etag, lastModified } = trace;
      return etag === undefined && lastModified === undefined ? undefined : { etag, lastModified };
    },
    async take({ entry, bytes, url, validators }) {
      const { name, digest } = entry;
      const before = await get(name);
      const trace = { etag: validators.etag, lastModified: validators.lastModified, digest };
      if (before !== undefined && sameEntry(before, entry)) {
        await state.putTrace(name, trace);
        return false;
      }
      await blobs.keep(bytes, digest, url);
      await state.putChanged([name, entry], trace);
      changed.set(name, entry);
      if (before !== undefined && before.digest !== digest) await blobs.retire(before.digest, name);
      return true;
    },
    absentAt: async (project) => (await state.trace(project))?.absentAt,
    async remove(project, at) {
      const before = await get(project);
      const trace =
        at === undefined
          ? undefined
          : { etag: undefined, lastModified: undefined, digest: undefined, absentAt: at };
      if (before === undefined) {
        if (trace !== undefined) await state.putTrace(project, trace);
        return false;
      }
      await state.putChanged([project, undefined], trace);
      changed.set(project, undefined);
      await blobs.retire(before.digest, project);
      return true;
    },
    async *entries() {
      for await (const batch of map.entries())
        for (const entry of batch) if (!changed.has(entry.name)) yield entry;
      for (const entry of changed.values()) if (entry !== undefined) yield entry;
    },
    changed,
    settled(changes) {
      const names: ProjectName[] = [];
      for (const [project, entry] of changes) {
        if (!changed.has(project) || !isSame(changed.get(project), entry)) continue;
        changed.delete(project);
        names.push(project);
      }
      return names;
    },
  };
}

function isSame(left: IndexEntry | undefined, right: IndexEntry | undefined): boolean {
  return left === undefined || right === undefined ? left === right : sameEntry(left, right);
}
