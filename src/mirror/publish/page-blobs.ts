/**
 * Canonical pages and lists of names as public blobs that peers can fetch by their digest. Pinned while the map has them,
 * and for 48 hours after.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import { readAll } from '../read-fully.ts';
import type { PublisherState } from './publisher-state.ts';

export interface PageBlobs {
  /** Held and pinned when it resolves. @throws StorageFullError */
  keep(bytes: Uint8Array, digest: Digest, source: string): Promise<void>;
  /** A list of names; undefined when it is not here any more. */
  held(digest: Digest): Promise<Uint8Array | undefined>;
  /** The map has another page of this project now, or none; without a project: a list of names. */
  retire(digest: Digest, project: ProjectName | undefined): Promise<void>;
  /** Lets go of what was retired long enough ago; `isCurrent` says what has come back since. */
  letGo(isCurrent: (project: ProjectName | undefined, digest: Digest) => Promise<boolean>): Promise<void>;
}

export function createPageBlobs(deps: {
  readonly store: Pick<BlobStore, 'open' | 'stat' | 'openPartial' | 'pin' | 'unpin'>;
  readonly state: Pick<PublisherState, 'retire' | 'retiredBefore' | 'forgetRetired'>;
  readonly clock: Clock;
}): PageBlobs {
  const { store, state, clock } = deps;
  return {
    async keep(bytes, digest, source) {
      // Before it is held: nothing may evict it in between.
      await store.pin(digest);
      if (store.stat(digest) !== undefined) return;
      await using partial = await store.openPartial(digest, { size: bytes.length });
      await partial.truncate(0);
      await partial.append(bytes, source);
      await partial.commit({ visibility: 'public' });
    },
    async held(digest) {
      await using reader = await store.open(digest);
      if (reader === undefined) return undefined;
      const bytes = await readAll(reader, limits.follow.namesBytes, `the names ${digest}`);
      return digestFromBytes(hash('sha256', bytes, 'buffer')) === digest ? bytes : undefined;
    },
    retire: (digest, project) => state.retire(clock.now(), digest, project),
    async letGo(isCurrent) {
      const old = await state.retiredBefore(Math.max(0, clock.now() - limits.publish.pagesKept));
      for (const { digest, project } of old)
        if (!(await isCurrent(project, digest))) await store.unpin(digest);
      if (old.length > 0) await state.forgetRetired(old.map(({ key }) => key));
    },
  };
}
