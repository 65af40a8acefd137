/**
 * Canonical pages and lists of names as public blobs that peers can fetch by their digest. Pinned while the map has them,
 * and for 48 hours after.
 */
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { PublisherState } from './publisher-state.ts';

export interface PageBlobs {
  /** Held and pinned when it resolves. @throws StorageFullError */
  keep(bytes: Uint8Array, digest: Digest, source: string): Promise<void>;
  /** The map has another page of this project now, or none; without a project: a list of names. */
  retire(digest: Digest, project: ProjectName | undefined): Promise<void>;
  /** Lets go of what was retired long enough ago; `isCurrent` says what has come back since. */
  letGo(isCurrent: (project: ProjectName | undefined, digest: Digest) => Promise<boolean>): Promise<void>;
}

export function createPageBlobs(deps: {
  readonly store: Pick<BlobStore, 'stat' | 'openPartial' | 'pin' | 'unpin'>;
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
    retire: (digest, project) => state.retire(clock.now(), digest, project),
    async letGo(isCurrent) {
      const old = await state.retiredBefore(Math.max(0, clock.now() - limits.publish.pagesKept));
      for (const { digest, project } of old)
        if (!(await isCurrent(project, digest))) await store.unpin(digest);
      if (old.length > 0) await state.forgetRetired(old.map(({ key }) => key));
    },
  };
}
