/**
 * Where a flight's bytes lie: the store's partial, or a window in memory when the store has no room. Always true: bytes
 * are written in order, one call at a time; after a failed write nothing more is written before `spill` or `restart`.
 */
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { StorageFullError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { BlobStore, PartialBlob, SentRange, Visibility } from '../store/blob-store.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { createPassThrough, type PassThrough } from './pass-through.ts';

export interface FlightGround extends AsyncDisposable {
  /** Bytes taken, some of them perhaps not written yet: the next one wanted. */
  readonly here: number;
  readonly length: number;
  readonly sent: readonly SentRange[];
  /** False: a window that moves. */
  readonly stored: boolean;
  /** A promise when the source should wait before it gives more. */
  take(bytes: Uint8Array, source: string): Promise<void> | undefined;
  /** Resolves when all that was taken is written; rejects with what failed. */
  drained(): Promise<void>;
  read(target: Uint8Array, offset: number): Promise<number>;
  actualDigest(): Promise<Digest>;
  /** Forgets all bytes. */
  restart(): Promise<void>;
  /** Goes on in memory from what did fit. */
  spill(): Promise<void>;
  /** Nobody needs bytes below this any more. */
  release(upTo: number): void;
  /** True when a reader from `offset` on would find all its bytes. */
  reaches(offset: number): boolean;
  commit(visibility: Visibility): Promise<void>;
  discard(): Promise<void>;
}

export interface GroundDeps {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  onWritten(length: number): void;
  onFailure(error: unknown): void;
  /** Readers that keep a full window waiting must go. */
  leaveBehind(): void;
}

export interface GroundRequest {
  readonly digest: Digest;
  readonly size: number | undefined;
  readonly passThrough: boolean;
}

/** Opens the partial, resumed if there is one; throws StorageFullError when there is no room (call `spill`-less with `passThrough`). */
export async function openGround(deps: GroundDeps, request: GroundRequest): Promise<FlightGround> {
  const { store, clock, memory } = deps;
  const { digest, size } = request;
  let partial: PartialBlob | undefined;
  let passing: PassThrough | undefined;
  let window = 0;
  if (request.passThrough) passing = await openWindow(undefined);
  else partial = await store.openPartial(digest, { size });
  let here = partial?.length ?? 0;
  let unwritten = 0;
  let failure: unknown;
  let queue: Promise<void> = Promise.resolve();
  let closed = false;

  async function openWindow(prefix: PartialBlob | undefined): Promise<PassThrough> {
    const { passThroughWindow, passThroughLeast } = limits.fetch;
    const wanted = size === undefined ? passThroughWindow : Math.min(passThroughWindow, Math.max(1, size));
    window = memory.take(wanted) ? wanted : 0;
    return createPassThrough({
      clock,
      window: window || passThroughLeast,
      prefix,
      leaveBehind: () => deps.leaveBehind(),
    });
  }

  const ground = (): PassThrough | PartialBlob => passing ?? (partial as PartialBlob);

  async function write(bytes: Uint8Array, source: string): Promise<void> {
    try {
      if (failure !== undefined || closed) return;
      await ground().append(bytes, source);
      deps.onWritten(ground().length);
    } catch (error) {
      failure ??= error;
      if (!closed) deps.onFailure(error);
    } finally {
      unwritten -= bytes.length;
    }
  }

  return {
    get here() {
      return here;
    },
    get length() {
      return ground().length;
    },
    get sent() {
      return ground().sent;
    },
    get stored() {
      return passing === undefined;
    },
    take(bytes, source) {
      here += bytes.length;
      unwritten += bytes.length;
      queue = queue.then(() => write(bytes, source));
      return unwritten > limits.fetch.unwritten || passing !== undefined ? queue : undefined;
    },
    async drained() {
      await queue;
      if (failure !== undefined) throw failure;
    },
    read: (target, offset) => ground().read(target, offset),
    actualDigest: () => ground().actualDigest(),
    async restart() {
      await queue;
      failure = undefined;
      await ground().truncate(0);
      here = 0;
    },
    async spill() {
      await queue;
      if (passing !== undefined) throw failure;
      passing = await openWindow(partial);
      failure = undefined;
      here = passing.length;
    },
    release: (upTo) => passing?.release(upTo),
    reaches: (offset) => passing === undefined || offset >= passing.start,
    async commit(visibility) {
      if (passing === undefined) await partial?.commit({ visibility });
    },
    async discard() {
      await partial?.discard();
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      if (passing !== undefined) {
        await passing[Symbol.asyncDispose]();
        if (window > 0) memory.give(window);
      }
      await queue;
      await partial?.[Symbol.asyncDispose]();
    },
  };
}

export function isFull(error: unknown): error is StorageFullError {
  return error instanceof StorageFullError;
}
