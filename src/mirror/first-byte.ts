/** How a client waits for the first byte of a growing file, and what it is told when that does not come. */
import { type Clock, deadline } from '../core/clock.ts';
import { NotFoundError, UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { GrowingFile } from './growing-file.ts';
import type { OpenAnswer, Patience } from './mirror.ts';

/** True when the byte at `offset` can be read; false when the file failed or time is up. Rejects when the client leaves. */
export async function firstByte(
  clock: Clock,
  growth: GrowingFile,
  offset: number,
  patience: Patience,
  leftBehind: () => boolean = () => false,
): Promise<boolean> {
  const since = clock.monotonic();
  const ready = (): boolean => offset < growth.out || growth.verified;
  using limit = deadline(clock, patience.wait ?? limits.gateway.wait, patience.signal);
  try {
    while (!ready() && growth.failure === undefined && !leftBehind()) {
      await growth.changed(offset, since, limit.signal);
    }
  } catch {
    patience.signal?.throwIfAborted();
    // Better one byte of what is held back than an error.
    if (offset === growth.out) growth.drip();
  }
  return ready() && growth.failure === undefined;
}

export function refusal(failure: Error): Exclude<OpenAnswer, { kind: 'opened' }> {
  if (failure instanceof NotFoundError) return { kind: 'absent' };
  const retryAfterSeconds =
    failure instanceof UnavailableError ? failure.retryAfterSeconds : limits.gateway.retryAfterSeconds;
  return { kind: 'unknown', reason: failure.message, retryAfterSeconds };
}
