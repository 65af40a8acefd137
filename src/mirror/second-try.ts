/**
 * A request that has brought nothing for a while is made once more beside the first: a connection that hangs must not
 * hold everybody who waits. The first answer wins, and the other request is ended.
 */
import { sleep, type Clock } from '../core/clock.ts';

/** Fails when the first fails before the second began, or when both have. */
export async function withSecondTry<T>(
  clock: Clock,
  after: number,
  request: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const stop = AbortSignal.any([over.signal, signal]);
  try {
    const first = request(stop);
    const late = sleep(clock, after, stop).then(() => 'late' as const);
    late.catch(() => undefined);
    const winner = await Promise.race([first.then((value) => ({ value })), late]);
    if (winner !== 'late') return winner.value;
    const second = request(stop);
    second.catch(() => undefined);
    return await Promise.any([first, second]).catch(() => first);
  } finally {
    over.abort(new DOMException('the other request was answered', 'AbortError'));
  }
}
