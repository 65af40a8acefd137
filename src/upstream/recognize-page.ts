/**
 * Whether a body is a page of the simple index, whatever its Content-Type says: many mirrors name a wrong one or none, and
 * a captive portal names the right one for HTML. What is not surely a whole page is no page; it never means absence.
 */
import type { ProjectName } from '../core/project-name.ts';

export interface BodyFacts {
  /** Content-Type as sent. */
  readonly type: string | undefined;
  readonly project: ProjectName;
  /** The answer said where it ends: by length or chunks, not by closing the connection. */
  readonly delimited: boolean;
}

export type Recognized =
  | { readonly format: 'json' | 'html' }
  /** What it is instead, to follow the URL in a message. */
  | { readonly problem: string };

const JSON_TYPE = /^application\/vnd\.pypi\.simple\.v1\+json$/;
/** How much of a document is looked at for its beginning and its end. */
const EDGE = 4096;

export function recognizePage(body: Buffer, facts: BodyFacts): Recognized {
  const type = facts.type?.split(';', 1)[0]!.trim().toLowerCase() ?? '';
  if (/vnd\.pypi\.simple\.v(?!1\+)/.test(type))
    return { problem: `answered with ${type}, which is too new to be read` };
  const start = body
    .toString('latin1', 0, EDGE)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  if (start.startsWith('{')) return recognizeJson(body, JSON_TYPE.test(type));
  if (start.startsWith('<')) return recognizeHtml(body, start, facts);
  return {
    problem:
      body.length === 0 ? 'answered with nothing' : `answered with ${type || 'something'} that is no page`,
  };
}

/** With the right type the reader of pages, which parses it anyway, has the last word. */
function recognizeJson(body: Buffer, named: boolean): Recognized {
  if (
    body
      .toString('latin1', Math.max(0, body.length - EDGE))
      .trimEnd()
      .at(-1) !== '}'
  ) {
    return { problem: 'answered with JSON that is cut off' };
  }
  if (!body.includes('"files"')) return { problem: 'answered with JSON that is no page: it names no files' };
  if (named) return { format: 'json' };
  try {
    const page = JSON.parse(body.toString()) as { files?: unknown; meta?: unknown };
    if (Array.isArray(page.files) && typeof page.meta === 'object') return { format: 'json' };
    return { problem: 'answered with JSON that is no page' };
  } catch {
    return { problem: 'answered with JSON that cannot be read' };
  }
}

function recognizeHtml(body: Buffer, start: string, facts: BodyFacts): Recognized {
  const opened = /<(html|body)[\s>]/i.test(start);
  const end = body.toString('latin1', Math.max(0, body.length - EDGE));
  if (opened ? !endsHtml(end) : !facts.delimited) return { problem: 'answered with HTML that is cut off' };
  const marked = /<meta\s[^>]*name=["']?pypi:repository-version/i.test(start);
  const titled = /<(title|h1)[^>]*>[^<]*\b(links for|simple index)\b/i.test(start);
  if (marked || titled || linksFilesOf(facts.project, body)) return { format: 'html' };
  return { problem: 'answered with HTML that is no page of the index (a login or error page?)' };
}

export function endsHtml(end: string): boolean {
  return /<\/(html|body)\s*>/i.test(end);
}

/** At least one link to a file that is named like the project. */
function linksFilesOf(project: ProjectName, body: Buffer): boolean {
  for (const href of linksIn(body.toString('latin1'))) {
    const filename = href
      .replace(/[?#].*$/s, '')
      .split('/')
      .at(-1)!;
    const isFile = /\.(whl|tar\.gz|tgz|zip|tar\.bz2|egg)$/i.test(filename);
    if (
      isFile &&
      filename
        .replace(/[-_.]+/g, '-')
        .toLowerCase()
        .startsWith(`${project}-`)
    )
      return true;
  }
  return false;
}

/** Each byte is looked at once: one regular expression over it all takes hours for 32 MiB of `<a <a <a`. */
function* linksIn(html: string): Generator<string> {
  const anchor = /<a\s/gi;
  while (anchor.test(html)) {
    const end = html.indexOf('>', anchor.lastIndex);
    if (end < 0) return;
    const href = /href\s*=\s*["']?([^"'\s>]+)/i.exec(html.slice(anchor.lastIndex, end))?.[1];
    if (href !== undefined) yield href;
    anchor.lastIndex = end;
  }
}
