/** Calls under way: each ends with its caller's signal, at its own limit, or when the upstream is closed. */
import type { Clock } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';

interface Call extends Disposable {
  readonly signal: AbortSignal;
  /** The body, with the call ended when it ends or its reader leaves. */
  untilReadFrom(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

export interface Calls {
  /** `ms`: at most that long in all. */
  begin(url: string, parent: AbortSignal | undefined, ms?: number): Call;
  close(): void;
}

export function createCalls(clock: Clock): Calls {
  const open = new Map<AbortController, string>();
  let closed = false;
  return {
    begin(url, parent, ms) {
      const controller = new AbortController();
      const onParent = (): void => controller.abort(parent?.reason);
      const late = (): void =>
        controller.abort(new UpstreamError({ url }, `${url} was not read within ${ms! / 1000} s`));
      const timer = ms === undefined ? undefined : clock.setTimer(late, ms);
      open.set(controller, url);
      if (closed) controller.abort(closing(url));
      else if (parent?.aborted) onParent();
      else parent?.addEventListener('abort', onParent, { once: true });
      const end = (): void => {
        timer?.cancel();
        parent?.removeEventListener('abort', onParent);
        open.delete(controller);
      };
      return {
        signal: controller.signal,
        async *untilReadFrom(body) {
          try {
            yield* body;
          } finally {
            end();
          }
        },
        [Symbol.dispose]: end,
      };
    },
    close() {
      closed = true;
      for (const [controller, url] of open) controller.abort(closing(url));
    },
  };
}

function closing(url: string): UpstreamError {
  return new UpstreamError({ url }, `${url} was not read: the node is stopping`);
}
