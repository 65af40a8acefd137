/** A blob being written in memory: the twin of `disk-partial.ts`. */
import type { Digest } from '../core/digest.ts';
import { IntegrityError } from '../core/errors.ts';
import type { BlobStat, PartialBlob, SentRange, Visibility } from './blob-store.ts';
import type { HasherFactory } from './hasher.ts';
import { clipRanges, describeSenders, extendRanges } from './sent-ranges.ts';

/** What stays of a partial between two writers. */
export interface PartialContent {
  bytes: Uint8Array;
  length: number;
  sent: SentRange[];
  /** Promised by `openPartial`; counts against others while open. */
  reserved: number;
  open: boolean;
  keptAt: number;
}

/** What a partial asks of its store. */
export interface PartialOwner {
  readonly createHasher: HasherFactory;
  /** Makes room for `bytes` more, or throws StorageFullError. */
  makeRoom(bytes: number): void;
  committed(content: PartialContent, visibility: Visibility): BlobStat;
  /** The last use of it: keep the content for later, drop it, or (after a commit) let the blob go. */
  closed(outcome: 'kept' | 'discarded' | 'committed'): void;
}

export function createMemoryPartial(
  digest: Digest,
  content: PartialContent,
  owner: PartialOwner,
): PartialBlob {
  let state: 'writing' | 'committed' | 'closed' = 'writing';
  let queue: Promise<unknown> = Promise.resolve();
  let failures = 0;
  let failure: unknown;

  const inTurn = <T>(work: () => T | Promise<T>): Promise<T> => {
    const result = queue.then(() => {
      if (state !== 'writing') throw new Error(`${digest} is not being written any more`);
      return work();
    });
    queue = result.catch(() => undefined);
    return result;
  };
  const hash = async (): Promise<Digest> => {
    const hasher = owner.createHasher();
    await hasher.update(content.bytes.subarray(0, content.length));
    return hasher.digest();
  };
  const close = async (outcome: 'kept' | 'discarded'): Promise<void> => {
    await queue;
    if (state === 'closed') return;
    owner.closed(state === 'committed' ? 'committed' : outcome);
    state = 'closed';
  };

  return {
    digest,
    get length() {
      return content.length;
    },
    get sent() {
      return content.sent;
    },
    append(bytes, source) {
      const calledAt = failures;
      return inTurn(() => {
        // Queued behind one that failed: it would land behind a gap.
        if (failures !== calledAt) throw failure;
        try {
          owner.makeRoom(bytes.length);
        } catch (error) {
          failures++;
          failure = error;
          throw error;
        }
        const end = content.length + bytes.length;
        if (end > content.bytes.length) {
          const grown = new Uint8Array(Math.max(end, 2 * content.bytes.length));
          grown.set(content.bytes.subarray(0, content.length));
          content.bytes = grown;
        }
        content.bytes.set(bytes, content.length);
        content.length = end;
        extendRanges(content.sent, bytes.length, source);
      });
    },
    async read(target, offset) {
      if (state === 'closed') throw new Error(`the partial of ${digest} is closed`);
      const part = content.bytes.subarray(offset, Math.min(content.length, offset + target.length));
      target.set(part);
      return part.length;
    },
    truncate: (length) =>
      inTurn(() => {
        if (length >= content.length) return;
        content.length = length;
        content.sent = clipRanges(content.sent, length);
      }),
    actualDigest: () => inTurn(hash),
    commit: ({ visibility }) =>
      inTurn(async () => {
        const actual = await hash();
        if (actual !== digest) {
          throw new IntegrityError({ expected: digest, actual, source: describeSenders(content.sent) });
        }
        const stat = owner.committed(content, visibility);
        state = 'committed';
        return stat;
      }),
    discard: () => close('discarded'),
    [Symbol.asyncDispose]: () => close('kept'),
  };
}
