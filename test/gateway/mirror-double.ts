/**
 * A Mirror without store, peers or upstream: pages and files are put in, files can be let grow byte by byte or break, and
 * what was asked is remembered.
 */
import { createHash } from 'node:crypto';
import { parseDigest, type Digest } from '../../src/core/digest.ts';
import type { SourceKind } from '../../src/core/facts.ts';
import { parseProjectName, type ProjectName } from '../../src/core/project-name.ts';
import type { ProjectFile, ProjectPage } from '../../src/core/project-page.ts';
import type {
  FileLookup,
  FileRef,
  Mirror,
  OpenedFile,
  Patience,
  ProjectAnswer,
  ServedPage,
} from '../../src/mirror/mirror.ts';

export function digestOf(bytes: Uint8Array | string): Digest {
  return parseDigest(createHash('sha256').update(bytes).digest('hex'));
}

export interface DoubleFile {
  readonly ref: FileRef;
  /** Bytes that may be read so far; starts at 0 unless complete. */
  release(length: number): void;
  /** Marks it complete: everything may be read, never waiting. */
  finish(): void;
  /** Every read beyond what was released throws. */
  fail(error: Error): void;
  /** Makes the size known to who waits for it. */
  tellSize(size: number | undefined): void;
  /** Resolves when a reader waits for bytes beyond the released ones. */
  waiting(): Promise<void>;
  readonly opened: number;
  readonly disposed: number;
  /** Highest byte read so far. */
  readonly readTo: number;
}

export interface FileOptions {
  readonly project?: string;
  readonly filename: string;
  readonly bytes: Uint8Array;
  readonly source?: SourceKind;
  /** Default true. */
  readonly complete?: boolean;
  /** Size as the page says it; `unknown`: it says none, and nobody knows it until told. */
  readonly size?: number | 'unknown';
  /** No digest: `/direct/`. */
  readonly direct?: boolean;
  readonly path?: string;
}

export interface MirrorDouble extends Mirror {
  readonly asked: { what: string; name: string; patience: Patience | undefined }[];
  putPage(
    page: ProjectPage,
    answer?: Partial<ProjectAnswer & { kind: 'page' }>,
    served?: Partial<ServedPage>,
  ): ServedPage;
  putAnswer(
    name: string,
    answer: ProjectAnswer | ((patience: Patience | undefined) => Promise<ProjectAnswer>),
  ): void;
  putFile(options: FileOptions): DoubleFile;
  putMetadata(filename: string, answer: Awaited<ReturnType<Mirror['metadata']>>): void;
  /** Replaces single members. */
  override(members: Partial<Mirror>): void;
}

const ABSENT = { kind: 'absent' } as const;

export function createMirrorDouble(): MirrorDouble {
  const answers = new Map<string, (patience: Patience | undefined) => Promise<ProjectAnswer>>();
  const fresh = new Map<string, ProjectAnswer & { kind: 'page' }>();
  const files: { file: DoubleFile; open: () => OpenedFile; options: FileOptions }[] = [];
  const metadata = new Map<string, Awaited<ReturnType<Mirror['metadata']>>>();
  // Bounded: the benchmark asks millions of times.
  const asked: MirrorDouble['asked'] = [];
  const note = (what: string, name: string, patience?: Patience): void => {
    if (asked.length < 1000) asked.push({ what, name, patience });
  };
  const lookup = (fits: (entry: (typeof files)[number]) => boolean): FileLookup => {
    const found = files.find(fits);
    return found === undefined ? ABSENT : { kind: 'file', ref: found.file.ref };
  };
  const entryOf = (ref: FileRef): (typeof files)[number] | undefined =>
    files.find(({ file }) => file.ref.url === ref.url);
  const double: MirrorDouble = {
    asked,
    putPage(page, answer = {}, served = {}) {
      const full: ServedPage = {
        page,
        version: digestOf(JSON.stringify(page.raw) + page.files.map(({ url }) => url).join()),
        serial: '12345',
        coreMetadata: (file) => (file.filename.endsWith('.whl') ? true : undefined),
        ...served,
      };
      const facts = { ageSeconds: 10, freshSeconds: 590, stale: false, source: 'disk' as const, ...answer };
      const given = { kind: 'page' as const, served: full, ...facts };
      answers.set(page.name, async () => given);
      if (given.stale) fresh.delete(page.name);
      else fresh.set(page.name, given);
      return full;
    },
    putAnswer(name, answer) {
      fresh.delete(name);
      answers.set(name, typeof answer === 'function' ? answer : async () => answer);
    },
    putFile(options) {
      const { file, open } = createDoubleFile(options);
      files.push({ file, open, options });
      return file;
    },
    putMetadata(filename, answer) {
      metadata.set(filename, answer);
    },
    override(members) {
      Object.assign(double, members);
    },
    async project(name, patience) {
      note('project', name, patience);
      return (await answers.get(name)?.(patience)) ?? { kind: 'absent', ageSeconds: 1, freshSeconds: 599 };
    },
    freshProject: (name) => fresh.get(name),
    async projectList() {
      return { kind: 'unknown', reason: 'no list here', retryAfterSeconds: 3 };
    },
    async findFile(digest, filename, patience) {
      note('findFile', filename, patience);
      return lookup(({ file }) => file.ref.digest === digest && file.ref.filename === filename);
    },
    async findByPath(path, patience) {
      note('findByPath', path, patience);
      return lookup(({ options }) => options.path === path);
    },
    async findDirect(project, filename, patience) {
      note('findDirect', filename, patience);
      return lookup(({ file }) => file.ref.project === project && file.ref.filename === filename);
    },
    async openFile(ref, patience) {
      note('openFile', ref.filename, patience);
      const entry = entryOf(ref);
      return entry === undefined ? ABSENT : { kind: 'opened', file: entry.open() };
    },
    async fileSize(ref) {
      note('fileSize', ref.filename);
      const entry = entryOf(ref);
      if (entry === undefined) return ABSENT;
      return { kind: 'size', size: ref.size, source: entry.options.source ?? 'disk' };
    },
    async metadata(ref, patience) {
      note('metadata', ref.filename, patience);
      return metadata.get(ref.filename) ?? ABSENT;
    },
    async provenance() {
      return ABSENT;
    },
    async projectJson() {
      return ABSENT;
    },
  };
  return double;
}

function createDoubleFile(options: FileOptions): { file: DoubleFile; open: () => OpenedFile } {
  const { filename, bytes, source = 'disk', direct = false } = options;
  const pageSize = options.size === 'unknown' ? undefined : (options.size ?? bytes.length);
  const complete = options.complete ?? true;
  const state = {
    known: pageSize,
    sizeTold: options.size !== 'unknown',
    complete,
    available: complete ? bytes.length : 0,
    failure: undefined as Error | undefined,
  };
  let opened = 0;
  let disposed = 0;
  let readTo = 0;
  let waiters: (() => void)[] = [];
  let watchers: (() => void)[] = [];
  const wake = (): void => {
    const woken = waiters;
    waiters = [];
    for (const waiter of woken) waiter();
  };
  /** Until something changes, or the reader gives up. */
  const change = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        waiters = waiters.filter((other) => other !== waiter);
        reject(signal?.reason as Error);
      };
      const waiter = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      waiters.push(waiter);
      for (const watcher of watchers.splice(0)) watcher();
    });
  const project = parseProjectName(options.project ?? filename.split('-')[0] ?? '');
  const ref: FileRef = {
    project,
    filename,
    url: `https://files.example/${filename}`,
    digest: direct ? undefined : digestOf(bytes),
    size: pageSize,
    private: false,
    file: undefined,
  };
  const file: DoubleFile = {
    ref,
    release(length) {
      state.available = Math.max(state.available, length);
      wake();
    },
    finish() {
      state.complete = true;
      state.available = bytes.length;
      state.known = bytes.length;
      state.sizeTold = true;
      wake();
    },
    fail(error) {
      state.failure = error;
      wake();
    },
    tellSize(size) {
      state.known = size;
      state.sizeTold = true;
      wake();
    },
    waiting: () => new Promise((resolve) => (waiters.length > 0 ? resolve() : watchers.push(resolve))),
    get opened() {
      return opened;
    },
    get disposed() {
      return disposed;
    },
    get readTo() {
      return readTo;
    },
  };
  const open = (): OpenedFile => {
    opened++;
    return {
      source,
      get complete() {
        return state.complete;
      },
      get size() {
        return state.known;
      },
      get available() {
        return state.available;
      },
      async knownSize(calling = {}) {
        while (!state.sizeTold && state.failure === undefined) await change(calling.signal);
        if (state.failure !== undefined && !state.sizeTold) throw state.failure;
        return state.known;
      },
      async read(target, offset, reading = {}) {
        while (offset >= state.available && offset < bytes.length) {
          if (state.failure !== undefined) throw state.failure;
          await change(reading.signal);
        }
        const end = Math.min(offset + target.length, state.available);
        if (end <= offset) return 0;
        target.set(bytes.subarray(offset, end));
        readTo = Math.max(readTo, end);
        return end - offset;
      },
      async [Symbol.asyncDispose]() {
        disposed++;
      },
    };
  };
  return { file, open };
}

/** A page of made-up files. */
export function makePage(
  project: string,
  files: readonly Partial<ProjectFile & { filename: string }>[],
): ProjectPage {
  const name: ProjectName = parseProjectName(project);
  return {
    name,
    format: 'json',
    url: `https://pypi.example/simple/${name}/`,
    raw: { meta: { 'api-version': '1.4' }, name, versions: ['1.0'] },
    files: files.map((given) => {
      const filename = given.filename ?? `${name}-1.0-py3-none-any.whl`;
      const url = `https://files.example/${filename}`;
      return {
        filename,
        url,
        sha256: digestOf(filename),
        hashes: {},
        size: 100,
        coreMetadata: undefined,
        raw: { filename, url, hashes: {}, size: 100, 'upload-time': '2026-01-01T00:00:00Z' },
        ...given,
      };
    }),
  };
}
