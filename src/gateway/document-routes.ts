/** JSON that is made from or handed on beside pages: `/pypi/<name>/json`, `/pypi/<name>/<version>/json`, PEP 740 provenance. */
import { createHash } from 'node:crypto';
import { NotFoundError, UnavailableError } from '../core/errors.ts';
import type { SourceKind } from '../core/facts.ts';
import { parseProjectName, type ProjectName } from '../core/project-name.ts';
import type { Json } from '../core/project-page.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { RequestError } from './http-errors.ts';
import { pagePatience } from './page-routes.ts';
import { redirect, sendBuffer } from './send.ts';

export interface DocumentDeps {
  readonly mirror: Pick<Mirror, 'projectJson' | 'provenance'>;
  readonly limits: GatewayLimits;
}

/** `/pypi/<name>/json`, `/pypi/<name>/<version>/json`; PyPI answers with a slash at the end too. */
export async function serveProjectJson(deps: DocumentDeps, exchange: Exchange): Promise<void> {
  const [, name = '', ...rest] = exchange.path.segments;
  const [version, last] = rest[0] === 'json' && rest.length < 3 ? [undefined, rest[0]] : rest;
  const depth = version === undefined ? 1 : 2;
  if (last !== 'json' || (rest.length > depth && (rest.length > depth + 1 || rest[depth] !== '')))
    throw new RequestError(
      'NO_ROUTE',
      'the JSON API is at /pypi/<name>/json and /pypi/<name>/<version>/json',
    );
  const project = parseProjectName(name);
  if (project !== name) {
    const path = [project, ...rest].map((segment) => encodeURIComponent(segment)).join('/');
    redirect(exchange, `${'../'.repeat(rest.length)}${path}`);
    return;
  }
  const answer = await deps.mirror.projectJson(project, version, pagePatience(exchange));
  const what =
    version === undefined ? `project "${project}"` : `version "${version}" of project "${project}"`;
  if (answer.kind !== 'json') throw missing(answer, what);
  const host = exchange.path.authority ?? exchange.request.headers.host ?? '';
  const document = Buffer.from(withGatewayUrls(answer.body, project, host));
  sendDocument(deps, exchange, { type: 'application/json', body: document, source: 'disk' });
}

/** `/integrity/<project>/<version>/<filename>/provenance`. */
export async function serveProvenance(deps: DocumentDeps, exchange: Exchange): Promise<void> {
  const [, name = '', version = '', filename = '', last, ...more] = exchange.path.segments;
  if (last !== 'provenance' || more.length > 0) {
    const path = '/integrity/<project>/<version>/<filename>/provenance';
    throw new RequestError('NO_ROUTE', `provenance is at ${path}`);
  }
  const { wait, signal } = exchange;
  const answer = await deps.mirror.provenance(parseProjectName(name), version, filename, { wait, signal });
  if (answer.kind !== 'provenance') throw missing(answer, `provenance of "${filename}"`);
  const { body } = answer;
  sendDocument(deps, exchange, { type: 'application/vnd.pypi.integrity.v1+json', body, source: 'upstream' });
}

type Missing = { kind: 'absent' } | { kind: 'unknown'; reason: string; retryAfterSeconds: number };

function missing(answer: Missing, what: string): Error {
  return answer.kind === 'absent'
    ? new NotFoundError(`${what} does not exist at the upstream index`)
    : new UnavailableError(`${what} cannot be had now: ${answer.reason}`, [], answer.retryAfterSeconds);
}

/**
 * The files' URLs lead here, as the simple index's do; absolute, as this API has them. `host` is the one that the request
 * was let in for: with a target in absolute form its own, not the header's.
 */
function withGatewayUrls(body: Json, project: ProjectName, host: string): string {
  return JSON.stringify(body, (_key, value: Json) => {
    if (typeof value !== 'object' || value === null) return value;
    const entry = value as { filename?: Json; digests?: { sha256?: string } };
    const { filename, digests } = entry;
    if (typeof filename !== 'string' || digests === undefined) return value;
    const folder = digests.sha256 === undefined ? `direct/${project}` : `files/${digests.sha256}`;
    return { ...entry, url: `http://${host}/${folder}/${encodeURIComponent(filename)}` };
  });
}

/** Its age is not known here: a client may keep it but asks each time. */
function sendDocument(
  deps: DocumentDeps,
  exchange: Exchange,
  document: { type: string; body: Uint8Array; source: SourceKind },
): void {
  const etag = `"${createHash('sha256').update(document.body).digest('hex').slice(0, 32)}"`;
  const headers = ['Cache-Control', 'no-cache'];
  sendBuffer(exchange, { ...document, etag, headers }, deps.limits.idleTime);
}
