/**
 * The admin socket: HTTP over a socket in the data folder that only its owner can open. Each action answers with JSON
 * lines, `{"progress": ...}` while it goes on and `{"result": ...}` or `{"error": ...}` at the end; a caller that leaves
 * stops its action.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { chmod, rm } from 'node:fs/promises';
import { type Digest, isDigest } from '../core/digest.ts';
import { FondueError, InvalidContentError, UnavailableError } from '../core/errors.ts';
import { parseRetractionSubject, type RetractionSubject } from '../core/log/retraction.ts';
import { parseProjectName, type ProjectName } from '../core/project-name.ts';
import type { WantedFile } from '../core/wanted-file.ts';
import type {
  ActionOptions,
  Administration,
  IndexAdministration,
  PolicyReport,
  PublisherAdministration,
} from '../mirror/administration.ts';

const MAX_BODY = 64 * 1024 * 1024;

export interface AdminSocket extends AsyncDisposable {
  readonly path: string;
}

type Action = (body: unknown, options: ActionOptions) => Promise<unknown>;

/** Listens on `path`; a socket file left by a node that was killed is replaced (the folder's lock keeps others out). */
export async function openAdminSocket(path: string, administration: Administration): Promise<AdminSocket> {
  const actions: Readonly<Record<string, Action>> = {
    status: () => administration.status(),
    warm: (body, options) => administration.warm(readWanted(body), options),
    pin: (body, options) => administration.pin(readWanted(body), options),
    unpin: (body, options) => administration.unpin(readWanted(body), options),
    gc: (body) => administration.collect(readBytes(body)),
    verify: (_body, options) => administration.verify(options),
    'index-status': () => indexOf(administration).status(),
    'index-show': (body) => indexOf(administration).show(readProject(body)),
    'index-prove': (body) => indexOf(administration).prove(readProject(body)),
    'index-misconduct': (body) => indexOf(administration).misconductProof(readDigest(body)),
    'index-reset-clock': () => indexOf(administration).resetClock(),
    'policy-read': () => policyOf(administration),
    'publisher-retractions': () => publisherOf(administration).retractions(),
    'publisher-retract': (body) =>
      publisherOf(administration).retract(readSubject(body), readText(body, 'reason')),
    'publisher-unretract': (body) => publisherOf(administration).unretract(readSubject(body)),
    'publisher-accept-loss': () => publisherOf(administration).acceptLoss(),
  };
  const server = createServer((request, response) => void answer(actions, request, response));
  const onPipe = path.startsWith('\\\\');
  if (!onPipe) await rm(path, { force: true });
  await listen(server, path);
  if (!onPipe) await chmod(path, 0o600);
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (!onPipe) await rm(path, { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function answer(
  actions: Readonly<Record<string, Action>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new DOMException('the caller left', 'AbortError')));
  const say = (line: object): void => void response.write(`${JSON.stringify(line)}\n`);
  try {
    const name = (request.url ?? '').slice(1);
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (action === undefined || request.method !== 'POST')
      throw new InvalidContentError(`no such action: ${name}`);
    const body = await readBody(request);
    response.writeHead(200, { 'content-type': 'application/jsonl' });
    // At once: the caller sees that somebody is there, however long the action takes.
    response.flushHeaders();
    const result = await action(body, { signal: gone.signal, onProgress: (progress) => say({ progress }) });
    say({ result });
  } catch (error) {
    const code = error instanceof FondueError ? error.code : 'INTERNAL';
    say({ error: { code, message: error instanceof Error ? error.message : String(error) } });
  }
  response.end();
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) throw new InvalidContentError(`the request is longer than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as unknown);
}

function indexOf({ index }: Administration): IndexAdministration {
  if (index !== undefined) return index;
  throw new UnavailableError(
    'this node follows no publishers: start it with --mode quorum and a policy (fondue trust add VKEY)',
  );
}

function policyOf({ readPolicy }: Administration): Promise<PolicyReport> {
  if (readPolicy !== undefined) return readPolicy();
  throw new UnavailableError(
    'this node lives by no policy: start it with --mode quorum or --mode offline and one that names publishers',
  );
}

function publisherOf({ publisher }: Administration): PublisherAdministration {
  if (publisher !== undefined) return publisher;
  throw new UnavailableError('this node publishes nothing: it was not started with "fondue publish"');
}

function readText(body: unknown, key: string): string {
  const value = (body as Record<string, unknown> | undefined)?.[key];
  if (typeof value !== 'string') throw new InvalidContentError(`"${key}" must be a text`);
  return value;
}

function readSubject(body: unknown): RetractionSubject {
  const subject = parseRetractionSubject(readText(body, 'subject'));
  if (subject === undefined) throw new InvalidContentError('a project, or sha256: and a digest is expected');
  return subject;
}

function readDigest(body: unknown): Digest {
  const digest = readText(body, 'digest');
  if (!isDigest(digest)) throw new InvalidContentError('a digest is expected');
  return digest;
}

function readProject(body: unknown): ProjectName {
  const name = (body as { project?: unknown } | undefined)?.project;
  if (typeof name !== 'string') throw new InvalidContentError('the name of a project is expected');
  return parseProjectName(name);
}

function readBytes(body: unknown): number | undefined {
  const bytes = (body as { bytes?: unknown } | undefined)?.bytes;
  if (bytes === undefined || (Number.isSafeInteger(bytes) && Number(bytes) >= 0))
    return bytes as number | undefined;
  throw new InvalidContentError('bytes must be a whole number, 0 or more');
}

function readWanted(body: unknown): readonly WantedFile[] {
  if (!Array.isArray(body)) throw new InvalidContentError('a list of wanted files is expected');
  return body.map((entry: Partial<Record<string, unknown>>): WantedFile => {
    const { kind, digest, filename, project, version, digests } = entry;
    const digestFits = typeof digest === 'string' && isDigest(digest);
    if (kind === 'blob' && digestFits) return { kind, digest };
    if (kind === 'file' && digestFits && typeof filename === 'string') return { kind, digest, filename };
    if (kind === 'release' && typeof project === 'string') {
      const list = Array.isArray(digests)
        ? digests.filter((one) => typeof one === 'string').filter(isDigest)
        : [];
      const wanted = typeof version === 'string' ? version : undefined;
      return { kind, project: parseProjectName(project), version: wanted, digests: list };
    }
    throw new InvalidContentError(`not a wanted file: ${JSON.stringify(entry).slice(0, 200)}`);
  });
}
