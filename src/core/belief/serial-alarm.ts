/** A publisher that is far ahead of what k see is told of. It has no effect on belief: the rule asks for k votes anyway. */
import { limits } from '../limits.ts';
import { kthHighest } from './node-time.ts';

/** Slots whose record serial is 10^6 and more above the k-th highest. What `/simple/` calls its serial is that one too. */
export function leapingSlots(serials: ReadonlyMap<string, number>, k: number): string[] {
  const kth = kthHighest(serials.values(), k);
  if (kth === undefined) return [];
  return [...serials].filter(([, serial]) => serial >= kth + limits.belief.serialLeap).map(([slot]) => slot);
}
