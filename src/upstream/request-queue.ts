/**
 * Bounded parallelism towards one origin. Quick requests (pages, metadata, ranges of a few bytes) go before whole files,
 * and files never take all places: a page waits for other pages at most, never for a big transfer.
 */

export type RequestKind = 'quick' | 'bulk';

export interface RequestQueue {
  /** Waits for a place; call the result once to give it back. Rejects with the signal's reason. */
  enter(kind: RequestKind, signal: AbortSignal): Promise<() => void>;
  /** Nobody is in it or waits for it. */
  readonly idle: boolean;
}

/** A waiting file goes before a quick request after so many of those went before it. */
const PASSED_OVER = 8;

export function createRequestQueue(bounds: { parallel: number; bulk: number }): RequestQueue {
  const waiting: Record<RequestKind, Set<() => void>> = { quick: new Set(), bulk: new Set() };
  const running: Record<RequestKind, number> = { quick: 0, bulk: 0 };
  let passedOver = 0;

  function next(): RequestKind | undefined {
    if (running.quick + running.bulk >= bounds.parallel) return undefined;
    const bulk = waiting.bulk.size > 0 && running.bulk < bounds.bulk;
    if (waiting.quick.size > 0 && !(bulk && passedOver >= PASSED_OVER)) return 'quick';
    return bulk ? 'bulk' : undefined;
  }

  function admit(): void {
    for (let kind = next(); kind !== undefined; kind = next()) {
      passedOver = kind === 'quick' && waiting.bulk.size > 0 ? passedOver + 1 : 0;
      const [start] = waiting[kind];
      waiting[kind].delete(start!);
      running[kind]++;
      start!();
    }
  }

  return {
    enter(kind, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const leave = (): void => {
          running[kind]--;
          admit();
        };
        const onAbort = (): void => {
          waiting[kind].delete(start);
          reject(signal.reason as Error);
        };
        const start = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve(leave);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting[kind].add(start);
        admit();
      });
    },
    get idle() {
      return running.quick + running.bulk + waiting.quick.size + waiting.bulk.size === 0;
    },
  };
}
