/** A clock that moves only when told. `advance` runs due timers in order, letting promises settle between them. */
import type { Clock, Timer } from '../../src/core/clock.ts';

export interface FakeClock extends Clock {
  advance(ms: number): Promise<void>;
  /** Moves the wall clock only (a clock that was set). */
  jump(ms: number): void;
  readonly pending: number;
}

export function createFakeClock(start = Date.UTC(2026, 10, 22)): FakeClock {
  let elapsed = 0;
  let wallOffset = start;
  let sequence = 0;
  const timers = new Map<number, { due: number; callback: () => void }>();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => wallOffset + Math.floor(elapsed),
    monotonic: () => elapsed,
    setTimer(callback, ms): Timer {
      const id = ++sequence;
      timers.set(id, { due: elapsed + Math.max(0, ms), callback });
      return { cancel: () => timers.delete(id) };
    },
    async advance(ms) {
      const end = elapsed + ms;
      await settle();
      for (;;) {
        let next: { id: number; due: number; callback: () => void } | undefined;
        for (const [id, timer] of timers) {
          if (timer.due <= end && (next === undefined || timer.due < next.due)) next = { id, ...timer };
        }
        if (next === undefined) break;
        timers.delete(next.id);
        elapsed = next.due;
        next.callback();
        await settle();
      }
      elapsed = end;
      await settle();
    },
    jump(ms) {
      wallOffset += ms;
    },
    get pending() {
      return timers.size;
    },
  };
}
