/**
 * Whole answers to plain requests, ready to be sent: fresh pages and small files that are in memory. Always true: the bytes
 * are those that the routes would send now (their headers are made by the same functions); what needs any waiting, asking
 * or choosing has no warm answer.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import { parseDigest } from '../core/digest.ts';
import type { SourceKind } from '../core/facts.ts';
import { parseProjectName, type ProjectName } from '../core/project-name.ts';
import type { Mirror, ProjectAnswer, ServedPage } from '../mirror/mirror.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import type { PageRenderings } from './page-renderings.ts';
import { pageHead } from './page-routes.ts';
import type { PlainRequest } from './plain-requests.ts';
import { bufferHeaders } from './send.ts';
import { BYTES, digestEtag, fileHeaders } from './file-range.ts';
import type { SmallFileCache } from './small-file-cache.ts';

export interface WarmAnswer {
  /** What metrics call it. */
  readonly route: 'page' | 'file';
  readonly source: SourceKind;
  /** Status line and headers; of small pages the body too. */
  readonly head: Uint8Array;
  /** What is to follow `head`. */
  readonly body: Uint8Array | undefined;
  readonly bodyBytes: number;
}

export interface WarmAnswers {
  find(request: PlainRequest): WarmAnswer | undefined;
}

export interface WarmAnswersDeps {
  readonly mirror: Pick<Mirror, 'freshProject'>;
  readonly renderings: PageRenderings;
  readonly smallFiles: SmallFileCache;
  readonly clock: Clock;
  readonly limits: Pick<GatewayLimits, 'idleTime' | 'warmAnswers' | 'warmJoined'>;
}

interface WarmPage extends WarmAnswer {
  readonly served: ServedPage;
  readonly ageSeconds: number;
  readonly freshSeconds: number;
  readonly date: string;
}

/** Of names as they are normalized, at most as long as names are. */
const PAGE = /^\/simple\/(?=[a-z0-9-]{1,200}\/$)([a-z0-9]+(?:-[a-z0-9]+)*)\/$/;
const FILE = /^\/files\/([0-9a-f]{64})\/([\w.+-]+)$/;

export function createWarmAnswers(deps: WarmAnswersDeps): WarmAnswers {
  const { mirror, renderings, smallFiles, clock, limits } = deps;
  const pages = new LRUCache<string, WarmPage>({
    maxSize: limits.warmAnswers,
    sizeCalculation: ({ head }) => head.length + 512,
  });
  const date = createDateText(clock);
  const headOf = (headers: readonly string[]): Buffer => headBytes(headers, date(), limits.idleTime);

  function page(project: ProjectName, { form, coding }: PlainRequest): WarmAnswer | undefined {
    if (form === undefined) return undefined;
    const answer = mirror.freshProject?.(project);
    if (answer === undefined) return undefined;
    const key = `${project} ${form.contentType} ${coding}`;
    const made = pages.get(key);
    if (made !== undefined && isCurrent(made, answer, date())) return made;
    const body = renderings.peek(answer.served, form.format, coding);
    if (body === undefined) return undefined;
    const { etag, headers } = pageHead(answer, form, coding);
    const head = headOf(bufferHeaders({ type: form.contentType, body, etag, headers }));
    const { served, ageSeconds, freshSeconds, source } = answer;
    // One write is quicker than two; a copy of a big page is not.
    const joined = body.length <= limits.warmJoined;
    const warm: WarmPage = {
      route: 'page',
      source,
      head: joined ? Buffer.concat([head, body]) : head,
      body: joined ? undefined : body,
      bodyBytes: body.length,
      served,
      ageSeconds,
      freshSeconds,
      date: date(),
    };
    pages.set(key, warm);
    return warm;
  }

  function file(digestText: string, filename: string): WarmAnswer | undefined {
    const digest = parseDigest(digestText);
    const body = smallFiles.find(digest, filename);
    if (body === undefined) return undefined;
    const source = 'disk';
    const headers = fileHeaders(digest, source);
    const head = headOf(bufferHeaders({ type: BYTES, body, etag: digestEtag(digest), headers }));
    return { route: 'file', source, head, body, bodyBytes: body.length };
  }

  return {
    find(request) {
      const project = PAGE.exec(request.target)?.[1];
      if (project !== undefined) return page(parseProjectName(project), request);
      const [, digest, filename] = FILE.exec(request.target) ?? [];
      return digest === undefined || filename === undefined ? undefined : file(digest, filename);
    },
  };
}

function isCurrent(made: WarmPage, answer: ProjectAnswer & { kind: 'page' }, date: string): boolean {
  return (
    made.served === answer.served &&
    made.ageSeconds === answer.ageSeconds &&
    made.freshSeconds === answer.freshSeconds &&
    made.source === answer.source &&
    made.date === date
  );
}

/** As Node's `http` writes it. */
function headBytes(headers: readonly string[], date: string, idleTime: number): Buffer {
  const lines = headers.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  const own = `Date: ${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(idleTime / 1000)}\r\n`;
  return Buffer.from(`HTTP/1.1 200 OK\r\n${lines}${own}\r\n`, 'latin1');
}

/** Now, for `Date`; made once a second. */
function createDateText(clock: Clock): () => string {
  let second = Number.NaN;
  let text = '';
  return () => {
    const now = Math.floor(clock.now() / 1000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1000).toUTCString();
    }
    return text;
  };
}
