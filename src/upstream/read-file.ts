/**
 * Files from the upstream: whole or by range. The size, offset and validator that are told always belong to the bytes
 * that are given; an answer that does not fit what was asked is refused before its first byte.
 */
import { UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Ask, Asked } from './ask.ts';
import { isWhatWasAsked, parseContentRange, rangeHeader } from './content-range.ts';
import { codingsOf, decodedBody } from './decode-body.ts';
import { isAbsent } from './read-page.ts';
import type { FileAnswer, FileRequest } from './upstream.ts';

interface ReadFile extends FileAnswer {
  /** It is the range that was asked for, not the file. */
  readonly partial: boolean;
}

/** Up to this many bytes a range goes before whole files, as pages do. */
const QUICK_BYTES = 1024 * 1024;

export async function readFile(
  ask: Ask,
  url: URL,
  request: FileRequest,
  signal: AbortSignal,
): Promise<ReadFile | undefined> {
  const range = rangeHeader(request);
  const ifRange = range !== undefined && request.etag?.startsWith('"') ? request.etag : undefined;
  const answer = await ask({
    url,
    method: 'GET',
    headers: {
      accept: '*/*',
      'accept-encoding': 'identity',
      ...(range === undefined ? {} : { range }),
      ...(ifRange === undefined ? {} : { 'if-range': ifRange }),
    },
    kind: isQuick(url, request) ? 'quick' : 'bulk',
    signal,
  });
  try {
    if (isAbsent(answer)) {
      await answer[Symbol.asyncDispose]();
      return undefined;
    }
    return fileAnswer(answer, request, range !== undefined);
  } catch (error) {
    await answer[Symbol.asyncDispose]();
    throw error;
  }
}

/** Metadata and small ranges: a client waits for them before it knows what to download. */
function isQuick(url: URL, request: FileRequest): boolean {
  return url.pathname.endsWith('.metadata') || (request.suffix ?? request.length ?? Infinity) <= QUICK_BYTES;
}

function fileAnswer(answer: Asked, request: FileRequest, ranged: boolean): ReadFile {
  const url = answer.url.href;
  const refuse = (what: string): never => {
    throw new UpstreamError({ url, status: answer.status }, `${url} ${what}`);
  };
  if (answer.status !== 200 && !(answer.status === 206 && ranged)) refuse(`answered ${answer.status}`);
  const etag = strongEtag(answer);
  const length = lengthOf(answer);
  if (answer.status === 206) {
    const value = answer.header('content-range');
    const range = parseContentRange(value);
    if (!range || !isWhatWasAsked(range, request) || codingsOf(answer).length > 0) {
      return refuse(
        `answered a request for ${rangeHeader(request)} with ${value ?? 'no range that can be read'}`,
      );
    }
    if (etag !== undefined && request.etag?.startsWith('"') && etag !== request.etag) {
      return refuse(`has changed: ${etag} where ${request.etag} was begun`);
    }
    const bytes = range.end - range.start;
    if (length !== undefined && length !== bytes) refuse(`says ${length} bytes for a range of ${bytes}`);
    const body = exactly(answer, bytes);
    return { size: range.total, offset: range.start, etag, body, partial: true, ...disposeOf(answer) };
  }
  if (length !== undefined && length > limits.file.bytes) {
    refuse(`has ${length} bytes; files of at most ${limits.file.bytes} are read`);
  }
  if (codingsOf(answer).length > 0 && !isMislabelled(answer)) {
    // Encoded although identity was asked: the length and the validator are those of other bytes than these.
    const bounds = { encodedBytes: limits.file.bytes, decodedBytes: limits.file.bytes };
    const body = decodedBody(answer, bounds);
    return { size: undefined, offset: 0, etag: undefined, body, partial: false, ...disposeOf(answer) };
  }
  const body = exactly(answer, length);
  return { size: length, offset: 0, etag, body, partial: false, ...disposeOf(answer) };
}

function disposeOf(answer: Asked): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => answer[Symbol.asyncDispose]() };
}

/** Some servers call a `.tar.gz` gzip-encoded tar: the file is what is sent (pip reads it so too). */
function isMislabelled(answer: Asked): boolean {
  return codingsOf(answer).every((coding) => coding.endsWith('gzip')) && /\.t?gz$/.test(answer.url.pathname);
}

/** The body, which must have `bytes` bytes where that is known, and never more than a file may have. */
async function* exactly(answer: Asked, bytes: number | undefined): AsyncGenerator<Uint8Array> {
  const url = answer.url.href;
  let read = 0;
  for await (const chunk of answer.body) {
    read += chunk.length;
    if (read > (bytes ?? limits.file.bytes)) {
      throw new UpstreamError(
        { url, status: answer.status },
        `${url} sends more than ${bytes ?? limits.file.bytes} bytes`,
      );
    }
    yield chunk;
  }
  if (bytes !== undefined && read !== bytes) {
    throw new UpstreamError({ url, status: answer.status }, `${url} ended after ${read} of ${bytes} bytes`);
  }
}

function lengthOf(answer: Asked): number | undefined {
  const value = answer.header('content-length');
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function strongEtag(answer: Asked): string | undefined {
  const etag = answer.header('etag');
  return etag?.startsWith('"') ? etag : undefined;
}

export interface FileInfo {
  readonly size: number | undefined;
  readonly ranges: boolean;
  readonly etag: string | undefined;
}

/** HEAD; where that is refused or says too little, the first byte. */
export async function readFileInfo(ask: Ask, url: URL, signal: AbortSignal): Promise<FileInfo | undefined> {
  await using head = await ask({
    url,
    method: 'HEAD',
    headers: { accept: '*/*', 'accept-encoding': 'identity' },
    kind: 'quick',
    signal,
  });
  if (isAbsent(head)) return undefined;
  if (head.status === 200 && codingsOf(head).length === 0) {
    const size = lengthOf(head);
    const ranges = head.header('accept-ranges')?.toLowerCase();
    const enough = size === 0 || (size !== undefined && ranges !== undefined);
    if (enough) return { size, ranges: ranges === 'bytes', etag: strongEtag(head) };
  } else if (![200, 403, 405, 501].includes(head.status)) {
    throw new UpstreamError({ url: url.href, status: head.status }, `${url.href} answered ${head.status}`);
  }
  await using first = await readFile(ask, url, { offset: 0, length: 1 }, signal);
  return first && { size: first.size, ranges: first.partial, etag: first.etag };
}
