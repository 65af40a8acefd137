/**
 * A file as it grows: how far its readers may read, and who waits for more. Always true: `out` never goes back within a
 * generation, and before the hash fits it stays below what is held back (`held-tail.ts`). A generation ends when its
 * bytes proved wrong: who has received some of them must be told, all others start anew without noticing.
 */
import type { Clock, Timer } from '../core/clock.ts';
import type { IntegrityError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Arrived, dripOut, letOut } from './held-tail.ts';

interface Waiter {
  readonly offset: number;
  readonly since: number;
  wake(): void;
}

export interface GrowingFile {
  readonly arrived: number;
  readonly size: number | undefined;
  /** The first byte that may not be read yet. */
  readonly out: number;
  readonly generation: number;
  readonly verified: boolean;
  readonly failure: Error | undefined;
  /** Bytes below `length` are here. */
  grow(length: number): void;
  learnSize(size: number | undefined): void;
  /** From here on the bytes are a stranger's and wait for the hash, as long as that is not too long. */
  withhold(from: number): void;
  /** The hash fits: all of it may go out. */
  verify(size: number): void;
  /** All bytes were wrong: begins a new generation. */
  restart(wrong: IntegrityError): void;
  fail(error: Error): void;
  /** Lets out one byte more for somebody who can wait no longer; false when there is none. */
  drip(): boolean;
  /** Wakes everybody: something else has changed. */
  nudge(): void;
  /** Throws what a reader that received bytes of `generation` (undefined: none) must be told. */
  check(generation: number | undefined): void;
  /** Resolves at the next change. `since`: when this client began to wait; after 8 s it gets a byte if there is one. */
  changed(offset: number, since: number, signal?: AbortSignal): Promise<void>;
  [Symbol.dispose](): void;
}

export function createGrowingFile(clock: Clock): GrowingFile {
  const waiters = new Set<Waiter>();
  let state: Arrived = { arrived: 0, size: undefined, verified: false, out: 0, withheldFrom: undefined };
  let generation = 0;
  let wrong: IntegrityError | undefined;
  let failure: Error | undefined;
  let dripTimer: Timer | undefined;
  let holdTimer: Timer | undefined;

  function update(change: Partial<Arrived>): void {
    state = { ...state, ...change };
    const out = letOut(state);
    if (out > state.out || change.size !== undefined || state.verified) {
      state = { ...state, out };
      wakeAll();
    } else planDrip();
  }

  function wakeAll(): void {
    for (const waiter of waiters) waiter.wake();
  }

  function drip(): boolean {
    const out = dripOut(state);
    if (out <= state.out) return false;
    state = { ...state, out };
    wakeAll();
    return true;
  }

  /** For the client that waits longest where the next byte would help it. */
  function planDrip(): void {
    dripTimer?.cancel();
    dripTimer = undefined;
    if (failure !== undefined || dripOut(state) <= state.out) return;
    const since = Math.min(...[...waiters].filter(({ offset }) => offset === state.out).map((w) => w.since));
    if (!Number.isFinite(since)) return;
    dripTimer = clock.setTimer(drip, Math.max(0, since + limits.fetch.drip - clock.monotonic()));
  }

  return {
    get arrived() {
      return state.arrived;
    },
    get size() {
      return state.size;
    },
    get out() {
      return state.out;
    },
    get generation() {
      return generation;
    },
    get verified() {
      return state.verified;
    },
    get failure() {
      return failure;
    },
    grow(length) {
      if (length > state.arrived) update({ arrived: length });
    },
    learnSize: (size) => update({ size }),
    withhold(from) {
      if (state.withheldFrom !== undefined && state.withheldFrom !== Infinity) return;
      update({ withheldFrom: from });
      holdTimer = clock.setTimer(() => update({ withheldFrom: Infinity }), limits.fetch.strangerHold);
    },
    verify(size) {
      update({ size, arrived: size, verified: true });
    },
    restart(error) {
      wrong = error;
      generation++;
      holdTimer?.cancel();
      holdTimer = undefined;
      state = { arrived: 0, size: undefined, verified: false, out: 0, withheldFrom: undefined };
      wakeAll();
    },
    fail(error) {
      failure ??= error;
      dripTimer?.cancel();
      wakeAll();
    },
    drip,
    nudge: wakeAll,
    check(received) {
      if (received !== undefined && received !== generation && wrong !== undefined) throw wrong;
      if (failure !== undefined) throw failure;
    },
    changed(offset, since, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const leave = (): void => finish(() => reject(signal?.reason as Error));
      const waiter: Waiter = { offset, since, wake: () => finish(resolve) };
      const finish = (then: () => void): void => {
        waiters.delete(waiter);
        signal?.removeEventListener('abort', leave);
        then();
        if (waiters.size === 0) dripTimer?.cancel();
      };
      waiters.add(waiter);
      if (signal?.aborted) leave();
      else signal?.addEventListener('abort', leave, { once: true });
      if (offset === state.out) planDrip();
      return promise;
    },
    [Symbol.dispose]() {
      dripTimer?.cancel();
      holdTimer?.cancel();
    },
  };
}
