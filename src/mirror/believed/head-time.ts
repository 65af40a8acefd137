/**
 * Now, for ages: the highest now that the head has seen, and since then never slower than the monotonic clock. A clock
 * that was set back would stand still by itself, and with it every age. Only a person makes it less (`resetClock`).
 */
import type { Clock } from '../../core/clock.ts';
import type { IndexHead } from '../follow/index-head.ts';

export function createHeadTime(
  head: Pick<IndexHead, 'now' | 'clockResets'>,
  clock: Pick<Clock, 'monotonic'>,
): () => number {
  let last = { now: head.now(), at: clock.monotonic() };
  let resets = head.clockResets?.();
  return () => {
    if (head.clockResets?.() !== resets) {
      resets = head.clockResets?.();
      last = { now: head.now(), at: clock.monotonic() };
    }
    // Whole milliseconds: what is left of one counts with the next call.
    const passed = Math.floor(clock.monotonic() - last.at);
    last = { now: Math.max(head.now(), last.now + passed), at: last.at + passed };
    return last.now;
  };
}
