/** So many tokens a second, saved up to a burst. Time is handed in: milliseconds that never go back. */
export interface TokenBucket {
  /** Takes all of `count`, or nothing and says false. */
  take(count: number, now: number): boolean;
  /** Takes `count` even when that goes into debt. */
  spend(count: number, now: number): void;
  /** Milliseconds until `count` tokens are there; 0 when they are. More than the burst never come. */
  wait(count: number, now: number): number;
}

export function createTokenBucket(options: {
  readonly rate: number;
  readonly burst: number;
  readonly now: number;
}): TokenBucket {
  let tokens = options.burst;
  let at = options.now;
  const refill = (now: number): void => {
    tokens = Math.min(options.burst, tokens + ((now - at) * options.rate) / 1000);
    at = now;
  };
  return {
    take(count, now) {
      refill(now);
      if (tokens < count) return false;
      tokens -= count;
      return true;
    },
    spend(count, now) {
      refill(now);
      tokens -= count;
    },
    wait(count, now) {
      refill(now);
      const missing = Math.min(count, options.burst) - tokens;
      return missing <= 0 ? 0 : Math.ceil((missing * 1000) / options.rate);
    },
  };
}
