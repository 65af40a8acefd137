/** Waits for a promise no longer than a client can; the work behind the promise goes on. */
import type { Clock } from '../core/clock.ts';

export const OUT_OF_TIME = Symbol('out of time');

/** Resolves to the value, or to OUT_OF_TIME after `ms`; rejects with the signal's reason when the client leaves. */
export async function waitFor<T>(
  clock: Clock,
  promise: Promise<T>,
  ms: number,
  signal?: AbortSignal,
): Promise<T | typeof OUT_OF_TIME> {
  // Who has left already hears nothing of it: a rejection that nobody handles would end the program.
  promise.catch(() => undefined);
  signal?.throwIfAborted();
  const { promise: ended, resolve, reject } = Promise.withResolvers<typeof OUT_OF_TIME>();
  const timer = clock.setTimer(() => resolve(OUT_OF_TIME), ms);
  const leave = (): void => reject(signal?.reason as Error);
  signal?.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    timer.cancel();
    signal?.removeEventListener('abort', leave);
  }
}
