/** The real clock and randomness: the only adapter to the machine's own. Everything else gets them injected. */
import { randomBytes } from 'node:crypto';
import type { Clock, Randomness } from './core/clock.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, ms) {
    const handle = setTimeout(callback, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

export const systemRandomness: Randomness = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  float: () => randomBytes(4).readUInt32BE(0) / 2 ** 32,
};
