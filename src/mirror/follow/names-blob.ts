/**
 * Lists of names among this node's public blobs: its own publisher's scope and stale names, for peers that ask for them by digest. Must
 * always hold: strangers ask, so of a blob that is no such list little more than its beginning is read.
 */
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import { readAll, readPart } from '../read-fully.ts';

/** Files begin with a capital letter (archives, metadata), a brace (pages), or no letter at all. */
const BEGINNING = 256;

export async function readNamesBlob(
  store: Pick<BlobStore, 'open' | 'stat' | 'visibility'>,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  const size = store.stat(digest)?.size ?? Infinity;
  if (size > limits.follow.namesBytes || store.visibility(digest) !== 'public') return undefined;
  await using reader = await store.open(digest);
  if (reader === undefined) return undefined;
  const beginning = Buffer.from(await readPart(reader, 0, Math.min(size, BEGINNING)));
  if (!/^[a-z0-9\n-]+$/.test(beginning.toString('latin1'))) return undefined;
  return await readAll(reader, limits.follow.namesBytes, `the list ${digest}`);
}
