/**
 * The simple index: `/simple/` and `/simple/<name>/`. Always true: the age told is never younger than the truth; only what
 * is fresh may be kept by a client; 404 only when the mirror knows the project to be absent.
 */
import { chooseEncoding, type ContentCoding, negotiate, type PageForm } from '../core/accept.ts';
import { NotFoundError, UnavailableError } from '../core/errors.ts';
import type { SourceKind } from '../core/facts.ts';
import { parseProjectName, type ProjectName } from '../core/project-name.ts';
import type { Clock } from '../core/clock.ts';
import type { Mirror, Patience, ProjectAnswer } from '../mirror/mirror.ts';
import { wantsNews } from './client-patience.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { RequestError } from './http-errors.ts';
import { formEtag, pageEtag, type PageRenderings } from './page-renderings.ts';
import { remembered } from './remembered.ts';
import { notModified, redirect, sendBuffer } from './send.ts';
import { sendChunks } from './send-body.ts';

export interface PageDeps {
  readonly mirror: Pick<Mirror, 'project' | 'projectList'>;
  readonly renderings: PageRenderings;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly pageTtl: number;
}

/** `/simple`, `/simple/`, `/simple/<name>`, `/simple/<name>/`. */
export async function servePages(deps: PageDeps, exchange: Exchange): Promise<void> {
  const [, name, slash, ...more] = exchange.path.segments;
  if (name === undefined) redirect(exchange, 'simple/');
  else if (name === '' && slash === undefined) await serveList(deps, exchange);
  else {
    const project = parseProjectName(name);
    if (more.length > 0 || (slash !== undefined && slash !== ''))
      throw new RequestError('NO_ROUTE', 'there is nothing below a project page: /simple/<name>/');
    if (slash === undefined) redirect(exchange, `${project}/`);
    else if (project !== name) redirect(exchange, `../${project}/`);
    else await servePage(deps, exchange, project);
  }
}

async function servePage(deps: PageDeps, exchange: Exchange, project: ProjectName): Promise<void> {
  const form = formOf(exchange);
  const answer = await pageOf(deps, exchange, project);
  const acceptEncoding = exchange.request.headers['accept-encoding'];
  const coding = codingFor(typeof acceptEncoding === 'string' ? acceptEncoding : undefined);
  const { etag, headers } = pageHead(answer, form, coding);
  if (notModified(exchange, etag, headers)) return;
  const body = await deps.renderings.body(answer.served, form.format, coding);
  const { contentType: type } = form;
  sendBuffer(exchange, { type, body, etag, headers, source: answer.source }, deps.limits.idleTime);
}

/** What this client would get as the page's body before any coding: for signatures. Its headers are those of the page. */
export async function identityPage(
  deps: PageDeps,
  exchange: Exchange,
  project: ProjectName,
): Promise<{ body: Uint8Array; etag: string; headers: string[]; source: SourceKind }> {
  const form = formOf(exchange);
  const answer = await pageOf(deps, exchange, project);
  const body = await deps.renderings.body(answer.served, form.format, 'identity');
  return { body, ...pageHead(answer, form, 'identity'), source: answer.source };
}

async function pageOf(
  deps: PageDeps,
  exchange: Exchange,
  project: ProjectName,
): Promise<ProjectAnswer & { kind: 'page' }> {
  const answer = await deps.mirror.project(project, pagePatience(exchange));
  if (answer.kind === 'page') return answer;
  if (answer.kind === 'absent')
    throw new NotFoundError(`project "${project}" does not exist: the upstream index says so`);
  throw new UnavailableError(
    `the page of "${project}" cannot be had now: ${answer.reason}`,
    [],
    answer.retryAfterSeconds,
  );
}

/** What the head of a page's answer says besides type and length. */
export function pageHead(
  answer: ProjectAnswer & { kind: 'page' },
  form: PageForm,
  coding: ContentCoding,
): { etag: string; headers: string[] } {
  const headers = freshness(answer.ageSeconds, answer.stale ? undefined : answer.freshSeconds);
  headers.push('Fondue-Source', answer.source);
  if (answer.served.serial !== undefined) headers.push('X-PyPI-Last-Serial', answer.served.serial);
  if (coding !== 'identity') headers.push('Content-Encoding', coding);
  return { etag: pageEtag(answer.served, form.contentType, coding), headers };
}

/** `left`: what is left of the time to live; undefined when stale. Rounded so that nothing looks younger than it is. */
function freshness(ageSeconds: number, left: number | undefined): string[] {
  const age = String(Math.max(0, Math.ceil(ageSeconds)));
  const keep = left === undefined ? 'no-store' : `max-age=${Math.max(0, Math.floor(left))}, public`;
  return ['Cache-Control', keep, 'Age', age, 'Fondue-Index-Age', age, 'Vary', 'Accept, Accept-Encoding'];
}

async function serveList(deps: PageDeps, exchange: Exchange): Promise<void> {
  const form = formOf(exchange);
  const acceptEncoding = exchange.request.headers['accept-encoding'];
  const wanted = codingFor(typeof acceptEncoding === 'string' ? acceptEncoding : undefined);
  const list = await deps.mirror.projectList(form.format, { ...pagePatience(exchange), coding: wanted });
  if (list.kind === 'unknown') {
    throw new UnavailableError(
      `the list of projects cannot be had now: ${list.reason}`,
      [],
      list.retryAfterSeconds,
    );
  }
  const left = list.stale ? undefined : deps.pageTtl / 1000 - list.ageSeconds;
  const headers = freshness(list.ageSeconds, left);
  if (list.serial !== undefined) headers.push('X-PyPI-Last-Serial', list.serial);
  if (list.coding !== 'identity') headers.push('Content-Encoding', list.coding);
  const etag = formEtag(list.version, form.contentType, list.coding);
  if (notModified(exchange, etag, headers)) await list.body.return(undefined);
  else {
    const own = ['Content-Type', form.contentType, 'ETag', etag];
    await sendChunks(deps, exchange, [...own, ...headers], list.body);
  }
}

const formFor = remembered(negotiate);
const codingFor = remembered(chooseEncoding);

function formOf(exchange: Exchange): PageForm {
  const form = formFor(exchange.request.headers.accept);
  if (form !== undefined) return form;
  throw new RequestError(
    'NOT_ACCEPTABLE',
    'pages come as application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html or text/html: accept one',
    ['Vary', 'Accept, Accept-Encoding'],
  );
}

export function pagePatience(exchange: Exchange): Patience {
  const { request, wait, signal } = exchange;
  return { wait, signal, noCache: wantsNews(request.headers['cache-control']) };
}
