/** The real clock and randomness: the only adapter to the machine's own. Everything else gets them injected. */
import { randomBytes } from 'node:crypto';
import type { Clock, Randomness } from './core/clock.ts';

/** Of setTimeout: what is longer it runs at once. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, ms) {
    let handle: NodeJS.Timeout;
    const wait = (left: number): void => {
      const part = Math.min(left, LONGEST);
      // What is left of a duration may be just below 0: Node warns of that on the terminal.
      handle = setTimeout(left > part ? () => wait(left - part) : callback, Math.max(0, part));
      handle.unref();
    };
    wait(ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Keeps this process alive until it is disposed of. Timers of the clock do not, and a node that serves nobody may have nothing else. */
export function holdProcess(): Disposable {
  const timer = setInterval(() => undefined, LONGEST);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

export const systemRandomness: Randomness = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  float: () => randomBytes(4).readUInt32BE(0) / 2 ** 32,
};
