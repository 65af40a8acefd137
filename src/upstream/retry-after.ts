/**
 * The rests that an upstream asked for with Retry-After: after 429 none of its paths is asked, after 503 not that path.
 * Always bounded: a rest ends after `retryAfterMax`, whatever was asked for.
 */
import { type Clock, sleep } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import type { UpstreamLimits } from './upstream-limits.ts';

/** In ms, from seconds or a date (RFC 9110, 10.2.3); undefined for anything else. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = /[A-Za-z]/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

export interface Rests {
  /** Notes what an answer asked for. */
  note(url: URL, status: number, ms: number): void;
  /** Waits out a short rest; throws UpstreamError with what is left of a long one. */
  wait(url: URL, signal: AbortSignal): Promise<void>;
}

const REMEMBERED = 1024;

export function createRests(clock: Clock, limits: UpstreamLimits): Rests {
  const rests = new Map<string, { until: number; status: number }>();
  const current = (url: URL): { until: number; status: number } | undefined => {
    const found = [rests.get(url.origin), rests.get(url.origin + url.pathname)].filter(
      (rest) => rest !== undefined && rest.until > clock.monotonic(),
    );
    return found.sort((a, b) => b!.until - a!.until)[0];
  };
  return {
    note(url, status, ms) {
      const key = status === 429 ? url.origin : url.origin + url.pathname;
      for (const [other, rest] of rests) {
        if (rest.until <= clock.monotonic() || rests.size >= REMEMBERED) rests.delete(other);
      }
      rests.set(key, { until: clock.monotonic() + Math.min(ms, limits.retryAfterMax), status });
    },
    async wait(url, signal) {
      for (let rest = current(url); rest !== undefined; rest = current(url)) {
        const left = rest.until - clock.monotonic();
        if (left > limits.restPatience) {
          throw new UpstreamError(
            { url: url.href, status: rest.status, retryAfter: left },
            `${url.href} answered ${rest.status} and asked to be left alone for another ${Math.ceil(left / 1000)} s`,
          );
        }
        await sleep(clock, left, signal);
      }
    },
  };
}
