/** What is known of the upstream's state, from how its pages were answered; told as `upstream:changed` when it turns. */
import type { Clock } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { UpstreamStatus } from './upstream.ts';

export interface UpstreamState {
  requestSent(): void;
  notModified(): void;
  /** A page, a list or a known absence was given. */
  succeeded(): void;
  /** `ofIndex`: a page or the list failed, not a file. */
  failed(error: unknown, ofIndex: boolean): void;
  status(): UpstreamStatus;
}

export function createUpstreamState(
  url: string,
  clock: Clock,
  facts: Pick<FactEmitter, 'emit'> | undefined,
): UpstreamState {
  let state: 'ok' | 'unreachable' | 'unknown' = 'unknown';
  let lastSuccessAt: number | undefined;
  let lastError: string | undefined;
  let requests = 0;
  let notModified = 0;

  function turn(next: 'ok' | 'unreachable'): void {
    if (state === next) return;
    state = next;
    facts?.emit('upstream:changed', { state: next, error: next === 'ok' ? undefined : lastError });
  }

  return {
    requestSent() {
      requests++;
    },
    notModified() {
      notModified++;
    },
    succeeded() {
      lastSuccessAt = clock.now();
      turn('ok');
    },
    failed(error, ofIndex) {
      lastError = error instanceof Error ? error.message : String(error);
      if (!ofIndex) return;
      // 401, 403, 400 and the like come from an upstream that is there.
      const status = error instanceof UpstreamError ? error.status : undefined;
      turn(status !== undefined && status >= 400 && status < 500 ? 'ok' : 'unreachable');
    },
    status: () => ({ url, state, lastSuccessAt, lastError, requests, notModified }),
  };
}
