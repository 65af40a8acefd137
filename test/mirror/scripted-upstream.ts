/** An upstream that answers as the test says, and a node's page use cases on top of it with memory stores and a fake clock. */
import { UpstreamError } from '../../src/core/errors.ts';
import { createFactEmitter, type FactName } from '../../src/core/facts.ts';
import { parseProjectName, type ProjectName } from '../../src/core/project-name.ts';
import { createProjectMatcher } from '../../src/core/project-pattern.ts';
import { createProjectPages, type ProjectPages } from '../../src/mirror/project-pages.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import type { PageAnswer, PageValidators, Upstream } from '../../src/upstream/upstream.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

export const INDEX = 'https://pypi.test/simple/';

export interface PageCall {
  readonly project: ProjectName;
  readonly validators: PageValidators | undefined;
  readonly noCache: boolean;
}

type Script = (call: PageCall, signal: AbortSignal | undefined) => PageAnswer | Promise<PageAnswer>;

export interface ScriptedPages extends Pick<Upstream, 'page' | 'private' | 'status'> {
  /** How the next requests are answered. */
  answer: Script;
  readonly calls: PageCall[];
}

export function createScriptedPages(options: { private?: boolean; url?: string } = {}): ScriptedPages {
  const url = options.url ?? INDEX;
  const scripted: ScriptedPages = {
    private: options.private ?? false,
    calls: [],
    answer: () => {
      throw new Error('the test gave no answer');
    },
    async page(project, { signal, validators, noCache } = {}) {
      const call = { project, validators, noCache: noCache ?? false };
      scripted.calls.push(call);
      return scripted.answer(call, signal);
    },
    status: () => ({
      url,
      state: 'ok',
      lastSuccessAt: undefined,
      lastError: undefined,
      requests: 0,
      notModified: 0,
    }),
  };
  return scripted;
}

export interface PageShape {
  serial?: number | string | undefined;
  files?: readonly object[];
  etag?: string | undefined;
  format?: 'json' | 'html';
  /** Age of the answer, ms. */
  age?: number;
  body?: string;
  name?: string;
}

export const sha = (seed: number): string => seed.toString(16).padStart(64, '0');

/** One file entry of a page; `seed` makes its digest. */
export function entry(filename: string, seed: number, more: object = {}): object {
  return {
    filename,
    url: `https://files.test/packages/aa/bb/${seed}/${filename}`,
    hashes: { sha256: sha(seed) },
    ...more,
  };
}

export function pageAnswer(clock: FakeClock, shape: PageShape = {}): PageAnswer {
  const { serial, files = [entry('foo-1.0-py3-none-any.whl', 1)], format = 'json', name = 'foo' } = shape;
  const meta = { 'api-version': '1.1', ...(serial === undefined ? {} : { '_last-serial': serial }) };
  const body = shape.body ?? JSON.stringify({ meta, name, files });
  return {
    kind: 'page',
    body: Buffer.from(body),
    format,
    url: `${INDEX}${name}/`,
    etag: shape.etag,
    lastModified: undefined,
    serial: undefined,
    observedAt: clock.now() - (shape.age ?? 0),
  };
}

export function absentAnswer(clock: FakeClock, age = 0): PageAnswer {
  return { kind: 'absent', observedAt: clock.now() - age };
}

export function failure(status?: number, retryAfter?: number): UpstreamError {
  return new UpstreamError(
    { url: INDEX, status, retryAfter },
    status === undefined ? 'connection refused' : `answered ${status}`,
  );
}

/** Never answers until aborted. */
export const hang: Script = (_call, signal) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error));
  });

export const foo = parseProjectName('foo');

export interface PageNode extends ProjectPages {
  readonly clock: FakeClock;
  readonly upstream: ScriptedPages;
  readonly catalog: Catalog;
  readonly seen: { name: FactName; fact: unknown }[];
  readonly visibility: Map<string, string>;
}

export interface PageNodeOptions {
  clock?: FakeClock;
  upstream?: ScriptedPages;
  catalog?: Catalog;
  offline?: boolean;
  patterns?: string[];
  cacheBytes?: number;
}

export function createPageNode(options: PageNodeOptions = {}): PageNode {
  const clock = options.clock ?? createFakeClock();
  const upstream = options.upstream ?? createScriptedPages();
  const catalog = options.catalog ?? createMemoryCatalog();
  const facts = createFactEmitter();
  const seen: PageNode['seen'] = [];
  facts.onAny((name, fact) => void seen.push({ name, fact }));
  const visibility = new Map<string, 'public' | 'private'>();
  const pages = createProjectPages(
    {
      catalog,
      upstream,
      clock,
      facts,
      store: {
        visibility: (digest) => visibility.get(digest),
        markVisibility: async (digest, mark) => void visibility.set(digest, mark),
      },
      isPrivate: createProjectMatcher(options.patterns ?? []),
    },
    {
      pageTtl: 600_000,
      offline: options.offline ?? false,
      ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
    },
  );
  return { ...pages, clock, upstream, catalog, seen, visibility };
}

/** Lets the clock run until the promise settles, at most `ms`; resolves to the value and how long it took. */
export async function timed<T>(
  clock: FakeClock,
  promise: Promise<T>,
  ms = 120_000,
): Promise<{ value: T; ms: number }> {
  const start = clock.monotonic();
  let settled: { value: T; ms: number } | undefined;
  let failed: { error: unknown } | undefined;
  promise.then(
    (value) => (settled = { value, ms: clock.monotonic() - start }),
    (error: unknown) => (failed = { error }),
  );
  for (let waited = 0; waited <= ms; waited += 50) {
    await clock.advance(waited === 0 ? 0 : 50);
    if (failed !== undefined) throw failed.error;
    if (settled !== undefined) return settled;
  }
  throw new Error(`not settled after ${ms} ms`);
}
