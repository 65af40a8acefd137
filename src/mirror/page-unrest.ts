/** Names whose last request did not go as it should: when the next may be made. Bounded; forgetting one costs a request. */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { FlightEnd } from './refresh-page.ts';

export interface PageUnrest {
  /** Notes how a request ended. */
  ended(project: ProjectName, end: FlightEnd): void;
  /** The last request failed, or its answer did not come while a client waited: nobody waits for the next one. */
  slow(project: ProjectName): void;
  troubled(project: ProjectName): boolean;
  /** A request for a kept page may be made. */
  mayAsk(project: ProjectName): boolean;
}

const NAMES = 4096;

export function createPageUnrest(clock: Clock): PageUnrest {
  const names = new LRUCache<ProjectName, { troubledUntil: number; retryAt: number }>({ max: NAMES });
  return {
    ended(project, end) {
      const now = clock.monotonic();
      if (end.kind === 'settled') names.delete(project);
      else if (end.kind === 'doubted') {
        // A second doubt (no-cache) does not put off the request that may settle the first.
        const before = names.get(project)?.retryAt ?? 0;
        const retryAt = before > now ? before : now + limits.freshness.doubtRecheck;
        names.set(project, { troubledUntil: now, retryAt });
      } else {
        const pause = Math.min(end.retryAfter ?? 0, limits.upstream.retryAfterMax);
        names.set(project, {
          troubledUntil: now + limits.freshness.troubled,
          retryAt: now + Math.max(limits.freshness.failureRecheck, pause),
        });
      }
    },
    slow(project) {
      const now = clock.monotonic();
      names.set(project, { troubledUntil: now + limits.freshness.troubled, retryAt: now });
    },
    troubled: (project) =>
      (names.get(project)?.troubledUntil ?? Number.NEGATIVE_INFINITY) > clock.monotonic(),
    mayAsk: (project) => (names.get(project)?.retryAt ?? Number.NEGATIVE_INFINITY) <= clock.monotonic(),
  };
}
