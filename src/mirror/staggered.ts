/**
 * Several ways to one thing, best first: the next is started when the one before has failed or has taken `patience` ms, and
 * the first that succeeds wins. Always true: losers are aborted; at most all ways run at once.
 */
import { sleep, type Clock } from '../core/clock.ts';

export type Way<T> = (signal: AbortSignal) => Promise<T>;

/** @throws AggregateError of every way's error, in the order in which they failed */
export async function staggered<T>(
  clock: Clock,
  ways: readonly Way<T>[],
  patience: number,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const stop = AbortSignal.any([over.signal, signal]);
  const errors: unknown[] = [];
  const { promise: won, resolve: win } = Promise.withResolvers<{ value: T }>();
  const run = async (way: Way<T>): Promise<void> => {
    try {
      win({ value: await way(stop) });
    } catch (error) {
      errors.push(error);
    }
  };
  try {
    const running: Promise<void>[] = [];
    for (const way of ways) {
      signal.throwIfAborted();
      const mine = run(way);
      running.push(mine);
      const winner = await Promise.race([won, mine, pause(clock, patience, stop)]);
      if (winner !== undefined) return winner.value;
    }
    const winner = await Promise.race([won, Promise.all(running)]);
    if ('value' in winner) return winner.value;
    throw new AggregateError(errors, errors.map((error) => (error as Error).message).join('; '));
  } finally {
    over.abort(new DOMException('another way was quicker', 'AbortError'));
  }
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<undefined> {
  await sleep(clock, ms, signal).catch(() => undefined);
  return undefined;
}
