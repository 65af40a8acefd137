/**
 * The publisher's manners: never more than so many requests at once or begun within any second, and none while the upstream
 * asked to be left alone.
 */
import { type Clock, sleep } from '../../core/clock.ts';
import { UpstreamError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';

const SECOND = 1000;

export interface PoliteTurns {
  /** When a request may begin, as far as is known now (monotonic ms); Infinity: when one ends. */
  nextAt(): number;
  /** Takes a turn if there is one now; call the result when the request is over. */
  tryEnter(): ((error?: unknown) => void) | undefined;
  enter(signal: AbortSignal): Promise<(error?: unknown) => void>;
  /** The upstream answered with nothing but failures lately. */
  readonly failing: boolean;
  /** Gives a failing upstream another chance. */
  forgive(): void;
  readonly active: number;
}

export function createPoliteTurns(clock: Clock, onFree: () => void): PoliteTurns {
  const { parallel, perSecond, restMax, restOfOne, failuresInRow } = limits.publish;
  const begun: number[] = [];
  let active = 0;
  let restUntil = 0;
  let failures = 0;
  const waiting = new Set<() => void>();

  function nextAt(): number {
    const now = clock.monotonic();
    if (active >= parallel) return Infinity;
    const byRate = begun.length < perSecond ? now : (begun[begun.length - perSecond] as number) + SECOND;
    return Math.max(now, byRate, restUntil);
  }

  function leave(error: unknown): void {
    active--;
    if (error === undefined) failures = 0;
    else if (error instanceof UpstreamError) {
      if (error.status === undefined || error.status >= 500 || error.status === 429) failures++;
      if (error.retryAfter !== undefined) {
        const most = error.status === 429 ? restMax : restOfOne;
        restUntil = Math.max(restUntil, clock.monotonic() + Math.min(error.retryAfter, most));
      }
    }
    for (const wake of waiting) wake();
    onFree();
  }

  function tryEnter(): ((error?: unknown) => void) | undefined {
    if (nextAt() > clock.monotonic()) return undefined;
    active++;
    begun.push(clock.monotonic());
    if (begun.length > perSecond) begun.shift();
    let over = false;
    return (error) => {
      if (over) return;
      over = true;
      leave(error);
    };
  }

  return {
    nextAt,
    tryEnter,
    async enter(signal) {
      for (;;) {
        signal.throwIfAborted();
        const turn = tryEnter();
        if (turn !== undefined) return turn;
        const at = nextAt();
        if (at === Infinity) await oneFree(signal);
        else await sleep(clock, at - clock.monotonic(), signal);
      }
    },
    get failing() {
      return failures >= failuresInRow;
    },
    forgive() {
      failures = 0;
    },
    get active() {
      return active;
    },
  };

  function oneFree(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        waiting.delete(wake);
        reject(signal.reason as Error);
      };
      const wake = (): void => {
        waiting.delete(wake);
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
