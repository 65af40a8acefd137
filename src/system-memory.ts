/**
 * Gives back what a start, a joined index or a busy hour leaves behind in a thread's heap: a node that is asked nothing
 * collects nothing, and would hold it for ever (151 MB resident after the start, 135 after a collection; `npm run bench`,
 * "resident after 60 s idle"). Must always hold: only while nobody is being served, as it stops the thread for 80 ms.
 */
import { getHeapStatistics } from 'node:v8';
import type { Clock } from './core/clock.ts';
import type { FactEmitter } from './core/facts.ts';

/** How often it looks, and how long nobody was served, ms. */
const EVERY = 20_000;
/** More than after the last collection, bytes: less is not worth it. */
const WORTH = 24_000_000;
/** Who allocates more than this between two looks is at work, bytes. */
const AT_WORK = 4_000_000;

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** Of one thread. */
export interface Heap {
  collect(): void;
  /** Bytes. `held` is what the system is kept from, `used` what was not yet found to be garbage. */
  size(): { readonly held: number; readonly used: number };
}

/** Undefined where the launcher did not bring V8's `gc`. */
function heapOfThread(): Heap | undefined {
  const { gc } = globalThis as { gc?: Collect };
  return (
    gc && {
      collect: () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
      size: () => {
        const {
          total_physical_size: pages,
          used_heap_size: used,
          external_memory: outside,
        } = getHeapStatistics();
        return { held: pages + outside, used: used + outside };
      },
    }
  );
}

/** @param facts of a thread that serves clients. */
export function releaseMemory(
  clock: Pick<Clock, 'monotonic' | 'setTimer'>,
  facts?: Pick<FactEmitter, 'on'>,
  heap: Heap | undefined = heapOfThread(),
): void {
  if (heap === undefined) return;
  let servedAt = -Infinity;
  facts?.on('served:request', () => (servedAt = clock.monotonic()));
  let kept = 0;
  let usedBefore: number | undefined;
  const look = (): void => {
    clock.setTimer(look, EVERY);
    const { held, used } = heap.size();
    const isAtWork = usedBefore !== undefined && Math.abs(used - usedBefore) > AT_WORK;
    usedBefore = used;
    if (held - kept < WORTH || isAtWork || clock.monotonic() - servedAt < EVERY) return;
    heap.collect();
    const after = heap.size();
    kept = after.held;
    usedBefore = after.used;
  };
  clock.setTimer(look, EVERY);
}
