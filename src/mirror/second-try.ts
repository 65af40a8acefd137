/**
 * A request that has brought nothing for a while is made once more beside the first: a connection that hangs must not
 * hold everybody who waits. The first answer wins, and the other request is ended.
 */
import type { Clock } from '../core/clock.ts';

const ANSWERED = new DOMException('the other request was answered', 'AbortError');

/** Fails when the first fails before the second began, or when both have. */
export async function withSecondTry<T>(
  clock: Clock,
  after: number,
  request: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const late = Promise.withResolvers<'late'>();
  late.promise.catch(() => undefined);
  const onAbort = (): void => {
    over.abort(signal.reason);
    late.reject(signal.reason as Error);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const timer = clock.setTimer(() => late.resolve('late'), after);
  try {
    const first = request(over.signal);
    const winner = await Promise.race([first.then((value) => ({ value })), late.promise]);
    if (winner !== 'late') return winner.value;
    const second = request(over.signal);
    second.catch(() => undefined);
    return await Promise.any([first, second]).catch(() => first);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
    over.abort(ANSWERED);
  }
}
