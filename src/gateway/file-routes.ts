/**
 * Files: `/files/<sha256>/<filename>`, `/packages/...`, `/direct/<project>/<filename>`, each also with `.metadata`, and
 * HEAD and ranges of them. Always true: no byte leaves that the mirror did not let out; HEAD starts no fetch; until the
 * first byte a failure is told, after it the connection is reset.
 */
import { deadline, type Clock } from '../core/clock.ts';
import { parseDigest } from '../core/digest.ts';
import { IntegrityError, NotFoundError, UnavailableError } from '../core/errors.ts';
import { parseProjectName } from '../core/project-name.ts';
import type { FileLookup, FileRef, Mirror, OpenedFile, Patience } from '../mirror/mirror.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Exchange } from './exchange.ts';
import { BYTES, digestEtag, fileHeaders, likelyStart, rangeHeader, selectRange } from './file-range.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { RequestError } from './http-errors.ts';
import { notModified, sendBuffer } from './send.ts';
import { sendFile } from './send-body.ts';
import type { SmallFileCache } from './small-file-cache.ts';

export interface FileDeps {
  readonly mirror: Pick<
    Mirror,
    'findFile' | 'findByPath' | 'findDirect' | 'openFile' | 'fileSize' | 'metadata'
  >;
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly smallFiles: SmallFileCache;
  readonly limits: GatewayLimits;
}

const METADATA = '.metadata';

export async function serveFiles(deps: FileDeps, exchange: Exchange): Promise<void> {
  const { segments } = exchange.path;
  const last = segments.at(-1) ?? '';
  const isMetadata = last.endsWith(METADATA);
  const filename = isMetadata ? last.slice(0, -METADATA.length) : last;
  if (isMetadata) exchange.route = 'metadata';
  if (filename === '') throw new RequestError('NO_ROUTE', 'the path ends where a filename should be');
  if (!isMetadata && segments[0] === 'files' && segments.length === 3) {
    const digest = parseDigest(segments[1] ?? '');
    const body = deps.smallFiles.find(digest, filename);
    if (body !== undefined) {
      sendWhole(deps, exchange, digest, body);
      return;
    }
  }
  const ref = refOf(await find(deps.mirror, exchange, filename), filename);
  if (isMetadata) await serveMetadata(deps, exchange, ref);
  else if (
    ref.digest !== undefined &&
    notModified(exchange, etagOf(ref) ?? '', fileHeaders(ref.digest, 'disk'))
  )
    return;
  else if (exchange.head) await serveHead(deps, exchange, ref);
  else await serveBody(deps, exchange, ref);
}

function find(mirror: FileDeps['mirror'], exchange: Exchange, filename: string): Promise<FileLookup> {
  const [kind, ...parts] = exchange.path.segments;
  const [first = ''] = parts;
  if (kind === 'packages' && parts.length > 1) {
    return mirror.findByPath(`/packages/${[...parts.slice(0, -1), filename].join('/')}`, patience(exchange));
  }
  if (parts.length === 2 && kind === 'files')
    return mirror.findFile(parseDigest(first), filename, patience(exchange));
  if (parts.length === 2 && kind === 'direct')
    return mirror.findDirect(parseProjectName(first), filename, patience(exchange));
  throw new RequestError(
    'NO_ROUTE',
    'files are at /files/<sha256>/<filename>, /packages/<path>/<filename> and /direct/<project>/<filename>',
  );
}

/** `no-cache` is not passed on: a file never changes, and Poetry sends it with every range. */
function patience({ wait, signal }: Exchange): Patience {
  return { wait, signal };
}

const UNLISTED = "its project's page at the upstream index does not name it so";
const NOWHERE =
  'its page names it, but the upstream says that it does not have it, and no peer has it either';

function refOf(lookup: FileLookup, filename: string): FileRef {
  if (lookup.kind === 'file') return lookup.ref;
  throw missing(lookup, filename, UNLISTED);
}

type Missing = { kind: 'absent' } | { kind: 'unknown'; reason: string; retryAfterSeconds: number };

function missing(answer: Missing, filename: string, why: string): Error {
  return answer.kind === 'absent'
    ? new NotFoundError(`"${filename}" is not there: ${why}`)
    : new UnavailableError(`"${filename}" cannot be had now: ${answer.reason}`, [], answer.retryAfterSeconds);
}

function etagOf(ref: FileRef): string | undefined {
  return ref.digest === undefined ? undefined : digestEtag(ref.digest);
}

async function serveMetadata(deps: FileDeps, exchange: Exchange, ref: FileRef): Promise<void> {
  const answer = await deps.mirror.metadata(ref, patience(exchange));
  if (answer.kind !== 'metadata')
    throw missing(answer, `${ref.filename}${METADATA}`, 'this file has no metadata');
  const { body, digest, source } = answer;
  const etag = digestEtag(digest);
  const headers = fileHeaders(digest, source);
  if (notModified(exchange, etag, headers)) return;
  const { status, start, end, headers: more } = selectRange(exchange, etag, body.length);
  const part = body.subarray(start, end);
  const answered = { status, type: BYTES, body: part, etag, headers: [...headers, ...more], source };
  sendBuffer(exchange, answered, deps.limits.idleTime);
}

async function serveHead(deps: FileDeps, exchange: Exchange, ref: FileRef): Promise<void> {
  const answer = await deps.mirror.fileSize(ref, patience(exchange));
  if (answer.kind !== 'size') throw missing(answer, ref.filename, NOWHERE);
  writeHead(exchange, ref, {
    status: 200,
    length: answer.size,
    headers: fileHeaders(ref.digest, answer.source),
  });
  exchange.response.end();
}

async function serveBody(deps: FileDeps, exchange: Exchange, ref: FileRef): Promise<void> {
  const etag = etagOf(ref);
  // Before anything is fetched: a range beyond the end is refused by what the page says.
  const offset =
    ref.size === undefined ? likelyStart(exchange, etag) : selectRange(exchange, etag, ref.size).start;
  const { turn } = deps.smallFiles;
  using first = deadline(deps.clock, exchange.wait, exchange.signal);
  const answer = await deps.mirror.openFile(ref, { ...patience(exchange), offset });
  if (answer.kind !== 'opened') throw missing(answer, ref.filename, NOWHERE);
  await using file = answer.file;
  try {
    const size = file.size ?? (await file.knownSize({ signal: first.signal }));
    if (file.complete && size !== undefined && size <= deps.limits.smallFile) {
      const body = await readWhole(file, size);
      const { project, filename, digest } = ref;
      if (digest !== undefined) deps.smallFiles.keep({ digest, filename, project, body }, turn);
      sendWhole(deps, exchange, digest, body, file);
    } else await sendOpened(deps, exchange, ref, file, size, first.signal);
  } catch (error) {
    if (!first.signal.aborted || exchange.signal.aborted || exchange.response.headersSent) throw error;
    const message = `"${ref.filename}" gave no byte in time; its transfer goes on`;
    throw new UnavailableError(message, [], deps.limits.retryAfterSeconds, { cause: error });
  }
}

async function sendOpened(
  deps: FileDeps,
  exchange: Exchange,
  ref: FileRef,
  file: OpenedFile,
  size: number | undefined,
  firstBy: AbortSignal,
): Promise<void> {
  const etag = etagOf(ref);
  const headers = fileHeaders(ref.digest, file.source);
  if (size === undefined) {
    // A range of what will be kept is answered when it is: 200 in full would make uv give up ranges for the whole index.
    if (ref.digest !== undefined && rangeHeader(exchange, etag) !== undefined) {
      const message = `the size of "${ref.filename}" is not known before its transfer ends, so no range can be given`;
      throw new UnavailableError(message, [], deps.limits.retryAfterSeconds);
    }
    const begin = (): void => writeHead(exchange, ref, { status: 200, length: undefined, headers });
    await sendFile(deps, exchange, file, { start: 0, end: undefined }, begin, firstBy);
    return;
  }
  const { status, start, end, headers: more } = selectRange(exchange, etag, size);
  const begin = (): void =>
    writeHead(exchange, ref, { status, length: end - start, headers: [...headers, ...more] });
  await sendFile(deps, exchange, file, { start, end }, begin, firstBy);
}

function writeHead(
  exchange: Exchange,
  ref: FileRef,
  head: { status: number; length: number | undefined; headers: readonly string[] },
): void {
  const own = ['Content-Type', BYTES, 'X-Content-Type-Options', 'nosniff'];
  const etag = etagOf(ref);
  if (etag !== undefined) own.push('ETag', etag);
  if (head.length !== undefined) own.push('Content-Length', String(head.length));
  exchange.response.writeHead(head.status, [...own, ...head.headers]);
}

/** A small file whose bytes are all in memory; without a digest it has no ETag. */
function sendWhole(
  deps: FileDeps,
  exchange: Exchange,
  digest: FileRef['digest'],
  body: Uint8Array,
  file?: OpenedFile,
): void {
  const source = file?.source ?? 'disk';
  const etag = digest === undefined ? undefined : digestEtag(digest);
  const headers = fileHeaders(digest, source);
  if (etag !== undefined && notModified(exchange, etag, headers)) return;
  const { status, start, end, headers: more } = selectRange(exchange, etag, body.length);
  const part = body.subarray(start, end);
  const answer = { status, type: BYTES, body: part, headers: [...headers, ...more], source };
  sendBuffer(exchange, etag === undefined ? answer : { ...answer, etag }, deps.limits.idleTime);
}

async function readWhole(file: OpenedFile, size: number): Promise<Uint8Array> {
  // Not from Buffer's shared pool, of which a small slice would hold 64 KiB.
  const body = Buffer.allocUnsafeSlow(size);
  let length = 0;
  while (length < size) {
    const count = await file.read(body.subarray(length), length);
    if (count === 0)
      throw new IntegrityError({ expected: `${size} bytes`, actual: `${length} bytes`, source: file.source });
    length += count;
  }
  return body;
}
