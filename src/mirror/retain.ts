/** What stays and what goes: pins, and freeing space. A pin holds from the moment it is set, also for what is still to come. */
import type { Digest } from '../core/digest.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ActionOptions, Outcome } from './administration.ts';
import type { FileRef } from './mirror.ts';
import { resolveWanted } from './resolve-wanted.ts';
import { fetchAll, type WarmDeps } from './warm.ts';

export interface RetainDeps extends Omit<WarmDeps, 'store'> {
  readonly store: Pick<BlobStore, 'stat' | 'pin' | 'unpin' | 'collect'>;
}

/** Pins first, then fetches what is missing. */
export async function pin(
  deps: RetainDeps,
  wanted: readonly WantedFile[],
  options: ActionOptions = {},
): Promise<Outcome> {
  const refs: FileRef[] = [];
  const failures: string[] = [];
  for (const one of wanted) {
    if (one.kind !== 'release') await deps.store.pin(one.digest);
    for (const found of await resolveMissing(deps, one, options)) {
      if (found.kind === 'failure') failures.push(found.reason);
      else if (found.ref.digest !== undefined) {
        await deps.store.pin(found.ref.digest);
        refs.push(found.ref);
      }
    }
  }
  const held = wanted.flatMap((one) => (one.kind === 'release' ? [] : (deps.store.stat(one.digest) ?? [])));
  const missing = refs.filter(({ digest }) => held.every((stat) => stat.digest !== digest));
  const fetched = await fetchAll(deps, missing, { ...options, priority: 1, failed: failures.length });
  return {
    files: fetched.files + held.length,
    bytes: fetched.bytes + held.reduce((sum, { size }) => sum + size, 0),
    failures: [...failures, ...fetched.failures],
  };
}

/** A blob that is held needs no page. */
async function resolveMissing(
  deps: RetainDeps,
  one: WantedFile,
  options: ActionOptions,
): ReturnType<typeof resolveWanted> {
  if (one.kind !== 'release' && deps.store.stat(one.digest) !== undefined) return [];
  return resolveWanted(deps, one, { signal: options.signal });
}

export async function unpin(
  deps: RetainDeps,
  wanted: readonly WantedFile[],
  options: ActionOptions = {},
): Promise<Outcome> {
  const digests: Digest[] = [];
  const failures: string[] = [];
  for (const one of wanted) {
    if (one.kind !== 'release') digests.push(one.digest);
    else if (one.digests.length > 0) digests.push(...one.digests);
    else {
      for (const found of await resolveWanted(deps, one, { signal: options.signal })) {
        if (found.kind === 'failure') failures.push(found.reason);
        else if (found.ref.digest !== undefined) digests.push(found.ref.digest);
      }
    }
  }
  let bytes = 0;
  for (const digest of digests) {
    await deps.store.unpin(digest);
    bytes += deps.store.stat(digest)?.size ?? 0;
  }
  return { files: digests.length, bytes, failures };
}

/** Down to the quota, or to `bytes`. */
export async function collect(deps: Pick<RetainDeps, 'store'>, bytes: number | undefined): Promise<Outcome> {
  const gone = await deps.store.collect(bytes);
  return { files: gone.length, bytes: gone.reduce((sum, { size }) => sum + size, 0), failures: [] };
}
