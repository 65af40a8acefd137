/** How many hints a publisher may give: it can make us read a page sooner, never read more than so many. */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';

const MINUTE = 60_000;

export function createHintRate(clock: Clock): { allows(publisher: string): boolean } {
  const given = new Map<string, number[]>();
  return {
    allows(publisher) {
      const { hintsPerMinute, hintPublishers } = limits.publish;
      const now = clock.monotonic();
      const recent = (given.get(publisher) ?? []).filter((at) => at > now - MINUTE);
      if (recent.length >= hintsPerMinute) return false;
      given.delete(publisher);
      given.set(publisher, [...recent, now]);
      const [oldest] = given.keys();
      if (given.size > hintPublishers && oldest !== undefined) given.delete(oldest);
      return true;
    },
  };
}
