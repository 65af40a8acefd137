/** What each path of the fake PyPI answers, as its options and the faults of the moment have it. */
import type { IncomingMessage } from 'node:http';
import { type Body, bytesBody, encode, fileBody, gzipBomb, hugePage } from './body.ts';
import { createChangelogAnswers } from './changelog.ts';
import type { Content } from './content.ts';
import { type Fault, faultOf, type FaultTarget } from './faults.ts';
import {
  type ApiVersion,
  htmlList,
  htmlPage,
  jsonList,
  jsonPage,
  type Links,
  type PageOptions,
} from './pages.ts';
import { type Exchange, type HeaderMap, send, sendBody, sendText } from './respond.ts';
import { type FakeFile, normalize } from './wheel.ts';

export interface AnswerOptions {
  readonly coreMetadata?: 'hash' | 'true' | 'none';
  readonly etag?: boolean;
  readonly lastModified?: boolean;
  /** gzip for pages when it is asked for. */
  readonly gzip?: boolean;
  readonly serial?: boolean;
  readonly apiVersion?: ApiVersion;
  readonly format?: 'json' | 'html' | 'both';
  readonly ranges?: boolean;
  /** HEAD of files; otherwise 405. */
  readonly head?: boolean;
  /** Keys left out of files on pages: `size`, `hashes`, `upload-time`, ... */
  readonly omit?: readonly string[];
  /** XML-RPC's changelog at `/pypi`; by default there is none. */
  readonly changelog?: boolean;
  /** Basic authentication on both hosts. */
  readonly auth?: { readonly user: string; readonly password: string };
}

export interface Answers {
  /** What a request is for: what faults are matched against. */
  target(host: 'index' | 'files', request: IncomingMessage): FaultTarget;
  respond(exchange: Exchange, target: FaultTarget): Promise<void>;
}

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const PLAIN = { ranges: false, etag: false };

export function createAnswers(content: Content, links: Links, options: AnswerOptions): Answers {
  const changelog = createChangelogAnswers(content);
  const pageOptions: PageOptions = {
    apiVersion: options.apiVersion ?? '1.4',
    coreMetadata: options.coreMetadata ?? 'hash',
    serial: options.serial ?? true,
    omit: options.omit ?? [],
  };

  function targetOf(host: 'index' | 'files', request: IncomingMessage): FaultTarget {
    const path = decodeURI((request.url ?? '/').split('?')[0]!);
    const common = { host, method: request.method ?? 'GET', path };
    const none = { project: undefined, filename: undefined };
    if (/^\/simple\/?$/.test(path)) return { ...common, what: 'list', ...none };
    const page = /^\/simple\/([^/]+)\/?$/.exec(path);
    if (page) return { ...common, what: 'page', project: page[1]!, filename: undefined };
    if (path === '/pypi' && options.changelog === true) return { ...common, what: 'changelog', ...none };
    const metadata = path.endsWith('.metadata');
    const file = content.file(metadata ? path.slice(0, -'.metadata'.length) : path);
    if (file) {
      const what = metadata ? 'metadata' : 'file';
      return { ...common, what, project: file.project, filename: file.filename };
    }
    const provenance = /^\/integrity\/([^/]+)\/[^/]+\/([^/]+)\/provenance$/.exec(path);
    if (provenance)
      return { ...common, what: 'provenance', project: provenance[1]!, filename: provenance[2]! };
    return { ...common, what: 'other', ...none };
  }

  async function respond(exchange: Exchange, target: FaultTarget): Promise<void> {
    const { request, faults: hits } = exchange;
    const status = faultOf(hits, 'status');
    if (status) {
      const retry = status.retryAfter === undefined ? {} : { 'retry-after': String(status.retryAfter) };
      return sendText(exchange, status.status, `<h1>${status.status}</h1>`, retry);
    }
    if (options.auth && !authorized(request, options.auth)) {
      return sendText(exchange, 401, 'who are you?', { 'www-authenticate': 'Basic realm="pypi"' });
    }
    const redirect = faultOf(hits, 'redirect');
    if (redirect && !target.path.endsWith('-moved/')) {
      const location = redirect.to ?? `${target.path.replace(/\/$/, '')}-moved/`;
      return sendText(exchange, redirect.status, '', { location });
    }
    const body = faultOf(hits, 'body');
    if (body) return sendText(exchange, 200, body.body, { 'content-type': body.type ?? JSON_TYPE });
    if (target.what === 'changelog' && target.method === 'POST') return changelog(exchange);
    if (target.method !== 'GET' && target.method !== 'HEAD') return sendText(exchange, 405, 'GET or HEAD');
    switch (target.what) {
      case 'list':
      case 'page':
        return respondPage(exchange, target);
      case 'file':
        return respondFile(exchange, content.file(target.path)!);
      case 'metadata':
        return respondMetadata(exchange, content.file(target.path.slice(0, -'.metadata'.length))!);
      case 'provenance': {
        const file = content
          .project(target.project!)
          ?.files.find((other) => other.filename === target.filename);
        if (!file?.provenance) return sendText(exchange, 404, 'no provenance');
        const type = 'application/vnd.pypi.integrity.v1+json';
        return send(exchange, 200, { 'content-type': type }, Buffer.from(JSON.stringify(file.provenance)));
      }
      default:
        return sendText(exchange, 404, '<h1>404 Not Found</h1>');
    }
  }

  /** Quarantined projects are left out, as PyPI does. */
  function listed(): ReturnType<Content['projects']> {
    return content.projects().filter(({ status }) => status !== 'quarantined');
  }

  async function respondPage(exchange: Exchange, target: FaultTarget): Promise<void> {
    const { request, faults: hits } = exchange;
    const asked = target.project?.replace(/-moved$/, '');
    if (asked !== undefined && (asked !== normalize(asked) || !target.path.endsWith('/'))) {
      return sendText(exchange, 301, '', { location: `/simple/${normalize(asked)}/` });
    }
    const project = asked === undefined ? undefined : content.project(asked);
    if (asked !== undefined && !project) return sendText(exchange, 404, '<h1>404 Not Found</h1>');
    const format = formatOf(request, hits);
    const page = project
      ? (format === 'json' ? jsonPage : htmlPage)(project, links, pageOptions)
      : (format === 'json' ? jsonList : htmlList)(listed(), pageOptions, content.serial());
    const etag = bytesBody(page).etag;
    const headers: HeaderMap = {
      'content-type': format === 'json' ? JSON_TYPE : 'text/html; charset=utf-8',
      'cache-control': 'max-age=600, public',
      vary: 'Accept, Accept-Encoding',
      ...((options.etag ?? true) ? { etag } : {}),
      ...((options.lastModified ?? false) && project ? { 'last-modified': httpDate(project.changedAt) } : {}),
      ...(pageOptions.serial ? { 'x-pypi-last-serial': project?.serial ?? content.serial() } : {}),
    };
    if (notModified(request, headers)) return send(exchange, 304, headers, Buffer.alloc(0));
    const { body, coding } = await pageBody(page, request, hits);
    await sendBody(exchange, body, coding ? { ...headers, 'content-encoding': coding } : headers, PLAIN);
  }
  function formatOf(request: IncomingMessage, hits: readonly Fault[]): 'json' | 'html' {
    if (faultOf(hits, 'html-only') || options.format === 'html') return 'html';
    if (options.format === 'json') return 'json';
    return /vnd\.pypi\.simple\.(v1|latest)\+json/.test(request.headers.accept ?? '') ? 'json' : 'html';
  }

  async function pageBody(
    page: Buffer,
    request: IncomingMessage,
    hits: readonly Fault[],
  ): Promise<{ body: Body; coding?: string }> {
    const bomb = faultOf(hits, 'bomb');
    if (bomb) return { body: await gzipBomb(page, bomb.bytes), coding: 'gzip' };
    const huge = faultOf(hits, 'huge');
    if (huge) return { body: hugePage(page, huge.bytes) };
    const truncate = faultOf(hits, 'truncate');
    if (truncate) return { body: bytesBody(page.subarray(0, Math.max(0, page.length - truncate.bytes))) };
    const forced = faultOf(hits, 'encoding')?.coding;
    const gzip = (options.gzip ?? true) && /\bgzip\b/i.test(request.headers['accept-encoding'] ?? '');
    const coding = forced ?? (gzip ? 'gzip' : undefined);
    return coding ? { body: bytesBody(encode(page, coding)), coding } : { body: bytesBody(page) };
  }

  async function respondFile(exchange: Exchange, file: FakeFile): Promise<void> {
    if (exchange.request.method === 'HEAD' && !(options.head ?? true)) {
      return sendText(exchange, 405, 'GET only', { allow: 'GET' });
    }
    const type = file.filename.endsWith('.whl') ? 'application/octet-stream' : 'application/x-tar';
    const headers = { 'content-type': type, 'cache-control': 'max-age=365000000, immutable, public' };
    const how = { ranges: options.ranges ?? true, etag: options.etag ?? true };
    const forced = faultOf(exchange.faults, 'encoding')?.coding;
    if (forced) {
      return send(exchange, 200, { ...headers, 'content-encoding': forced }, encode(file.bytes(), forced));
    }
    return sendBody(exchange, fileBody(file, exchange.faults), headers, how);
  }

  async function respondMetadata(exchange: Exchange, file: FakeFile): Promise<void> {
    const metadata = pageOptions.coreMetadata === 'none' ? undefined : file.metadata();
    if (!metadata) return sendText(exchange, 404, '<h1>404 Not Found</h1>');
    const wrong = faultOf(exchange.faults, 'wrong-hash');
    const bytes = wrong ? Buffer.concat([metadata, Buffer.from('Keywords: wrong\n')]) : metadata;
    const how = { ranges: options.ranges ?? true, etag: options.etag ?? true };
    return sendBody(exchange, bytesBody(bytes), { 'content-type': 'application/octet-stream' }, how);
  }

  return { target: targetOf, respond };
}

/** A second's precision, as the header has. */
const httpDate = (ms: number): string => new Date(ms).toUTCString();

function notModified(request: IncomingMessage, headers: HeaderMap): boolean {
  const match = request.headers['if-none-match'];
  if (match !== undefined) return headers['etag'] !== undefined && match === headers['etag'];
  const since = request.headers['if-modified-since'];
  return since !== undefined && since === headers['last-modified'];
}

function authorized(request: IncomingMessage, auth: { user: string; password: string }): boolean {
  const expected = Buffer.from(`${auth.user}:${auth.password}`).toString('base64');
  return request.headers.authorization === `Basic ${expected}`;
}
