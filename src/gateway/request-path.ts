/**
 * A request's target, read once at the door. Always true of what comes out: segments are decoded, none is `.` or `..`, and
 * none holds a slash, a backslash or a control character, however it was written.
 */
import { RequestError } from './http-errors.ts';

export interface RequestPath {
  /** Without the leading slash; a trailing slash leaves an empty last one. */
  readonly segments: readonly string[];
  /** With its question mark, or empty. */
  readonly query: string;
  /** Of a target in absolute form (`GET http://host/simple/`), which stands in for the Host header. */
  readonly authority: string | undefined;
}

const PLAIN = /^\/[\w!$&'()*+,;=:@~.\-/]*$/;
const DOTS = /\/\.{1,2}(?:\/|$)/;

/** @throws RequestError */
export function parseRequestPath(target: string, maxBytes: number): RequestPath {
  if (target.length > maxBytes)
    throw new RequestError(
      'URL_TOO_LONG',
      `the URL has ${target.length} bytes, at most ${maxBytes} are taken`,
    );
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/is.exec(target);
  const [rest, authority] = absolute === null ? [target, undefined] : [absolute[2] || '/', absolute[1]];
  const question = rest.indexOf('?');
  const path = question === -1 ? rest : rest.slice(0, question);
  const query = question === -1 ? '' : rest.slice(question);
  if (!path.startsWith('/')) throw new RequestError('BAD_REQUEST', 'the path of a URL begins with a slash');
  const parts = path.slice(1).split('/');
  const segments = PLAIN.test(path) && !DOTS.test(path) ? parts : parts.map(decodeSegment);
  return { segments, query, authority };
}

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const FORBIDDEN = /[/\\\u0000-\u001f\u007f]/;

function decodeSegment(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw new RequestError('BAD_REQUEST', 'the path has a "%" that is not followed by the hex of UTF-8');
  }
  if (text === '.' || text === '..' || FORBIDDEN.test(text)) {
    throw new RequestError(
      'BAD_REQUEST',
      'the path holds "..", an encoded slash, a backslash or a control character: no file or project has such a name',
    );
  }
  return text;
}
