/** `fondue warm`: fetches files ahead, a few at a time; one that fails does not stop the others. */
import { limits } from '../core/limits.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type { Priority } from '../network/peer-network.ts';
import type { ActionOptions, Outcome } from './administration.ts';
import { fetchAhead, type FetchAheadDeps } from './fetch-ahead.ts';
import type { FileRef } from './mirror.ts';
import { resolveWanted, type ResolveDeps } from './resolve-wanted.ts';

export type WarmDeps = FetchAheadDeps & ResolveDeps;

export async function warm(
  deps: WarmDeps,
  wanted: readonly WantedFile[],
  options: ActionOptions = {},
): Promise<Outcome> {
  const { signal } = options;
  const failures: string[] = [];
  const refs: FileRef[] = [];
  await inParallel(wanted, limits.fetch.warmParallel, async (one) => {
    for (const found of await resolveWanted(deps, one, { signal })) {
      if (found.kind === 'file') refs.push(found.ref);
      else failures.push(found.reason);
    }
  });
  const fetched = await fetchAll(deps, uniqueByDigest(refs), {
    ...options,
    priority: 1,
    failed: failures.length,
  });
  return { ...fetched, failures: [...failures, ...fetched.failures] };
}

/** `failed` counts what failed before. */
export async function fetchAll(
  deps: FetchAheadDeps,
  refs: readonly FileRef[],
  options: ActionOptions & { priority: Priority; failed?: number },
): Promise<Outcome> {
  const { signal, onProgress, priority, failed = 0 } = options;
  const failures: string[] = [];
  let files = 0;
  let bytes = 0;
  await inParallel(refs, limits.fetch.warmParallel, async (ref) => {
    const result = await fetchAhead(deps, ref, { signal, priority });
    const ok = result.kind === 'held';
    if (ok) {
      files++;
      bytes += result.bytes;
    } else failures.push(result.reason);
    const done = files + failures.length + failed;
    const text = ok ? ref.filename : result.reason;
    onProgress?.({ done, total: refs.length + failed, unit: 'files', text, ok });
  });
  return { files, bytes, failures };
}

function uniqueByDigest(refs: readonly FileRef[]): FileRef[] {
  return [...new Map(refs.map((ref) => [ref.digest, ref])).values()];
}

async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}
