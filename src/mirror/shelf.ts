/**
 * What peers may read of the store: complete, verified, public blobs. Always true: private and absent look the same; a
 * peer's request marks no use and fetches nothing.
 */
import type { Digest } from '../core/digest.ts';
import type { Shelf } from '../network/peer-network.ts';
import type { BlobStat, BlobStore } from '../store/blob-store.ts';

export function createShelf(
  store: Pick<BlobStore, 'stat' | 'open' | 'list' | 'verify' | 'publicFolder'>,
): Shelf {
  const publicStat = (digest: Digest): BlobStat | undefined => {
    const stat = store.stat(digest);
    return stat?.visibility === 'public' ? stat : undefined;
  };
  return {
    size: (digest) => publicStat(digest)?.size,
    folder: store.publicFolder,
    async open(digest) {
      if (publicStat(digest) === undefined) return undefined;
      const reader = await store.open(digest);
      // It may have become private while it was opened.
      if (reader !== undefined && publicStat(digest) === undefined) {
        await reader[Symbol.asyncDispose]();
        return undefined;
      }
      return reader;
    },
    reportCorrupt(digest) {
      // The store hashes it again itself and takes it out of service; a failing disk is told by the next open.
      store.verify(digest).catch(() => undefined);
    },
    *shared() {
      for (const { digest, visibility } of store.list()) if (visibility === 'public') yield digest;
    },
  };
}
