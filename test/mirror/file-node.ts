/** A node's file use cases on memory stores, a fake clock, an upstream that follows a script, and peers of a memory world. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { sleep } from '../../src/core/clock.ts';
import { type Digest, parseDigest } from '../../src/core/digest.ts';
import { UpstreamError } from '../../src/core/errors.ts';
import { createFactEmitter, type FactName, type Facts } from '../../src/core/facts.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { FileRef, OpenAnswer, OpenedFile } from '../../src/mirror/mirror.ts';
import { createFileOpener, type FileOpener, type OpenOptions } from '../../src/mirror/open-file.ts';
import {
  createMemoryWorld,
  type MemoryNode,
  type MemoryWorld,
  type PeerBehaviour,
} from '../../src/network/memory-peer-network.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import type { FileRequest, Upstream } from '../../src/upstream/upstream.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { createMemoryShelf, digestOf, type MemoryShelf, someBytes } from '../support/memory-shelf.ts';

export { digestOf, someBytes };

const URL = 'https://files.test/packages/foo-1.0-py3-none-any.whl';
const CHUNK = 16 * 1024;

/** How the upstream treats a request for a file. Nothing set: at once, right and whole, with ranges. */
export interface FileScript {
  bytes?: Uint8Array;
  status?: number;
  retryAfter?: number;
  /** Ms before the answer; Infinity: never. */
  latency?: number;
  /** Bytes a second. */
  rate?: number;
  /** Ends the body without error after so many bytes of this answer. */
  endAt?: number;
  cutAt?: number;
  stallAt?: number;
  ranges?: boolean;
  size?: number | undefined;
  hideSize?: boolean;
  etag?: string;
  absent?: boolean;
}

export interface ScriptedFiles extends Upstream {
  script: FileScript;
  /** The script of the n-th request (from 0), when it differs. */
  readonly next: FileScript[];
  readonly requests: { readonly offset: number; readonly etag: string | undefined; readonly url: string }[];
  infoCalls: number;
  lastSuccessAt: number | undefined;
  /** Requests whose body is being read. */
  active: number;
  /** Answers that were aborted, the end of their body included. */
  cut: number;
}

export function createScriptedFiles(clock: FakeClock, script: FileScript, isPrivate = false): ScriptedFiles {
  const files: ScriptedFiles = {
    private: isPrivate,
    script,
    next: [],
    requests: [],
    infoCalls: 0,
    lastSuccessAt: clock.now(),
    active: 0,
    cut: 0,
    pageUrl: (project) => `https://pypi.test/simple/${project}/`,
    page: () => Promise.reject(new Error('not asked for in these tests')),
    projectList: () => Promise.reject(new Error('not asked for in these tests')),
    async file(url, request = {}) {
      const now = files.next.shift() ?? files.script;
      files.requests.push({ offset: request.offset ?? 0, etag: request.etag, url });
      await wait(clock, now.latency ?? 0, request.signal);
      if (now.status !== undefined) {
        throw new UpstreamError(
          { url, status: now.status, retryAfter: now.retryAfter },
          `answered ${now.status}`,
        );
      }
      if (now.absent || now.bytes === undefined) return undefined;
      const offset = now.ranges === false ? 0 : (request.offset ?? 0);
      const size = now.hideSize ? undefined : (now.size ?? now.bytes.length);
      const body = bodyOf(files, clock, { script: now, offset, request });
      return {
        size,
        offset,
        etag: now.etag ?? '"one"',
        body,
        async [Symbol.asyncDispose]() {
          await body.return(undefined);
        },
      };
    },
    async fileInfo(_url, options) {
      files.infoCalls++;
      const { script: now } = files;
      await wait(clock, now.latency ?? 0, options?.signal);
      if (now.status !== undefined)
        throw new UpstreamError({ url: URL, status: now.status }, `answered ${now.status}`);
      if (now.absent || now.bytes === undefined) return undefined;
      return { size: now.bytes.length, ranges: now.ranges ?? true, etag: '"one"' };
    },
    status: () => ({
      url: 'https://pypi.test/simple/',
      state: 'ok',
      lastSuccessAt: files.lastSuccessAt,
      lastError: undefined,
      requests: 0,
      notModified: 0,
    }),
    async [Symbol.asyncDispose]() {
      await Promise.resolve();
    },
  };
  return files;
}

async function wait(clock: FakeClock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (ms > 0) await sleep(clock, Math.min(ms, 1e9), signal);
}

async function* bodyOf(
  files: ScriptedFiles,
  clock: FakeClock,
  { script, offset, request }: { script: FileScript; offset: number; request: FileRequest },
): AsyncGenerator<Uint8Array> {
  const { bytes = new Uint8Array(0) } = script;
  files.active++;
  try {
    for (let sent = 0; offset + sent < bytes.length;) {
      request.signal?.throwIfAborted();
      if (sent >= (script.endAt ?? Infinity)) return;
      if (sent >= (script.cutAt ?? Infinity)) throw new UpstreamError({ url: URL }, 'connection reset');
      if (sent >= (script.stallAt ?? Infinity)) await wait(clock, Infinity, request.signal);
      const turns = [script.endAt, script.cutAt, script.stallAt].filter(
        (at) => at !== undefined && at > sent,
      );
      const room = Math.min(...turns.map((at) => (at as number) - sent), bytes.length - offset - sent);
      const size = Math.min(CHUNK, room, Math.max(1, Math.ceil((script.rate ?? Infinity) / 10)));
      if (script.rate !== undefined) await wait(clock, (size * 1000) / script.rate, request.signal);
      yield bytes.slice(offset + sent, offset + sent + size);
      sent += size;
    }
  } finally {
    files.active--;
    if (request.signal?.aborted) files.cut++;
  }
}

export interface FileNode extends FileOpener {
  readonly clock: FakeClock;
  readonly upstream: ScriptedFiles;
  readonly store: BlobStore;
  readonly world: MemoryWorld;
  readonly network: MemoryNode;
  readonly seen: { readonly name: FactName; readonly fact: unknown }[];
  facts<K extends FactName>(name: K): Facts[K][];
  /** A peer that holds `bytes` (under `as`). Proven unless said otherwise. */
  peer(peerId: string, bytes: Uint8Array, options?: PeerOptions): MemoryNode & { shelf: MemoryShelf };
  /** Reads the whole file through `openFile`, a client's way; advances the clock. */
  get(ref: FileRef, options?: OpenOptions & { within?: number }): Promise<Got>;
  /** Lets the clock run until `promise` settles. */
  until<T>(promise: Promise<T>, within?: number): Promise<T>;
}

export interface PeerOptions {
  readonly as?: Digest;
  readonly stranger?: boolean;
  readonly lan?: boolean;
  readonly behaviour?: PeerBehaviour;
  readonly connected?: boolean;
}

export interface Got {
  readonly answer: OpenAnswer;
  readonly bytes: Uint8Array;
  /** Why reading ended before the end. */
  readonly error: unknown;
  /** Longest time between two reads that gave bytes, ms; the first one from the call on. */
  readonly gap: number;
  readonly ms: number;
}

export interface FileNodeOptions {
  readonly script?: FileScript;
  readonly clock?: FakeClock;
  readonly store?: BlobStore;
  readonly quotaBytes?: number;
  readonly ask?: 'all' | 'lan' | 'none';
  readonly offline?: boolean;
  readonly privateUpstream?: boolean;
}

export function createFileNode(options: FileNodeOptions = {}): FileNode {
  const clock = options.clock ?? createFakeClock();
  const facts = createFactEmitter();
  const seen: { name: FactName; fact: unknown }[] = [];
  facts.onAny((name, fact) => void seen.push({ name, fact }));
  const upstream = createScriptedFiles(clock, options.script ?? {}, options.privateUpstream);
  const store =
    options.store ?? createMemoryBlobStore({ clock, facts, quotaBytes: options.quotaBytes ?? 1 << 30 });
  const world = createMemoryWorld({ clock });
  const network = world.node({ peerId: 'self', shelf: createMemoryShelf(), facts });
  let seed = 7;
  const opener = createFileOpener({
    store,
    upstream,
    network,
    clock,
    randomness: {
      bytes: (length) => someBytes(length, seed++),
      float: () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0), seed / 2 ** 32),
    },
    facts,
    ask: options.ask ?? 'all',
    offline: options.offline ?? false,
  });

  async function until<T>(promise: Promise<T>, within = 600_000): Promise<T> {
    let settled = false;
    const finish = (): void => void (settled = true);
    promise.then(finish, finish);
    for (let waited = 0; ; waited += 25) {
      await clock.advance(waited === 0 ? 0 : 25);
      if (settled) return promise;
      if (waited > within) throw new Error(`not settled after ${within} ms`);
    }
  }

  return {
    openFile: (ref, open) => opener.openFile(ref, open),
    fileSize: (ref, patience) => opener.fileSize(ref, patience),
    get flights() {
      return opener.flights;
    },
    [Symbol.asyncDispose]: () => opener[Symbol.asyncDispose](),
    clock,
    upstream,
    store,
    world,
    network,
    seen,
    facts: <K extends FactName>(name: K) =>
      seen.filter((one) => one.name === name).map(({ fact }) => fact as Facts[K]),
    peer(peerId, bytes, { as, stranger = false, lan = false, behaviour = {}, connected } = {}) {
      const shelf = createMemoryShelf();
      shelf.put(bytes, as);
      const node = world.node({
        peerId,
        shelf,
        lan,
        behaviour,
        ...(connected === undefined ? {} : { connected }),
      });
      if (!stranger) network.judge(peerId, { kind: 'verified', digest: digestOf(bytes), bytes: 0, ms: 0 });
      return Object.assign(node, { shelf });
    },
    until,
    get: (ref, { within, ...open } = {}) => until(readAll(opener, clock, ref, open), within),
  };
}

/** Reads as the gateway does: open, then on to the end. */
export async function readAll(
  opener: Pick<FileOpener, 'openFile'>,
  clock: FakeClock,
  ref: FileRef,
  options: OpenOptions = {},
): Promise<Got> {
  const start = clock.monotonic();
  const answer = await opener.openFile(ref, options);
  let last = start;
  let gap = clock.monotonic() - last;
  const parts: Buffer[] = [];
  let error: unknown;
  if (answer.kind === 'opened') {
    const { file } = answer;
    const buffer = new Uint8Array(256 * 1024);
    try {
      for (let offset = options.offset ?? 0; ;) {
        const got = await file.read(buffer, offset);
        gap = Math.max(gap, clock.monotonic() - last);
        last = clock.monotonic();
        if (got === 0) break;
        parts.push(Buffer.from(buffer.subarray(0, got)));
        offset += got;
      }
    } catch (caught) {
      error = caught;
    } finally {
      await file[Symbol.asyncDispose]();
    }
  }
  return { answer, bytes: Buffer.concat(parts), error, gap, ms: clock.monotonic() - start };
}

export function refOf(bytes: Uint8Array, more: Partial<FileRef> = {}): FileRef {
  return {
    project: parseProjectName('foo'),
    filename: 'foo-1.0-py3-none-any.whl',
    url: URL,
    digest: digestOf(bytes),
    size: bytes.length,
    private: false,
    file: undefined,
    ...more,
  };
}

export function opened(answer: OpenAnswer): OpenedFile {
  if (answer.kind !== 'opened') throw new Error(`not opened: ${JSON.stringify(answer)}`);
  return answer.file;
}

export const sha256 = (bytes: Uint8Array): Digest =>
  parseDigest(createHash('sha256').update(bytes).digest('hex'));

/** Without the diff of large buffers that `deepEqual` takes minutes for. */
export function same(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = expected.findIndex((byte, index) => actual[index] !== byte);
  assert.fail(`${actual.length} bytes, ${expected.length} expected, the first difference at ${at}`);
}
