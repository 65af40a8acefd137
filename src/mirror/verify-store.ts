/**
 * `fondue verify`: hashes every blob again. A bad one is out of service at once; it, one whose file is gone, and what is
 * pinned but missing, is fetched anew from peers or the upstream. What could not be mended is a failure of its own.
 */
import type { Digest } from '../core/digest.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ActionOptions, VerifyOutcomeReport } from './administration.ts';
import { fetchAhead, type FetchAheadDeps } from './fetch-ahead.ts';
import type { FileRef } from './mirror.ts';
import { resolveWanted, type ResolveDeps } from './resolve-wanted.ts';

export type VerifyDeps = Omit<FetchAheadDeps, 'store'> &
  ResolveDeps & { readonly store: Pick<BlobStore, 'stat' | 'list' | 'verify' | 'pins' | 'visibility'> };

export async function verifyStore(
  deps: VerifyDeps,
  options: ActionOptions = {},
): Promise<VerifyOutcomeReport> {
  const { store } = deps;
  const { signal, onProgress } = options;
  // Blobs come and go meanwhile: what is here now is checked.
  const stats = [...store.list()];
  const lost = store.pins().filter((digest) => store.stat(digest) === undefined);
  const total = stats.length + lost.length;
  const failures: string[] = [];
  let [files, bytes, corrupt, repaired, done] = [0, 0, 0, 0, 0];

  async function repair(digest: Digest, what: string): Promise<void> {
    const result = await fetchAhead(deps, await refOf(deps, digest, options), { signal, priority: 2 });
    if (result.kind === 'held') {
      repaired++;
      onProgress?.({
        done: ++done,
        total,
        unit: 'blobs',
        text: `${digest}: ${what}, fetched anew`,
        ok: true,
      });
      return;
    }
    failures.push(`${digest}: ${what}, and not fetched anew: ${result.reason}`);
    onProgress?.({ done: ++done, total, unit: 'blobs', text: failures.at(-1) ?? '', ok: false });
  }

  for (const { digest, size } of stats) {
    signal?.throwIfAborted();
    // Evicted since the list was made: nothing is wrong. While it is verified it is not.
    if (store.stat(digest) === undefined) {
      onProgress?.({ done: ++done, total, unit: 'blobs', text: digest, ok: true });
      continue;
    }
    let outcome: Awaited<ReturnType<BlobStore['verify']>>;
    try {
      outcome = await store.verify(digest, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(`${digest}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      onProgress?.({ done: ++done, total, unit: 'blobs', text: failures.at(-1) ?? '', ok: false });
      continue;
    }
    if (outcome === 'corrupt') {
      corrupt++;
      await repair(digest, 'its bytes had changed');
      continue;
    }
    if (outcome === 'missing') {
      await repair(digest, 'its file was gone');
      continue;
    }
    files++;
    bytes += size;
    onProgress?.({ done: ++done, total, unit: 'blobs', text: digest, ok: true });
  }
  for (const digest of lost) await repair(digest, 'pinned and missing');
  return { files, bytes, failures, corrupt, repaired };
}

/** With its page where one names it; otherwise by digest alone, which peers may know. */
async function refOf(deps: VerifyDeps, digest: Digest, options: ActionOptions): Promise<FileRef> {
  const [found] = await resolveWanted(deps, { kind: 'blob', digest }, { signal: options.signal });
  if (found?.kind === 'file') return found.ref;
  const origin = await deps.catalog.fileOrigin(digest);
  return {
    project: origin?.project ?? ('unknown' as ProjectName),
    filename: origin?.filename ?? digest,
    url: '',
    digest,
    size: undefined,
    private: deps.store.visibility(digest) === 'private',
    file: undefined,
  };
}
