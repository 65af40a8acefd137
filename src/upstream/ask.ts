/**
 * A request with what may be done about its failure: redirects followed, rests kept, passing failures tried again. Only
 * for GET and HEAD. Credentials go to the upstream's own origin alone, and nothing that began with TLS ends without it.
 */
import { type Clock, type Randomness, sleep } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from './http-client.ts';
import { createRests, parseRetryAfter } from './retry-after.ts';
import type { UpstreamLimits } from './upstream-limits.ts';

export interface Asked extends HttpAnswer {
  /** No redirect led to another origin without TLS: its "not found" can be believed. */
  readonly authentic: boolean;
}

export type Ask = (request: HttpRequest) => Promise<Asked>;

export function createAsk(deps: {
  send: HttpClient;
  /** The index that is mirrored. */
  upstream: URL;
  credentials: { readonly user: string; readonly password: string } | undefined;
  userAgent: string;
  clock: Clock;
  randomness: Randomness;
  limits: UpstreamLimits;
}): Ask {
  const { send, upstream, credentials, clock, randomness, limits } = deps;
  const rests = createRests(clock, limits);
  const authorization =
    credentials && `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;

  function headersFor(url: URL, headers: HttpRequest['headers']): Record<string, string> {
    return {
      'user-agent': deps.userAgent,
      ...headers,
      ...(authorization !== undefined && url.origin === upstream.origin ? { authorization } : {}),
    };
  }

  async function follow(request: HttpRequest): Promise<Asked> {
    let url = request.url;
    let sentAt: number | undefined;
    let authentic = true;
    for (let hop = 0; ; hop++) {
      checkScheme(url, upstream);
      await rests.wait(url, request.signal);
      authentic &&= url.protocol === 'https:' || [request.url.origin, upstream.origin].includes(url.origin);
      const answer = await send({ ...request, url, headers: headersFor(url, request.headers) });
      // The age of a page counts from the first hop: a cached redirect may be part of it.
      sentAt ??= answer.sentAt;
      if (![301, 302, 303, 307, 308].includes(answer.status)) return { ...answer, sentAt, authentic };
      await answer[Symbol.asyncDispose]();
      const location = answer.header('location');
      if (location === undefined || !URL.canParse(location, url.href)) {
        throw failure(request.url, answer.status, `redirects to ${JSON.stringify(location ?? 'nowhere')}`);
      }
      if (hop >= limits.redirects) {
        throw failure(request.url, answer.status, `redirects more than ${limits.redirects} times`);
      }
      url = new URL(location, url);
    }
  }

  return async function ask(request) {
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= limits.attempts;
      const backOff = (): Promise<void> =>
        sleep(clock, limits.retryDelay * 2 ** (attempt - 1) * (0.5 + randomness.float()), request.signal);
      let answer: Asked;
      try {
        answer = await follow(request);
      } catch (error) {
        if (last || !isReset(error)) throw error;
        await backOff();
        continue;
      }
      if (![429, 502, 503, 504].includes(answer.status)) return answer;
      const retryAfter = parseRetryAfter(answer.header('retry-after'), clock.now());
      await answer[Symbol.asyncDispose]();
      if (retryAfter !== undefined) rests.note(answer.url, answer.status, retryAfter);
      const again = retryAfter === undefined ? answer.status !== 429 : retryAfter <= limits.restPatience;
      if (last || !again) throw failure(answer.url, answer.status, `answered ${answer.status}`, retryAfter);
      if (!retryAfter) await backOff();
    }
  };
}

function checkScheme(url: URL, upstream: URL): void {
  if (url.protocol === 'https:' || (url.protocol === 'http:' && upstream.protocol === 'http:')) return;
  const why =
    url.protocol === 'http:'
      ? 'the upstream is read with TLS, and this is not'
      : 'only http and https are read';
  throw new UpstreamError({ url: url.href }, `${url.href} is refused: ${why}`);
}

function failure(url: URL, status: number, what: string, retryAfter?: number): UpstreamError {
  return new UpstreamError({ url: url.href, status, retryAfter }, `${url.href} ${what}`);
}

/** The connection broke before an answer: a kept-alive one that the server had closed, or a passing fault. */
function isReset(error: unknown): boolean {
  const cause = error instanceof UpstreamError ? error.cause : undefined;
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(code);
}
