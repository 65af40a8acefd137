/**
 * Time and randomness as every module sees them. Nothing in `src/` reads the machine's clock or its random source
 * itself: the simulator replaces both. The real ones are in `src/system-clock.ts`.
 */

/** A timer that was set; cancelling twice is allowed. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time in integer milliseconds since 1970, UTC. May jump. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never goes back. Use it for durations and rates. */
  monotonic(): number;
  /** Calls `callback` once, `ms` from now. A pending timer does not keep the process alive. */
  setTimer(callback: () => void, ms: number): Timer;
}

export interface Randomness {
  /** `length` random bytes, fit for keys. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). */
  float(): number;
}

/** Resolves after `ms`; rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A signal that aborts with a TimeoutError after `ms`, or with `parent`'s reason; dispose it to free timer and listener. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Starts the time anew (for idle limits); default: as long as at first. */
  restart(ms?: number): void;
}

export function deadline(clock: Clock, ms: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const expire = (time: number): void =>
    controller.abort(new DOMException(`no answer within ${time} ms`, 'TimeoutError'));
  let timer = clock.setTimer(() => expire(ms), ms);
  const onParent = (): void => {
    timer.cancel();
    controller.abort(parent?.reason);
  };
  if (parent?.aborted) onParent();
  else parent?.addEventListener('abort', onParent, { once: true });
  return {
    signal: controller.signal,
    restart(next = ms) {
      timer.cancel();
      if (!controller.signal.aborted) timer = clock.setTimer(() => expire(next), next);
    },
    [Symbol.dispose]() {
      timer.cancel();
      parent?.removeEventListener('abort', onParent);
    },
  };
}
