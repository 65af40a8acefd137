/** One client's view of a flight: reads what may be let out, waits for the rest, and learns when its bytes proved wrong. */
import { type Clock, deadline } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import type { SourceKind } from '../core/facts.ts';
import type { ReadOptions } from '../store/blob-store.ts';
import type { GrowingFile } from './growing-file.ts';
import type { OpenedFile } from './mirror.ts';

/** Somebody who needs the bytes from `position` on. */
export interface Seat {
  position: number;
  /** Set when it is too slow for the others. */
  leftBehind: boolean;
}

export interface ReaderDeps {
  readonly clock: Clock;
  readonly growth: GrowingFile;
  readonly seat: Seat;
  /** How long a read beyond what has arrived may wait, ms. */
  readonly wait: number;
  readonly source: SourceKind;
  readonly landed?: Promise<void>;
  readAt(target: Uint8Array, offset: number): Promise<number>;
  moved(): void;
  leave(): void;
}

export function createFlightReader(deps: ReaderDeps): OpenedFile {
  const { clock, growth, seat } = deps;
  /** The generation of the bytes that were given out. */
  let received: number | undefined;
  let open = true;

  async function read(target: Uint8Array, offset: number, options?: ReadOptions): Promise<number> {
    const since = clock.monotonic();
    seat.position = offset;
    deps.moved();
    if (target.length === 0) return 0;
    for (;;) {
      if (!open) throw new UnavailableError('this file was closed by its reader');
      if (seat.leftBehind) throw new UnavailableError('read too slowly while the disk is full');
      growth.check(received);
      const { generation, out } = growth;
      if (offset < out) {
        const got = await readNow(target.subarray(0, Math.min(target.length, out - offset)), offset);
        // The bytes may have proved wrong meanwhile: then they are not given out.
        if (growth.generation !== generation) continue;
        if (got === 0) throw new UnavailableError(`byte ${offset} is not kept any more`);
        received = generation;
        seat.position = offset + got;
        deps.moved();
        return got;
      }
      if (growth.verified) return 0;
      await waitForMore(offset, since, options?.signal);
    }
  }

  /** A flight that failed closes what is read from: then its failure is the reason. */
  async function readNow(target: Uint8Array, offset: number): Promise<number> {
    try {
      return await deps.readAt(target, offset);
    } catch (error) {
      growth.check(received);
      throw error;
    }
  }

  async function waitForMore(offset: number, since: number, signal: AbortSignal | undefined): Promise<void> {
    if (offset <= growth.arrived) {
      await growth.changed(offset, since, signal);
      return;
    }
    using limit = deadline(clock, Math.max(0, since + deps.wait - clock.monotonic()), signal);
    try {
      await growth.changed(offset, since, limit.signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw new UnavailableError(`byte ${offset} is not here yet; ${growth.arrived} bytes are`, [], 2, {
        cause: error,
      });
    }
  }

  return {
    source: deps.source,
    ...(deps.landed === undefined ? {} : { landed: deps.landed }),
    get complete() {
      return growth.verified;
    },
    get size() {
      return growth.size;
    },
    get available() {
      return growth.out;
    },
    async knownSize(options) {
      while (growth.size === undefined && growth.arrived === 0 && growth.failure === undefined) {
        await growth.changed(0, clock.monotonic(), options?.signal);
      }
      return growth.size;
    },
    read,
    async [Symbol.asyncDispose]() {
      if (!open) return;
      open = false;
      deps.leave();
    },
  };
}
