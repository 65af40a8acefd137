/** Metadata as blobs of the store: read whole, kept whole. A store that cannot keep them costs a request later, nothing now. */
import { createHash } from 'node:crypto';
import { digestFromBytes, type Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { BlobStore, Visibility } from '../store/blob-store.ts';
import { readAll } from './read-fully.ts';

export interface MetadataBlobs {
  read(digest: Digest): Promise<Uint8Array | undefined>;
  /** `source`: a URL, or `local` for what was made here. */
  keep(bytes: Uint8Array, digest: Digest, visibility: Visibility, source: string): Promise<void>;
}

export function digestOf(bytes: Uint8Array): Digest {
  return digestFromBytes(createHash('sha256').update(bytes).digest());
}

export function createMetadataBlobs(
  store: Pick<BlobStore, 'open' | 'openPartial' | 'stat' | 'touch' | 'markVisibility'>,
): MetadataBlobs {
  return {
    async read(digest) {
      await using blob = await store.open(digest);
      if (blob === undefined) return undefined;
      store.touch(digest);
      return await readAll(blob, limits.file.metadataBytes, digest);
    },
    async keep(bytes, digest, visibility, source) {
      if (store.stat(digest) !== undefined) {
        // Private once is private for good; public metadata may still be a private project's too.
        if (visibility === 'private') await store.markVisibility(digest, visibility);
        return;
      }
      try {
        await using partial = await store.openPartial(digest, { size: bytes.length });
        await partial.truncate(0);
        await partial.append(bytes, source);
        await partial.commit({ visibility });
      } catch {
        // Full, broken, or being written by a fetch: the bytes are right all the same, and are looked for again later.
      }
    },
  };
}
