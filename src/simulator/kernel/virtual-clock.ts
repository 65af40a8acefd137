/** Our own `Clock` straight from the kernel, for one owner: what a node is given in place of the machine's. */
import type { Clock } from '../../core/clock.ts';
import type { Kernel } from './kernel.ts';
import type { Owner } from './owner.ts';

export function createVirtualClock(kernel: Kernel, owner: Owner): Clock {
  return {
    now: () => kernel.epoch + Math.floor(kernel.now / 1000) + owner.skew,
    monotonic: () => kernel.now / 1000,
    setTimer(callback, ms) {
      const event = kernel.schedule(Math.max(1, ms) * 1000, 'timer', owner, callback);
      return { cancel: () => kernel.cancel(event) };
    },
  };
}
