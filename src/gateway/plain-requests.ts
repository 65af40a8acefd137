/**
 * Heads of requests that Node's HTTP parser has read and this gateway has let in, known again byte by byte. Clients send the
 * same lines with each request, only the path differs. Always true: what is known are the lines of a request over HTTP/1.1
 * without a body, conditions or ranges, on a connection that stays; what is found is a GET; any other byte makes it unknown.
 * Whether its Host is served is for the caller to ask each time: that depends on the connection.
 */
import type { IncomingMessage } from 'node:http';
import { chooseEncoding, type ContentCoding, negotiate, type PageForm } from '../core/accept.ts';
import { wantsNews } from './client-patience.ts';

export interface PlainHeaders {
  readonly host: string;
  /** Undefined: this client takes no form that pages have. */
  readonly form: PageForm | undefined;
  readonly coding: ContentCoding;
}

export interface PlainRequest extends PlainHeaders {
  /** As it was sent. */
  readonly target: string;
}

export interface PlainRequests {
  /** A request that was let in: its like will be known from now on, if it is plain. */
  learn(request: IncomingMessage): void;
  /** `head`: all that came, as Latin-1. Undefined unless it is one whole plain request whose like was let in before. */
  find(head: string): PlainRequest | undefined;
}

/** What may stand in a plain request, once each: nothing here changes what is answered but by `Accept` and its coding. */
const NAMES = new Set(['host', 'user-agent', 'accept', 'accept-encoding', 'connection', 'cache-control']);
/** The oldest makes room. */
const MOST = 64;
const GET = 'GET ';
const VERSION = ' HTTP/1.1\r\n';

export function createPlainRequests(): PlainRequests {
  const known = new Map<string, PlainHeaders>();
  return {
    learn(request) {
      const { httpVersion, headers, rawHeaders } = request;
      if (httpVersion !== '1.1' || !isPlain(rawHeaders)) return;
      const { host, accept, connection = 'keep-alive' } = headers;
      if (host === undefined || connection.toLowerCase() !== 'keep-alive') return;
      if (wantsNews(headers['cache-control'])) return;
      const lines = linesOf(rawHeaders);
      if (known.has(lines)) return;
      const acceptEncoding = headers['accept-encoding'];
      const coding = chooseEncoding(typeof acceptEncoding === 'string' ? acceptEncoding : undefined);
      known.set(lines, { host, form: negotiate(accept), coding });
      const [oldest] = known.keys();
      if (known.size > MOST && oldest !== undefined) known.delete(oldest);
    },
    find(head) {
      const end = head.indexOf(VERSION);
      if (end === -1 || !head.startsWith(GET)) return undefined;
      const headers = known.get(head.slice(end + VERSION.length));
      if (headers === undefined) return undefined;
      const { host, form, coding } = headers;
      return { target: head.slice(GET.length, end), host, form, coding };
    },
  };
}

function isPlain(rawHeaders: readonly string[]): boolean {
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  return names.every((name) => NAMES.has(name)) && new Set(names).size === names.length;
}

/** As clients write them. One that writes them otherwise is never known, which costs it nothing but speed. */
function linesOf(rawHeaders: readonly string[]): string {
  const lines = rawHeaders.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`));
  return `${lines.join('')}\r\n`;
}
