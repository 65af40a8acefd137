/**
 * What goes wrong, as HTTP: one table from error codes to statuses. Always true: 404 only for what is known not to exist
 * (NOT_FOUND) and for paths that lead nowhere; what cannot be had now is 503, never 401, 403, 502 or 504, after which
 * clients walk back to old releases (design/gateway, "What clients really do", 1).
 */
import { FondueError, UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

type RequestFault =
  | 'BAD_REQUEST'
  | 'NO_ROUTE'
  | 'METHOD_NOT_ALLOWED'
  | 'NOT_ACCEPTABLE'
  | 'REQUEST_TIMEOUT'
  | 'URL_TOO_LONG'
  | 'RANGE_NOT_SATISFIABLE'
  | 'MISDIRECTED'
  | 'CROSS_SITE'
  | 'HEADERS_TOO_LARGE'
  | 'CROWDED';

/** A request that is wrong in itself. */
export class RequestError extends FondueError {
  readonly code: RequestFault;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  constructor(code: RequestFault, message: string, headers: readonly string[] = []) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

const STATUS: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  INVALID_NAME: 400,
  CROSS_SITE: 403,
  NOT_FOUND: 404,
  NO_ROUTE: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  REQUEST_TIMEOUT: 408,
  URL_TOO_LONG: 414,
  RANGE_NOT_SATISFIABLE: 416,
  MISDIRECTED: 421,
  HEADERS_TOO_LARGE: 431,
  INTERNAL: 500,
  CROWDED: 503,
  UNAVAILABLE: 503,
  INTEGRITY: 503,
  INVALID_CONTENT: 503,
  UPSTREAM: 503,
  PEER: 503,
  STORAGE_FULL: 503,
};

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers: readonly string[];
}

export function describeProblem(error: unknown): Problem {
  const known = error instanceof FondueError && STATUS[error.code] !== undefined ? error : undefined;
  if (known === undefined) {
    const message = 'the gateway failed at this request; its log says why, please report it';
    return { status: 500, code: 'INTERNAL', message, headers: [] };
  }
  const status = STATUS[known.code] ?? 500;
  const headers = known instanceof RequestError ? known.headers : [];
  if (status !== 503) return { status, code: known.code, message: known.message, headers };
  // A small integer: pip and Poetry sleep for as long as it says, others ignore it.
  const asked =
    known instanceof UnavailableError ? known.retryAfterSeconds : limits.gateway.retryAfterSeconds;
  const seconds = Math.min(30, Math.max(1, Math.ceil(Number.isFinite(asked) ? asked : 1)));
  const message = `${known.message}; ask again in ${seconds} s`;
  return { status, code: known.code, message, headers: [...headers, 'Retry-After', String(seconds)] };
}

/** Plain text, or JSON where programs read it: nothing that a browser would take for markup. */
export function problemBody(problem: Problem, asJson: boolean): { type: string; body: Buffer } {
  const { code, message } = problem;
  return asJson
    ? { type: 'application/json', body: Buffer.from(`${JSON.stringify({ error: { code, message } })}\n`) }
    : { type: 'text/plain; charset=utf-8', body: Buffer.from(`${message}\n`) };
}

/** For a connection on which no request could be read. */
export function problemOnSocket(error: RequestError): string {
  const problem = describeProblem(error);
  const { type, body } = problemBody(problem, false);
  const extra = problem.headers.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  return (
    `HTTP/1.1 ${problem.status} ${error.code.toLowerCase().replaceAll('_', ' ')}\r\nContent-Type: ${type}\r\n` +
    `Content-Length: ${body.length}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n` +
    `${extra}Connection: close\r\n\r\n${body.toString()}`
  );
}
