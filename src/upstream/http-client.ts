/**
 * One HTTP request to an origin, as undici makes it, with what must hold for each: a place in the origin's queue from
 * start to the body's end, a limit on the silence before the headers and inside the body, and an end to all of it when
 * the caller goes. No status is judged here.
 */
import { setImmediate } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { Clock } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import { createRequestQueue, type RequestKind, type RequestQueue } from './request-queue.ts';
import type { UpstreamLimits } from './upstream-limits.ts';

export interface HttpRequest {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly body?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly kind: RequestKind;
  readonly signal: AbortSignal;
}

export interface HttpAnswer extends AsyncDisposable {
  readonly url: URL;
  readonly status: number;
  header(name: string): string | undefined;
  /** Wall clock, when the request was sent. */
  readonly sentAt: number;
  /** Ends only where the answer ended; read once. Throws UpstreamError when it breaks, is cut or falls silent. */
  readonly body: AsyncIterable<Uint8Array>;
}

export type HttpClient = (request: HttpRequest) => Promise<HttpAnswer>;

/** Read rather than closing the connection, of a body that nobody wants. */
const DUMP_BYTES = 16 * 1024;
const DUMP_TIME = 1000;

export function createHttpClient(deps: {
  dispatcherFor: (url: URL) => Dispatcher;
  clock: Clock;
  limits: UpstreamLimits;
  /** Called for each request that is sent. */
  sent: () => void;
}): HttpClient {
  const { clock, limits } = deps;
  const queues = new Map<string, RequestQueue>();

  async function enter(request: HttpRequest): Promise<() => void> {
    const { origin } = request.url;
    const queue = queues.get(origin) ?? createRequestQueue(limits);
    queues.set(origin, queue);
    const leave = await queue.enter(request.kind, request.signal);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      leave();
      if (queue.idle) queues.delete(origin);
    };
  }

  return async function send(request) {
    const leave = await enter(request);
    const { url, signal } = request;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const end = (): void => {
      signal.removeEventListener('abort', onAbort);
      leave();
    };
    const sentAt = clock.now();
    const silence = (ms: number): UpstreamError =>
      new UpstreamError({ url: url.href }, `${url.href} said nothing for ${ms / 1000} s`);
    const limit = clock.setTimer(() => stop.abort(silence(limits.headersTime)), limits.headersTime);
    try {
      deps.sent();
      const asked = deps.dispatcherFor(url).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal: stop.signal,
      });
      const response = await unlessAborted(asked, stop.signal);
      return answerOf(response, end, stop);
    } catch (error) {
      end();
      throw signal.aborted ? signal.reason : broken(url, error, 'gave no answer');
    } finally {
      limit.cancel();
    }

    function answerOf(
      response: Dispatcher.ResponseData,
      done: () => void,
      controller: AbortController,
    ): HttpAnswer {
      const { body } = response;
      // Destroyed bodies emit errors that nobody awaits.
      body.on('error', () => {});
      body.once('close', done);
      return {
        url,
        status: response.statusCode,
        header(name) {
          const value = response.headers[name];
          return Array.isArray(value) ? value.join(', ') : value;
        },
        sentAt,
        body: {
          async *[Symbol.asyncIterator]() {
            const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
            try {
              for (;;) {
                const idle = clock.setTimer(
                  () => controller.abort(silence(limits.bodyIdle)),
                  limits.bodyIdle,
                );
                const chunk = await chunks.next().finally(() => idle.cancel());
                // undici gives a connection again a turn after its answer: who asked at once would open another.
                if (chunk.done) return await setImmediate();
                yield chunk.value;
              }
            } catch (error) {
              throw signal.aborted ? signal.reason : broken(url, error, 'broke off its answer');
            } finally {
              body.destroy();
            }
          },
        },
        // oxlint-disable-next-line typescript/require-await -- nobody waits for bytes that nobody wants
        async [Symbol.asyncDispose]() {
          if (body.destroyed) return;
          const length = Number(response.headers['content-length'] ?? 0);
          if (body.readableDidRead || length > DUMP_BYTES) {
            body.destroy();
            return;
          }
          const limit = clock.setTimer(() => body.destroy(), DUMP_TIME);
          void body.dump({ limit: DUMP_BYTES }).then(
            () => limit.cancel(),
            () => limit.cancel(),
          );
        },
      };
    }
  };
}

/** undici tells a request that still waits for its connection of an abort only when there is one. */
async function unlessAborted(
  asked: Promise<Dispatcher.ResponseData>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([asked, aborted]);
  } catch (error) {
    asked.then(
      (late) => late.body.on('error', () => {}).destroy(),
      () => {},
    );
    throw error;
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

function broken(url: URL, error: unknown, what: string): UpstreamError {
  if (error instanceof UpstreamError) return error;
  return new UpstreamError({ url: url.href }, `${url.href} ${what}: ${reason(error)}`, { cause: error });
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  // An AggregateError of connection attempts has no message of its own.
  return error.message || code || error.name;
}
