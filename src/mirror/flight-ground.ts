/**
 * Where a flight's bytes lie: the store's partial, or a window in memory when the store has no room. Always true: bytes
 * are written in order, one call at a time; after a failed write nothing more is written before `spill` or `restart`; what
 * was taken can be read at once, written or not. Each write and each read of a file costs a turn of another thread (0.1 ms
 * of this one's time): so writes are large, and readers that keep up are given what came.
 */
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { StorageFullError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { BlobStore, PartialBlob, SentRange, Visibility } from '../store/blob-store.ts';
import { FreshBytes } from './fresh-bytes.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { createPassThrough, type PassThrough } from './pass-through.ts';

export interface FlightGround extends AsyncDisposable {
  /** Bytes taken, some of them perhaps not written yet: the next one wanted. */
  readonly here: number;
  readonly length: number;
  readonly sent: readonly SentRange[];
  /** Who sent the first byte; undefined before there is one. */
  readonly firstSource: string | undefined;
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
}

export interface GroundDeps {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  /** Bytes below `length` can be read. */
  onTaken(length: number): void;
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
  const wantedRoom = Math.min(limits.fetch.freshRoom, size ?? Infinity);
  const room = memory.take(wantedRoom) ? wantedRoom : 0;
  const fresh = new FreshBytes(partial?.length ?? 0, room);
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

  async function write(least: () => boolean): Promise<void> {
    try {
      while (failure === undefined && least()) {
        const run = fresh.nextRun();
        if (run === undefined) return;
        const to = ground();
        await to.append(run.bytes, run.source);
        fresh.wrote(to.length);
        if (passing === undefined) continue;
        fresh.release(to.length);
        deps.onTaken(to.length);
      }
    } catch (error) {
      fresh.wrote(ground().length);
      failure ??= error;
      if (!closed) deps.onFailure(error);
    }
  }

  const writeAll = (): Promise<void> => (queue = queue.then(() => write(() => true)));

  return {
    get here() {
      return fresh.end;
    },
    get length() {
      return ground().length;
    },
    get sent() {
      return ground().sent;
    },
    get firstSource() {
      return ground().sent[0]?.source ?? fresh.firstSource;
    },
    get stored() {
      return passing === undefined;
    },
    take(bytes, source) {
      fresh.add(bytes, source);
      if (passing !== undefined) return writeAll();
      deps.onTaken(fresh.end);
      if (fresh.worthWriting) queue = queue.then(() => write(() => fresh.worthWriting));
      return fresh.unwritten > limits.fetch.unwritten ? queue : undefined;
    },
    async drained() {
      await writeAll();
      if (failure !== undefined) throw failure;
    },
    async read(target, offset) {
      return fresh.read(target, offset) || ground().read(target, offset);
    },
    async actualDigest() {
      await writeAll();
      return ground().actualDigest();
    },
    async restart() {
      await queue;
      failure = undefined;
      await ground().truncate(0);
      fresh.clear();
    },
    async spill() {
      await queue;
      if (passing !== undefined) throw failure;
      passing = await openWindow(partial);
      failure = undefined;
      void writeAll();
    },
    release(upTo) {
      fresh.release(upTo);
      passing?.release(upTo);
    },
    reaches: (offset) => passing === undefined || offset >= passing.start,
    async commit(visibility) {
      if (passing === undefined) await partial?.commit({ visibility });
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      await passing?.[Symbol.asyncDispose]();
      // Also where what did fit could not be read back, and there is no window.
      memory.give(window);
      // What is kept of an unfinished one is all that came.
      await (passing === undefined ? writeAll() : queue);
      memory.give(room);
      await partial?.[Symbol.asyncDispose]();
    },
  };
}

export function isFull(error: unknown): error is StorageFullError {
  return error instanceof StorageFullError;
}
