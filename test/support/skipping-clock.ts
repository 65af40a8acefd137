/**
 * Real time that a test may hurry: `skip` moves both clocks ahead and fires what is due. For tests with real sockets, where
 * answers take their time but nobody wants to wait for a timer of 45 s. Timers below 2 s are deadlines for a peer on this
 * very machine: they get `patience` times as long, so that a busy machine does not fail the test.
 */
import type { Clock, Timer } from '../../src/core/clock.ts';

export interface SkippingClock extends Clock {
  skip(ms: number): void;
}

export function createSkippingClock(patience = 10): SkippingClock {
  let skipped = 0;
  const pending = new Set<Pending>();
  const monotonic = (): number => performance.now() + skipped;
  const arm = (entry: Pending): void => {
    clearTimeout(entry.handle);
    entry.handle = setTimeout(
      () => {
        pending.delete(entry);
        entry.callback();
      },
      Math.max(0, entry.due - monotonic()),
    );
    entry.handle.unref();
  };
  return {
    now: () => Math.floor(Date.now() + skipped),
    monotonic,
    setTimer(callback, ms): Timer {
      const entry: Pending = {
        callback,
        due: monotonic() + (ms < 2000 ? ms * patience : ms),
        handle: undefined,
      };
      pending.add(entry);
      arm(entry);
      return {
        cancel() {
          clearTimeout(entry.handle);
          pending.delete(entry);
        },
      };
    },
    skip(ms) {
      skipped += ms;
      for (const entry of [...pending].toSorted((a, b) => a.due - b.due)) arm(entry);
    },
  };
}

interface Pending {
  readonly callback: () => void;
  readonly due: number;
  handle: NodeJS.Timeout | undefined;
}
