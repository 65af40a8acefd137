/** Token buckets by the injected clock: `rate` a second, `burst` at once. */
import type { Clock } from '../../core/clock.ts';

export interface RateBucket {
  /** Takes one; false when there is none. */
  take(): boolean;
}

export function createRateBucket(clock: Clock, rate: number, burst: number): RateBucket {
  let tokens = burst;
  let at = clock.monotonic();
  return {
    take() {
      const now = clock.monotonic();
      tokens = Math.min(burst, tokens + ((now - at) * rate) / 1000);
      at = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}

/** One bucket a key. At most `max` keys are remembered: the one unused for longest goes, and starts full again. */
export function createKeyedBuckets(
  max: number,
  make: (key: string) => RateBucket,
): { take(key: string): boolean } {
  const buckets = new Map<string, RateBucket>();
  return {
    take(key) {
      const bucket = buckets.get(key) ?? make(key);
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > max) {
        const oldest = buckets.keys().next();
        if (oldest.done !== true) buckets.delete(oldest.value);
      }
      return bucket.take();
    },
  };
}
