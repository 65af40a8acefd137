/** Brings one file into the store without reading it: waits for its last byte, which goes out at the hash only. */
import type { Clock } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Priority } from '../network/peer-network.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { CallOptions, FileRef, Mirror, OpenedFile } from './mirror.ts';
import { ownerPatience } from './owner-patience.ts';
import { OUT_OF_TIME, waitFor } from './wait-for.ts';

export interface FetchAheadDeps {
  readonly mirror: Pick<Mirror, 'openFile'>;
  readonly store: Pick<BlobStore, 'stat'>;
  readonly clock: Clock;
  readonly upstream: Pick<Upstream, 'status'>;
}

export type FetchedAhead =
  { readonly kind: 'held'; readonly bytes: number } | { readonly kind: 'failure'; readonly reason: string };

/** How long making it durable may take: gigabytes on a slow disk take minutes. */
const COMMIT_TIME = 10 * 60_000;

export async function fetchAhead(
  deps: FetchAheadDeps,
  ref: FileRef,
  options: CallOptions & { priority: Priority },
): Promise<FetchedAhead> {
  const { mirror, store, clock } = deps;
  const { digest, filename } = ref;
  let late = false;
  if (digest === undefined)
    return { kind: 'failure', reason: `${filename}: without a sha256 it is never kept` };
  try {
    const answer = await mirror.openFile(ref, { ...options, wait: ownerPatience(deps.upstream) });
    if (answer.kind === 'absent')
      return { kind: 'failure', reason: `${filename}: the upstream does not have it` };
    if (answer.kind === 'unknown') return { kind: 'failure', reason: `${filename}: ${answer.reason}` };
    await using file = answer.file;
    await waitForEnd(file, ref.size ?? (await file.knownSize(options)), options);
    // It is verified; whether it is kept shows when it is durable, or cannot be.
    if (file.landed !== undefined)
      late = (await waitFor(clock, file.landed, COMMIT_TIME, options.signal)) === OUT_OF_TIME;
  } catch (error) {
    options.signal?.throwIfAborted();
    return {
      kind: 'failure',
      reason: `${filename}: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
  const stat = store.stat(digest);
  if (stat !== undefined) return { kind: 'held', bytes: stat.size };
  const why = late
    ? `the disk did not make it durable within ${COMMIT_TIME / 60_000} minutes`
    : 'there is no room to keep it; raise --quota or free the disk';
  return { kind: 'failure', reason: `${filename}: ${why}` };
}

/** The last byte is let out when all is verified; of an unknown size all is read. */
async function waitForEnd(file: OpenedFile, size: number | undefined, options: CallOptions): Promise<void> {
  const buffer = new Uint8Array(size === undefined ? limits.gateway.copyBuffer : 1);
  let offset = size === undefined ? 0 : Math.max(0, size - 1);
  for (let before = -1; ;) {
    try {
      const got = await file.read(buffer, offset, options);
      if (got === 0) return;
      offset += got;
    } catch (error) {
      // Each read has its own limit: while bytes come, it is tried again.
      if (!(error instanceof UnavailableError) || file.available <= before) throw error;
      before = file.available;
    }
  }
}
