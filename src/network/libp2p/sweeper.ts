/** Calls everybody that watches a time limit once a second, with one timer for all, and none while nobody watches. */
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';

export interface Sweeper extends Disposable {
  /** `check` gets the monotonic time; returns how to stop it. */
  watch(check: (now: number) => void): () => void;
}

export function createSweeper(clock: Clock): Sweeper {
  const checks = new Set<(now: number) => void>();
  let timer: Timer | undefined;
  const arm = (): void => {
    timer = checks.size > 0 ? clock.setTimer(sweep, limits.blob.sweep) : undefined;
  };
  const sweep = (): void => {
    const now = clock.monotonic();
    for (const check of checks) check(now);
    arm();
  };
  return {
    watch(check) {
      checks.add(check);
      if (!timer) arm();
      return () => void checks.delete(check);
    },
    [Symbol.dispose]() {
      checks.clear();
      timer?.cancel();
    },
  };
}
