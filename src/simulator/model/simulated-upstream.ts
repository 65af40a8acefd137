/**
 * One node's way to the simulated index: the program's `Upstream` without HTTP. It asks once for each call, where the real one
 * tries three times.
 */
import type { Clock } from '../../core/clock.ts';
import { UpstreamError } from '../../core/errors.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type {
  ConditionalListAnswer,
  FileAnswer,
  FileRequest,
  PageAnswer,
  PageValidators,
  Upstream,
  UpstreamCallOptions,
} from '../../upstream/upstream.ts';
import { createUpstreamState, type UpstreamState } from '../../upstream/upstream-state.ts';
import { INDEX_URL, type IndexFile, type PageVersion, type UpstreamIndex } from './upstream-index.ts';
import type { Asker, UpstreamHost } from './upstream-host.ts';

/** What the index says; a liar's node sees another one. */
export type IndexReading = Pick<UpstreamIndex, 'page' | 'list' | 'changesSince' | 'fileAt' | 'bytesOf'>;

export interface SimulatedUpstreamDeps {
  readonly upstream: Pick<UpstreamHost, 'ask' | 'download'>;
  readonly index: IndexReading;
  readonly asker: Asker;
  readonly clock: Clock;
}

export function createSimulatedUpstream({ upstream, index, asker, clock }: SimulatedUpstreamDeps): Upstream {
  const state = createUpstreamState(INDEX_URL, clock, undefined);
  const pageUrl = (project: ProjectName): string => `${INDEX_URL}${project}/`;

  async function ask<T>(url: string, answer: () => T, ofIndex: boolean, signal?: AbortSignal): Promise<T> {
    return watched(state, ofIndex, signal, () => upstream.ask(asker, url, answer, signal));
  }

  /** Whole: pages and lists. */
  async function bring(url: string, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    return watched(state, true, signal, async () => {
      const pieces: Uint8Array[] = [];
      for await (const piece of abortable(upstream.download(asker, url, body), signal)) pieces.push(piece);
      return Buffer.concat(pieces);
    });
  }

  async function list(
    validators: PageValidators,
    { signal }: UpstreamCallOptions,
  ): Promise<Exclude<ConditionalListAnswer, { kind: 'absent' }>> {
    const observedAt = clock.now();
    const { serial, body } = await ask(INDEX_URL, () => index.list(), true, signal);
    const etag = `"${serial}"`;
    if (validators.etag === etag) {
      state.notModified();
      return { kind: 'not-modified', observedAt };
    }
    const whole = await bring(INDEX_URL, body, signal);
    return {
      kind: 'list',
      format: 'json',
      url: INDEX_URL,
      observedAt,
      etag,
      serial: String(serial),
      body: (async function* () {
        yield whole;
      })(),
    };
  }

  async function page(
    project: ProjectName,
    { signal, validators }: UpstreamCallOptions & { validators?: PageValidators | undefined } = {},
  ): Promise<PageAnswer> {
    const observedAt = clock.now();
    const url = pageUrl(project);
    const version = await ask<PageVersion | undefined>(url, () => index.page(project), true, signal);
    if (version === undefined) return { kind: 'absent', observedAt };
    const serial = String(version.serial);
    if (validators?.etag === version.etag) {
      state.notModified();
      return { kind: 'not-modified', observedAt, serial };
    }
    const body = await bring(url, version.body, signal);
    return {
      kind: 'page',
      body,
      format: 'json',
      url,
      etag: version.etag,
      lastModified: undefined,
      serial,
      observedAt,
    };
  }

  async function file(url: string, request: FileRequest = {}): Promise<FileAnswer | undefined> {
    const { signal } = request;
    const found = await ask<IndexFile | undefined>(url, () => index.fileAt(url), false, signal);
    if (found === undefined) return undefined;
    const { size, digest } = found;
    const start = request.suffix === undefined ? (request.offset ?? 0) : Math.max(0, size - request.suffix);
    if (start > size) throw new UpstreamError({ url, status: 416 }, `${url} has ${size} bytes`);
    const end = request.length === undefined ? size : Math.min(size, start + request.length);
    const download = upstream.download(asker, url, index.bytesOf(found).subarray(start, end));
    return {
      size,
      offset: start,
      etag: `"${digest.slice(0, 32)}"`,
      body: abortable(download, signal),
      async [Symbol.asyncDispose]() {
        download.close();
      },
    };
  }

  return {
    private: false,
    pageUrl,
    page,
    async projectList(options = {}) {
      const answer = await list({}, options);
      return answer.kind === 'list' ? answer : undefined;
    },
    projectListIfChanged: (validators, options = {}) => list(validators, options),
    changelog: {
      async lastSerial({ signal } = {}) {
        const observedAt = clock.now();
        return { serial: await ask(INDEX_URL, () => index.list().serial, true, signal), observedAt };
      },
      since: (serial, { signal } = {}) => ask(INDEX_URL, () => index.changesSince(serial), true, signal),
    },
    file,
    async fileInfo(url, { signal } = {}) {
      const found = await ask<IndexFile | undefined>(url, () => index.fileAt(url), false, signal);
      return found && { size: found.size, ranges: true, etag: `"${found.digest.slice(0, 32)}"` };
    },
    status: () => state.status(),
    async [Symbol.asyncDispose]() {},
  };
}

async function watched<T>(
  state: UpstreamState,
  ofIndex: boolean,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  state.requestSent();
  try {
    const value = await work();
    if (ofIndex) state.succeeded();
    return value;
  } catch (error) {
    if (signal?.aborted !== true) state.failed(error, ofIndex);
    throw error;
  }
}

async function* abortable(
  download: ReturnType<UpstreamHost['download']>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const onAbort = (): void => download.fail(signal?.reason as Error);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    yield* download.read();
  } finally {
    signal?.removeEventListener('abort', onAbort);
    download.close();
  }
}
