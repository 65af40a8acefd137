/**
 * A blob being written on disk. One call after the other; an append that fails fails those queued behind it, so that no
 * byte ever lands behind a gap.
 */
import type { Digest } from '../core/digest.ts';
import { IntegrityError } from '../core/errors.ts';
import type { BlobStat, PartialBlob, Visibility } from './blob-store.ts';
import type { PartialContent } from './partial-files.ts';
import { describeSenders } from './sent-ranges.ts';

/** What a partial asks of its store. */
export interface DiskPartialOwner {
  /** Counts `bytes` more, after making room; throws StorageFullError. */
  takeRoom(bytes: number): Promise<void>;
  giveRoom(bytes: number): void;
  /** What to throw for a failed write. */
  explain(error: unknown): unknown;
  /** Moves the complete, right file to its final place and makes it durable. */
  publish(files: PartialContent, visibility: Visibility): Promise<BlobStat>;
  closed(outcome: 'kept' | 'discarded' | 'committed', length: number): void;
}

export function createDiskPartial(
  digest: Digest,
  files: PartialContent,
  owner: DiskPartialOwner,
): PartialBlob {
  let state: 'writing' | 'committed' | 'closed' = 'writing';
  let queue: Promise<unknown> = Promise.resolve();
  /** How many appends have failed; those called before the last failure fail with it. */
  let failures = 0;
  let failure: unknown;

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(() => {
      if (state !== 'writing') throw new Error(`${digest} is not being written any more`);
      return work();
    });
    queue = result.catch(() => undefined);
    return result;
  };

  async function append(bytes: Uint8Array, source: string): Promise<void> {
    const before = files.length;
    try {
      await owner.takeRoom(bytes.length);
    } catch (error) {
      failures++;
      failure = error;
      throw error;
    }
    try {
      await files.append(bytes, source);
    } catch (error) {
      owner.giveRoom(bytes.length - (files.length - before));
      failures++;
      failure = owner.explain(error);
      throw failure;
    }
  }

  async function close(outcome: 'kept' | 'discarded'): Promise<void> {
    await queue;
    if (state === 'closed') return;
    const final =
      state === 'committed' ? 'committed' : outcome === 'kept' && files.length > 0 ? 'kept' : 'discarded';
    state = 'closed';
    try {
      if (final === 'kept') await files.writeLog();
      if (final === 'discarded') await files.remove();
      owner.closed(final, files.length);
    } catch {
      // Without its log a partial proves nothing.
      await files.remove().catch(() => undefined);
      owner.closed('discarded', files.length);
    } finally {
      await files.close();
    }
  }

  return {
    digest,
    get length() {
      return files.length;
    },
    get sent() {
      return files.sent;
    },
    append(bytes, source) {
      const calledAt = failures;
      return inTurn(() => {
        if (failures !== calledAt) throw failure;
        return append(bytes, source);
      });
    },
    async read(target, offset) {
      if (state === 'closed') throw new Error(`the partial of ${digest} is closed`);
      return files.read(target, offset);
    },
    truncate: (length) =>
      inTurn(async () => {
        const before = files.length;
        if (length < before) await files.truncate(length);
        owner.giveRoom(before - files.length);
      }),
    actualDigest: () => inTurn(async () => files.digest()),
    commit: ({ visibility }) =>
      inTurn(async () => {
        const actual = await files.digest();
        if (actual !== digest) {
          throw new IntegrityError({ expected: digest, actual, source: describeSenders(files.sent) });
        }
        const stat = await owner.publish(files, visibility);
        state = 'committed';
        return stat;
      }),
    discard: () => close('discarded'),
    [Symbol.asyncDispose]: () => close('kept'),
  };
}
