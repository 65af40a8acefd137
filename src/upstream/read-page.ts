/** Pages and the list of projects from the upstream's answers: what they must be to be believed. */
import { UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { Ask, Asked } from './ask.ts';
import { decodedBody, readBody } from './decode-body.ts';
import { endsHtml, recognizePage } from './recognize-page.ts';
import type { ConditionalListAnswer, PageAnswer, PageValidators } from './upstream.ts';

const ACCEPT =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1';
const CODINGS = 'gzip, deflate, br, zstd';

/** Not found, said by somebody who must know: not by whoever an unprotected redirect led to. */
export function isAbsent(answer: Asked): boolean {
  return (answer.status === 404 || answer.status === 410) && answer.authentic;
}

export async function readPage(
  ask: Ask,
  url: URL,
  request: {
    project: ProjectName;
    validators: PageValidators | undefined;
    noCache: boolean;
    signal: AbortSignal;
  },
): Promise<PageAnswer> {
  const { etag, lastModified } = request.validators ?? {};
  await using answer = await ask({
    url,
    method: 'GET',
    headers: {
      accept: ACCEPT,
      'accept-encoding': CODINGS,
      ...conditionsOf({ etag, lastModified }),
      ...(request.noCache ? { 'cache-control': 'no-cache' } : {}),
    },
    kind: 'quick',
    signal: request.signal,
  });
  const observedAt = answer.sentAt - ageOf(answer);
  const serial = answer.header('x-pypi-last-serial');
  if (isAbsent(answer)) return { kind: 'absent', observedAt };
  if (answer.status === 304 && (etag !== undefined || lastModified !== undefined)) {
    return { kind: 'not-modified', observedAt, serial };
  }
  if (answer.status !== 200) throw refused(answer, `answered ${answer.status}`);
  const body = await readBody(answer, limits.page);
  const recognized = recognizePage(body, {
    type: answer.header('content-type'),
    project: request.project,
    delimited:
      answer.header('content-length') !== undefined || answer.header('transfer-encoding') !== undefined,
  });
  if ('problem' in recognized) throw refused(answer, recognized.problem);
  return {
    kind: 'page',
    body,
    format: recognized.format,
    url: answer.url.href,
    etag: answer.header('etag'),
    lastModified: answer.header('last-modified'),
    serial,
    observedAt,
  };
}

export async function readProjectList(
  ask: Ask,
  url: URL,
  signal: AbortSignal,
  validators: PageValidators = {},
): Promise<ConditionalListAnswer> {
  const conditions = conditionsOf(validators);
  const headers = { accept: ACCEPT, 'accept-encoding': CODINGS, ...conditions };
  const answer = await ask({ url, method: 'GET', headers, kind: 'quick', signal });
  const type = answer.header('content-type') ?? '';
  const format = /json/i.test(type) ? 'json' : /html/i.test(type) ? 'html' : undefined;
  const observedAt = answer.sentAt - ageOf(answer);
  if (answer.status === 200 && format) {
    return {
      kind: 'list',
      format,
      url: answer.url.href,
      observedAt,
      etag: answer.header('etag'),
      lastModified: answer.header('last-modified'),
      serial: answer.header('x-pypi-last-serial'),
      body: wholeList(answer, format),
    };
  }
  await answer[Symbol.asyncDispose]();
  if (answer.status === 304 && Object.keys(conditions).length > 0)
    return { kind: 'not-modified', observedAt };
  if (isAbsent(answer)) return { kind: 'absent' };
  throw refused(
    answer,
    answer.status === 200 ? `answered with ${type || 'no type'}` : `answered ${answer.status}`,
  );
}

function conditionsOf({ etag, lastModified }: PageValidators): Record<string, string> {
  return {
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
  };
}

/** Throws at its end when the list has none, so that a cut one is never taken for a small one. */
async function* wholeList(answer: Asked, format: 'json' | 'html'): AsyncGenerator<Uint8Array> {
  const bounds = { encodedBytes: limits.page.listDecodedBytes, decodedBytes: limits.page.listDecodedBytes };
  let end = '';
  let begun = false;
  for await (const chunk of decodedBody(answer, bounds)) {
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
    if (!begun && text.trim() !== '') {
      begun = true;
      if (!text.trimStart().startsWith(format === 'json' ? '{' : '<'))
        throw refused(answer, 'answered with no list');
    }
    end = (end + text.slice(-256)).slice(-256);
    yield chunk;
  }
  const whole = format === 'json' ? end.trimEnd().endsWith('}') : endsHtml(end);
  if (!whole) throw refused(answer, 'answered with a list that is cut off');
}

function refused(answer: Asked, what: string): UpstreamError {
  const url = answer.url.href;
  return new UpstreamError({ url, status: answer.status }, `${url} ${what}`);
}

/** In ms: how old the answer already was when it came. */
function ageOf(answer: Asked): number {
  const value = answer.header('age');
  return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) * 1000 : 0;
}
