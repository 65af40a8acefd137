/**
 * Gives back what a start leaves behind in a thread's heap: a node that is asked nothing collects nothing, and would hold
 * it for ever (151 MB resident, 135 after; `npm run bench`, "resident after 60 s idle"). Once a thread, 80 ms, when nobody is being served.
 */
import type { Clock } from './core/clock.ts';
import type { FactEmitter } from './core/facts.ts';

/** Also how long nobody was served, ms. */
const AFTER = 20_000;

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** Does nothing where the launcher did not bring V8's `gc`. `facts`: of a thread that serves clients. */
export function releaseStartMemory(
  clock: Pick<Clock, 'monotonic' | 'setTimer'>,
  facts?: Pick<FactEmitter, 'on'>,
  collect: Collect | undefined = (globalThis as { gc?: Collect }).gc,
): void {
  if (collect === undefined) return;
  let servedAt = -Infinity;
  const stop = facts?.on('served:request', () => (servedAt = clock.monotonic()));
  const look = (): void => {
    const wait = servedAt + AFTER - clock.monotonic();
    if (wait > 0) {
      clock.setTimer(look, wait);
      return;
    }
    stop?.();
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  };
  clock.setTimer(look, AFTER);
}
