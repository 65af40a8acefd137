/**
 * Whether the upstream is known to be failing, as far as pages tell, so that clients with a kept page don't wait for it
 * again and again. Always true: it is asked again, a little, so that its recovery is noticed; one answer clears it.
 */
import type { Clock } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

export interface UpstreamHealth {
  succeeded(): void;
  /** No answer, or one that says that it cannot answer; also when it did not come in the time a client waits. */
  failed(): void;
  readonly troubled: () => boolean;
  /** A request for what is kept may be started although it is failing; call `ended` after it. */
  probe(): { ended(): void } | undefined;
}

export function createUpstreamHealth(clock: Clock): UpstreamHealth {
  let troubledAt: number | undefined;
  let probes = 0;
  let lastProbe = Number.NEGATIVE_INFINITY;
  return {
    succeeded() {
      troubledAt = undefined;
    },
    failed() {
      troubledAt = clock.monotonic();
    },
    troubled: () => troubledAt !== undefined && clock.monotonic() - troubledAt < limits.freshness.troubled,
    probe() {
      const now = clock.monotonic();
      if (probes >= limits.freshness.probes || now - lastProbe < limits.freshness.probeEvery)
        return undefined;
      probes++;
      lastProbe = now;
      return { ended: () => void probes-- };
    },
  };
}

/** Another try may help: no answer, an answer that says "later", a broken or mistyped one. Not 401, 403 and the like. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return true;
  const { status } = error;
  return status === undefined || status < 400 || status >= 500 || [408, 425, 429].includes(status);
}

/** It does not answer at all, or only that it cannot: no page of it can be had now. */
export function isSilence(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false;
  return error.status === undefined || error.status === 429 || error.status >= 500;
}
