/**
 * One HTTP request to an origin, as undici makes it, with what must hold for each: a place in the origin's queue from
 * start to the body's end, a limit on the silence before the headers and inside the body, and an end to all of it when
 * the caller goes. No status is judged here.
 */
import { setImmediate } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import { createRequestQueue, type RequestKind, type RequestQueue } from './request-queue.ts';
import { Transfer, type TransferHead } from './transfer.ts';
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
/** Made once: an error takes its stack when it is made. */
const NOT_WANTED = new Error('nobody wants the rest of this answer');

export function createHttpClient(deps: {
  dispatcherFor: (url: URL) => Dispatcher;
  clock: Clock;
  limits: UpstreamLimits;
  /** Called for each request that is sent. */
  sent: () => void;
}): HttpClient {
  const { clock, limits } = deps;
  const queues = new Map<string, RequestQueue>();
  /** Origins that gave a whole answer just now: undici gives their connection again a turn later. */
  const settling = new Map<string, Promise<void>>();

  async function enter(request: HttpRequest): Promise<() => void> {
    const { origin } = request.url;
    // Who asked at once would open another connection.
    await settling.get(origin);
    const queue = queues.get(origin) ?? createRequestQueue(limits);
    queues.set(origin, queue);
    const leave = await queue.enter(request.kind, request.signal);
    const settle = async (): Promise<void> => {
      // undici's own turn is asked for after it has told of the end.
      await Promise.resolve();
      await setImmediate();
      if (settling.get(origin) === settled) settling.delete(origin);
      leave();
      if (queue.idle) queues.delete(origin);
    };
    let settled: Promise<void> | undefined;
    return () => settling.set(origin, (settled = settle()));
  }

  return async function send(request) {
    const leave = await enter(request);
    const { url, signal } = request;
    const transfer = new Transfer(() => {
      signal.removeEventListener('abort', onAbort);
      leave();
    });
    const onAbort = (): void => transfer.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const sentAt = clock.now();
    const silence = (ms: number): UpstreamError =>
      new UpstreamError({ url: url.href }, `${url.href} said nothing for ${ms / 1000} s`);
    const silent = (ms: number): Timer => clock.setTimer(() => transfer.abort(silence(ms)), ms);
    const limit = silent(limits.headersTime);
    let head: TransferHead;
    try {
      // It may have gone between the place given and now, which no listener heard.
      signal.throwIfAborted();
      deps.sent();
      const { method, headers, body = null } = request;
      const path = url.pathname + url.search;
      deps.dispatcherFor(url).dispatch({ origin: url.origin, path, method, headers, body }, transfer);
      head = await transfer.head;
    } catch (error) {
      transfer.abort(error);
      throw signal.aborted ? signal.reason : broken(url, error, 'gave no answer');
    } finally {
      limit.cancel();
    }
    const { status, headers } = head;
    const wait = (): Disposable => {
      const idle = silent(limits.bodyIdle);
      return { [Symbol.dispose]: () => idle.cancel() };
    };
    return {
      url,
      status,
      header(name) {
        const value = headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
      sentAt,
      body: {
        // No generator: a file's chunks pass three of them as it is.
        [Symbol.asyncIterator]: () => ({
          async next() {
            try {
              const value = await transfer.next(wait);
              return value === undefined ? { done: true, value } : { done: false, value };
            } catch (error) {
              throw signal.aborted ? signal.reason : broken(url, error, 'broke off its answer');
            }
          },
          async return() {
            transfer.abort(NOT_WANTED);
            return { done: true, value: undefined };
          },
        }),
      },
      // oxlint-disable-next-line typescript/require-await -- nobody waits for bytes that nobody wants
      async [Symbol.asyncDispose]() {
        if (transfer.over) return;
        const length = Number(headers['content-length'] ?? 0);
        if (transfer.isRead || length > DUMP_BYTES) {
          transfer.abort(NOT_WANTED);
          return;
        }
        const time = clock.setTimer(() => transfer.abort(NOT_WANTED), DUMP_TIME);
        transfer.discard(DUMP_BYTES, () => time.cancel());
      },
    };
  };
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
