/**
 * A small PyPI on loopback: an index host and a file host, with content that can change, everything logged, and every
 * fault that the recordings know. For tests, the demo and the benchmarks; knows nothing of `src/`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type AnswerOptions, createAnswers } from './answers.ts';
import { createContent } from './content.ts';
import { createFaultList, type Fault, type FaultMatch, faultOf, type FaultOptions, fits } from './faults.ts';
import { type Host, startHost, type TlsFiles } from './host.ts';
import type { Links } from './pages.ts';
import type { Exchange } from './respond.ts';
import type { FakeFile } from './wheel.ts';

export interface FakePypiOptions extends AnswerOptions {
  readonly files?: readonly FakeFile[];
  readonly port?: number;
  readonly filesPort?: number;
  /** 127.0.0.1 unless given. */
  readonly address?: string;
  /** `host`: absolute, on the file host. `path`: root-relative, on the index host, as many company mirrors have them. */
  readonly fileUrls?: 'host' | 'path';
  readonly latencyMs?: number;
  readonly bytesPerSecond?: number;
  readonly tls?: TlsFiles;
}

export interface LoggedRequest {
  readonly host: 'index' | 'files';
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** 0 while no answer was given. */
  readonly status: number;
  /** Of the body, as sent. */
  readonly bytes: number;
  /** Wall clock, ms. */
  readonly at: number;
  /** Answered to the end, or broken off. */
  readonly ended: boolean;
}

export interface FakePypi extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/simple/`. */
  readonly url: string;
  readonly index: Host;
  readonly files: Host;
  readonly requests: readonly LoggedRequest[];
  /** By exact path, or by path with `*`. */
  requestsFor(path: string): LoggedRequest[];
  clearRequests(): void;
  /** Requests being answered now, and the most there ever were at once. */
  readonly active: { readonly now: number; readonly most: number };
  /** Both hosts away, or back on their ports. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** `match` a project's name or more; `fault` as data or by its name in the recordings. Returns how to take it away. */
  fault(match: string | FaultMatch, fault: Fault | string, options?: FaultOptions): () => void;
  clearFaults(): void;
  addFile(file: FakeFile): void;
  removeFile(filename: string): void;
  /** Away with a project, files included. */
  removeProject(name: string): void;
  setStatus(project: string, status: string): void;
  fileUrl(file: FakeFile): string;
  close(): Promise<void>;
}

export async function startFakePypi(options: FakePypiOptions = {}): Promise<FakePypi> {
  const faults = createFaultList();
  const log: (LoggedRequest & { status: number; bytes: number; ended: boolean })[] = [];
  const active = { now: 0, most: 0 };
  const content = createContent(options.files ?? []);
  const fileUrl = (file: FakeFile): string =>
    `${options.fileUrls === 'path' ? index.url : files.url}${encodeURI(file.path)}`;
  const links: Links = {
    file: (file) => (options.fileUrls === 'path' ? encodeURI(file.path) : fileUrl(file)),
    provenance: (file) =>
      `${index.url}/integrity/${file.project}/${file.version}/${file.filename}/provenance`,
  };

  const answers = createAnswers(content, links, options);

  async function answer(
    host: 'index' | 'files',
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const target = answers.target(host, request);
    const entry = {
      host,
      method: target.method,
      path: target.path,
      headers: request.headers,
      status: 0,
      bytes: 0,
      at: Date.now(),
      ended: false,
    };
    log.push(entry);
    active.now++;
    active.most = Math.max(active.most, active.now);
    response.once('close', () => {
      active.now--;
      entry.status = response.headersSent ? response.statusCode : 0;
      entry.ended = response.writableFinished;
    });
    response.on('error', () => {});
    const exchange: Exchange = {
      request,
      response,
      faults: faults.take(target),
      bytesPerSecond: options.bytesPerSecond,
      count: (bytes) => {
        entry.bytes += bytes;
        entry.status = response.statusCode;
      },
    };
    if (options.latencyMs !== undefined) await pause(options.latencyMs);
    if (faultOf(exchange.faults, 'hang')) return;
    await answers.respond(exchange, target);
  }

  const handler =
    (host: 'index' | 'files') =>
    (request: IncomingMessage, response: ServerResponse): void => {
      answer(host, request, response).catch((error: unknown) => {
        response.destroy(error as Error);
      });
    };
  const { address, tls } = options;
  const index = await startHost(handler('index'), { port: options.port ?? 0, tls, address });
  const files = await startHost(handler('files'), { port: options.filesPort ?? 0, tls, address });
  const close = async (): Promise<void> => {
    await Promise.all([index.down(), files.down()]);
  };

  return {
    url: `${index.url}/simple/`,
    index,
    files,
    requests: log,
    requestsFor(path) {
      return log.filter((entry) => fits(path, entry.path));
    },
    clearRequests() {
      log.length = 0;
    },
    active,
    down: close,
    async up() {
      await Promise.all([index.up(), files.up()]);
    },
    fault: (match, fault, faultOptions) => faults.add(match, fault, faultOptions),
    clearFaults: () => faults.clear(),
    addFile: (file) => content.add(file),
    removeFile: (filename) => content.removeFile(filename),
    removeProject: (name) => content.removeProject(name),
    setStatus: (project, status) => content.setStatus(project, status),
    fileUrl,
    close,
    [Symbol.asyncDispose]: close,
  };
}
