/**
 * Answers whose body is in memory, and refusals. Always true: an answer that began is either complete or its connection is
 * reset; a client that takes no byte for the idle time is let go.
 */
import type { ServerResponse } from 'node:http';
import type { SourceKind } from '../core/facts.ts';
import { etagMatches } from '../core/byte-range.ts';
import type { Exchange } from './exchange.ts';
import { describeProblem, problemBody } from './http-errors.ts';

const NO_SNIFF = ['X-Content-Type-Options', 'nosniff'];

export interface BufferedAnswer {
  readonly status?: number;
  readonly type: string;
  readonly body: Uint8Array;
  /** Makes the answer conditional. */
  readonly etag?: string;
  /** Names and values in turn, sent with 304 as well. */
  readonly headers: readonly string[];
  /** Whose bytes these count as; without it they are not counted (health, status, the dashboard). */
  readonly source?: SourceKind;
}

export function sendBuffer(exchange: Exchange, answer: BufferedAnswer, idleTime: number): void {
  const { response } = exchange;
  const { status = 200, body, etag, headers, source } = answer;
  if (etag !== undefined && notModified(exchange, etag, headers)) return;
  limitIdle(response, idleTime);
  response.writeHead(status, bufferHeaders(answer));
  if (exchange.head) {
    response.end();
    return;
  }
  response.end(body);
  if (source !== undefined) exchange.sent(source, body.length);
}

/** All headers of an answer whose body is in memory, names and values in turn. */
export function bufferHeaders(answer: Pick<BufferedAnswer, 'type' | 'body' | 'etag' | 'headers'>): string[] {
  const { type, body, etag, headers } = answer;
  const own = ['Content-Type', type, 'Content-Length', String(body.length), ...NO_SNIFF];
  if (etag !== undefined) own.push('ETag', etag);
  return [...own, ...headers];
}

/** Answers 304 when the client has this already. */
export function notModified(exchange: Exchange, etag: string, headers: readonly string[]): boolean {
  if (!etagMatches(exchange.request.headers['if-none-match'], etag)) return false;
  exchange.response.writeHead(304, ['ETag', etag, ...NO_SNIFF, ...headers]);
  exchange.response.end();
  return true;
}

/** Lets a client go that takes no byte for so long. Node ends this time with the answer; `inject` has no such socket. */
export function limitIdle({ socket }: ServerResponse, idleTime: number): void {
  if (typeof socket?.setTimeout === 'function') socket.setTimeout(idleTime);
}

export function sendJson(exchange: Exchange, status: number, value: unknown, idleTime: number): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  const headers = ['Cache-Control', 'no-store', 'Cross-Origin-Resource-Policy', 'same-origin'];
  sendBuffer(exchange, { status, type: 'application/json', body, headers }, idleTime);
}

/** 302, never 301: Poetry remembers those. `location` is relative, so that it is right behind a proxy's prefix too. */
export function redirect(exchange: Exchange, location: string): void {
  const headers = ['Location', `${location}${exchange.path.query}`, 'Content-Length', '0'];
  exchange.response.writeHead(302, [...headers, 'Cache-Control', 'no-store', ...NO_SNIFF]);
  exchange.response.end();
}

/** Says what went wrong; once a body has begun only a reset is honest. */
export function sendProblem(
  exchange: Pick<Exchange, 'request' | 'response'>,
  error: unknown,
  asJson: boolean,
): void {
  const { request, response } = exchange;
  if (response.headersSent || response.destroyed) {
    resetConnection(exchange);
    return;
  }
  const problem = describeProblem(error);
  const { type, body } = problemBody(problem, asJson);
  const headers = ['Content-Type', type, 'Content-Length', String(body.length), 'Cache-Control', 'no-store'];
  // A body that came with it is not read: the connection cannot go on.
  if (request.method !== 'GET' && request.method !== 'HEAD') headers.push('Connection', 'close');
  response.writeHead(problem.status, [...headers, ...NO_SNIFF, ...problem.headers]);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** A reset, not an end: over HTTP/1.0 without a length an end would look like a complete file. */
export function resetConnection({ response }: Pick<Exchange, 'response'>): void {
  const { socket } = response;
  if (socket !== null && typeof socket.resetAndDestroy === 'function' && !socket.destroyed) {
    socket.resetAndDestroy();
  }
  response.destroy();
}
