/**
 * The single flight of a blob, whoever waits for it. Always true: bytes are written in order by this flight alone, with
 * their sender; nothing above the held-back part is let out before the SHA-256 fits; it is let out at the hash, not at
 * the fsync; wrong bytes are dropped and fetched again; what arrived of an unfinished blob is kept as a partial.
 */
import type { Timer } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { FondueError, type StorageFullError, UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Priority } from '../network/peer-network.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { firstByte, refusal } from './first-byte.ts';
import { type FlightGround, isFull, openGround } from './flight-ground.ts';
import { createFlightReader, type Seat } from './flight-reader.ts';
import { createFlightVerdict } from './flight-verdict.ts';
import { createGrowingFile } from './growing-file.ts';
import type { FileRef, OpenAnswer, Patience } from './mirror.ts';
import type { SupplyTarget } from './source-lanes.ts';
import { createSupply, type SupplyDeps } from './source-supply.ts';

export interface FlightDeps extends SupplyDeps {
  readonly store: BlobStore;
  /** The store has no room. */
  noRoom(error: StorageFullError): void;
}

export interface FlightRequest {
  readonly digest: Digest;
  readonly ref: FileRef;
  readonly private: boolean;
  readonly priority: Priority;
  /** Another flight of this blob has the store's partial. */
  readonly passThrough: boolean;
}

export interface Flight {
  /** Waits for the byte at `offset` as long as the client can. */
  open(offset: number, patience: Patience): Promise<OpenAnswer>;
  /** False when what a reader from `offset` on needs is gone (pass-through). */
  joinable(offset: number): boolean;
  readonly failed: boolean;
  /** Somebody else wants it, who may know more of it. */
  join(request: Pick<FlightRequest, 'ref' | 'private' | 'priority'>): void;
  readonly size: number | undefined;
  /** Resolves when nothing more is to be had of it that the store does not have; never rejects. */
  readonly gone: Promise<void>;
  close(): Promise<void>;
}

export function startFlight(deps: FlightDeps, request: FlightRequest): Flight {
  const { clock } = deps;
  const { digest } = request;
  const growth = createGrowingFile(clock);
  const seats = new Set<Seat>();
  const gone = Promise.withResolvers<void>();
  const ending = Promise.withResolvers<never>();
  ending.promise.catch(() => undefined);
  let { url, size: pageSize } = request.ref;
  let { private: isPrivate, priority } = request;
  let toldSize: number | undefined;
  let ground: FlightGround | undefined;
  let whole = Promise.withResolvers<void>();
  whole.promise.catch(() => undefined);
  let adopted: { bytes: Uint8Array; source: string } | undefined;
  const adoptionOver = Promise.withResolvers<void>();
  let linger: Timer | undefined;
  let landed = false;

  const target: SupplyTarget = {
    digest,
    get url() {
      return url;
    },
    get private() {
      return isPrivate;
    },
    get priority() {
      return priority;
    },
    get here() {
      return ground?.here ?? 0;
    },
    get size() {
      return pageSize ?? toldSize;
    },
    learnSize(size, from) {
      const known = pageSize ?? toldSize;
      if (size > limits.file.bytes) return false;
      if (known !== undefined) return known === size;
      // A peer's word for a size that nobody vouches for would turn the upstream's true one into a contradiction.
      if (from === 'peer') return true;
      toldSize = size;
      growth.learnSize(size);
      finishIfWhole();
      return true;
    },
    append(bytes, source) {
      const wait = ground?.take(bytes, source);
      if (target.here > limits.file.bytes)
        whole.reject(new UnavailableError(`${url} is larger than any file may be`));
      finishIfWhole();
      return wait;
    },
    ended() {
      supply.rest();
      ground?.drained().then(
        () => whole.resolve(),
        () => undefined,
      );
    },
    adopt(bytes, source) {
      adopted = { bytes, source };
      whole.resolve();
      return adoptionOver.promise;
    },
    withhold: () => growth.withhold(target.here),
    gaveUp: (failure) => whole.reject(failure),
  };
  const supply = createSupply(deps, target);
  const verdict = createFlightVerdict({
    ...deps,
    digest,
    supply,
    growth,
    visibility: () => (isPrivate ? 'private' : 'public'),
    peersAsked: () => !isPrivate && deps.ask !== 'none',
  });

  function finishIfWhole(): void {
    if (target.size !== undefined && target.here >= target.size) target.ended();
  }

  async function start(passThrough: boolean): Promise<FlightGround> {
    const groundDeps = {
      ...deps,
      onTaken: (length: number) => growth.grow(length),
      onFailure: (error: unknown) => whole.reject(error),
      leaveBehind,
    };
    try {
      return await openGround(groundDeps, { digest, size: target.size, passThrough });
    } catch (error) {
      if (!isFull(error) || passThrough) throw error;
      deps.noRoom(error);
      return start(true);
    }
  }

  async function fly(): Promise<boolean> {
    const at = (ground = await start(request.passThrough));
    growth.grow(at.length);
    for (;;) {
      if (target.size !== undefined) growth.learnSize(target.size);
      if (await fetchWhole(at)) break;
      await drop(at);
    }
    growth.verify(at.length);
    return verdict.right(at);
  }

  async function drop(at: FlightGround): Promise<void> {
    toldSize = undefined;
    await verdict.wrong(at);
  }

  /** All that is missing; true when the hash fits. */
  async function fetchWhole(at: FlightGround): Promise<boolean> {
    const { size } = target;
    if (size !== undefined ? at.here >= size : at.here > 0) {
      if ((await at.actualDigest()) === digest) return true;
      if (size !== undefined) return false;
    }
    whole = Promise.withResolvers();
    whole.promise.catch(() => undefined);
    supply.begin(verdict.solo);
    try {
      await Promise.race([whole.promise, ending.promise]);
      supply.halt();
      if (adopted !== undefined) await complete(at, adopted);
      await at.drained();
    } catch (error) {
      supply.halt();
      if (!isFull(error) || !at.stored) throw error;
      deps.noRoom(error);
      await at.spill();
      return fetchWhole(at);
    }
    return (await at.actualDigest()) === digest;
  }

  /** With a stranger's blob that fits: what is here is gone on with, and if it was wrong, replaced. */
  async function complete(at: FlightGround, blob: { bytes: Uint8Array; source: string }): Promise<void> {
    const slice = limits.gateway.copyBuffer;
    for (let { here } = at; here < blob.bytes.length; { here } = at) {
      await Promise.race([at.take(blob.bytes.subarray(here, here + slice), blob.source), ending.promise]);
      await Promise.race([at.drained(), ending.promise]);
    }
    if ((await at.actualDigest()) === digest) return;
    await drop(at);
    await complete(at, blob);
  }

  /** A full window waits for the slowest reader while another has nothing to read. */
  function leaveBehind(): void {
    if (![...seats].some(({ position }) => position >= growth.out)) return;
    const slowest = Math.min(...[...seats].map(({ position }) => position));
    for (const seat of seats) if (seat.position === slowest && slowest < growth.out) seat.leftBehind = true;
    growth.nudge();
    releaseRead();
  }

  function releaseRead(): void {
    const needed = [...seats].filter(({ leftBehind }) => !leftBehind).map(({ position }) => position);
    if (needed.length > 0) ground?.release(Math.min(...needed));
  }

  function sit(position: number): Seat {
    linger?.cancel();
    const seat = { position, leftBehind: false };
    seats.add(seat);
    return seat;
  }

  function rise(seat: Seat): void {
    seats.delete(seat);
    releaseRead();
    if (seats.size > 0) return;
    if (landed) void shut();
    else {
      const time = ground?.stored === false ? 0 : limits.freshness.fileLinger;
      const end = (): void => {
        // Hashing what was kept of a large file takes longer than that; who comes meanwhile must not find an ended flight.
        if (ground === undefined) linger = clock.setTimer(end, time);
        else ending.reject(new UnavailableError('nobody waits for this file any more'));
      };
      linger = clock.setTimer(end, time);
    }
  }

  async function leaveGround(): Promise<void> {
    try {
      await ground?.[Symbol.asyncDispose]();
    } catch {
      // A file that cannot be closed (a failing disk) keeps nobody waiting for the next flight.
    }
  }

  async function shut(): Promise<void> {
    linger?.cancel();
    growth[Symbol.dispose]();
    await leaveGround();
    gone.resolve();
  }

  async function land(): Promise<void> {
    let stored: boolean;
    try {
      stored = await fly();
    } catch (error) {
      growth.fail(
        error instanceof FondueError
          ? error
          : new UnavailableError(`${request.ref.filename}: ${String(error)}`, [], 2, { cause: error }),
      );
      // At once: the next flight wants the partial.
      await leaveGround();
      stored = true;
    }
    landed = true;
    adoptionOver.resolve();
    await supply.close();
    if (stored) gone.resolve();
    if (seats.size === 0) await shut();
  }
  const landing = land();

  return {
    async open(offset, patience) {
      const wait = patience.wait ?? limits.gateway.wait;
      const seat = sit(offset);
      let seated = false;
      try {
        seated = await firstByte(clock, growth, offset, patience, () => seat.leftBehind);
      } finally {
        if (!seated) rise(seat);
      }
      if (!seated) {
        const tried = supply.attempts.length > 0 ? `: ${supply.attempts.join('; ')}` : '';
        const late = `${request.ref.filename} did not come within ${wait} ms${tried}`;
        return refusal(growth.failure ?? new UnavailableError(late, supply.attempts));
      }
      const file = createFlightReader({
        clock,
        growth,
        seat,
        wait,
        landed: landing,
        source: ground?.firstSource?.startsWith('peer:') ? 'peer' : 'upstream',
        readAt: (bytes, from) => (ground as FlightGround).read(bytes, from),
        moved: releaseRead,
        leave: () => rise(seat),
      });
      return { kind: 'opened', file };
    },
    joinable: (offset) => ground?.reaches(offset) ?? true,
    get failed() {
      return growth.failure !== undefined;
    },
    join(other) {
      if (url === '') url = other.ref.url;
      priority = Math.min(priority, other.priority) as Priority;
      const { size } = other.ref;
      if (pageSize === undefined && size !== undefined && (toldSize ?? size) === size) {
        pageSize = size;
        growth.learnSize(size);
        if (ground !== undefined) finishIfWhole();
      }
      if (other.private && !isPrivate) {
        isPrivate = true;
        supply.becomePrivate();
      }
    },
    get size() {
      return target.size;
    },
    gone: gone.promise,
    async close() {
      ending.reject(new UnavailableError('this node is closing'));
      await landing;
      await shut();
    },
  };
}
