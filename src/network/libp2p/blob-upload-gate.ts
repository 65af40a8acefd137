/** The user's upload limit, shared by all connections: bulk goes out only while the gate is open. */
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { createTokenBucket } from '../blob-protocol/token-bucket.ts';

export interface UploadGate extends Disposable {
  /** Whether a turn may be sent now; if not, `again` is called when it is worth asking again, in the order of asking. */
  open(again: () => void): boolean;
  spent(bytes: number): void;
}

/** `rate` in bytes a second. A turn may go into debt, so that no turn is larger than the limit allows for ever. */
export function createUploadGate(clock: Clock, rate: number): UploadGate {
  const burst = Math.max(limits.blob.writeTurn, rate / 4);
  const bucket = createTokenBucket({ rate, burst, now: clock.monotonic() });
  const waiting = new Set<() => void>();
  let timer: Timer | undefined;
  /**
   * One at a time: who then sends and must wait again stands at the end. Who is next keeps its place while the one before pays its debt:
   * woken for nothing it would stand behind that one again, for ever.
   */
  const wake = (): void => {
    const wait = bucket.wait(1, clock.monotonic());
    const [first] = wait === 0 ? waiting : [];
    if (first) waiting.delete(first);
    timer = waiting.size > 0 ? clock.setTimer(wake, Math.max(1, wait)) : undefined;
    first?.();
  };
  return {
    open(again) {
      const wait = bucket.wait(1, clock.monotonic());
      if (wait === 0) return true;
      waiting.add(again);
      timer ??= clock.setTimer(wake, wait);
      return false;
    },
    spent: (bytes) => bucket.spend(bytes, clock.monotonic()),
    [Symbol.dispose]() {
      timer?.cancel();
      waiting.clear();
    },
  };
}
