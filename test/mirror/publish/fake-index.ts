/** An index in memory as an `Upstream`: projects with serials, a list, a changelog, and every lie that an index can tell. */
import { hash } from 'node:crypto';
import { UpstreamError } from '../../../src/core/errors.ts';
import type { ProjectName } from '../../../src/core/project-name.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type {
  ChangelogEvent,
  ConditionalListAnswer,
  ListAnswer,
  PageAnswer,
  Upstream,
} from '../../../src/upstream/upstream.ts';
import type { FakeClock } from '../../support/fake-clock.ts';

export const INDEX = 'https://index.test/simple/';

export interface FakeIndexOptions {
  readonly serials?: boolean;
  readonly etags?: boolean;
  readonly changelog?: boolean;
  /** The list has so many bytes more: too dear to be asked for each time. */
  readonly padding?: number;
  readonly format?: 'json' | 'html';
}

export interface AskedFor {
  readonly what: 'list' | 'page' | 'last-serial' | 'since';
  readonly project: ProjectName | undefined;
  readonly at: number;
  readonly status: 200 | 304 | 404 | 'failed';
}

interface Project {
  serial: number;
  version: number;
  status: string | undefined;
  listed: boolean;
}

export class FakeIndex {
  readonly asked: AskedFor[] = [];
  readonly projects = new Map<ProjectName, Project>();
  serial = 100;
  active = 0;
  mostActive = 0;
  /** Ms that each answer takes, and more of single projects. */
  latency = 0;
  readonly slow = new Map<ProjectName, number>();
  /** Thrown in place of an answer. */
  fail: (what: AskedFor['what'], project: ProjectName | undefined) => UpstreamError | undefined = () =>
    undefined;
  /** In place of the page or list. */
  pageInstead: (project: ProjectName) => PageAnswer | undefined = () => undefined;
  listInstead: (() => string) | undefined;
  /** Since when (wall clock, ms) a cache answers for it: their Age grows. The changelog is not cached. */
  cachedSince: number | undefined;
  readonly #events: ChangelogEvent[] = [];
  readonly #clock: FakeClock;
  readonly #options: FakeIndexOptions;

  constructor(clock: FakeClock, options: FakeIndexOptions = {}) {
    this.#clock = clock;
    this.#options = options;
  }

  /** A new version; a project that is not there begins. */
  change(name: string): ProjectName {
    const project = parseProjectName(name);
    const known = this.projects.get(project);
    this.serial++;
    this.projects.set(project, {
      serial: this.serial,
      version: (known?.version ?? 0) + 1,
      status: undefined,
      listed: true,
    });
    this.#events.push({ name, serial: this.serial });
    return project;
  }

  /** Without a serial, as archiving is. */
  changeSilently(project: ProjectName, change: Partial<Project>): void {
    Object.assign(this.projects.get(project) as Project, change);
  }

  remove(project: ProjectName): void {
    this.projects.delete(project);
    this.serial++;
    this.#events.push({ name: project, serial: this.serial });
  }

  count(what?: AskedFor['what']): number {
    return this.asked.filter((one) => what === undefined || one.what === what).length;
  }

  page(project: ProjectName, serial?: number): PageAnswer {
    const known = this.projects.get(project);
    const observedAt = this.cachedSince ?? this.#clock.now();
    if (known === undefined) return { kind: 'absent', observedAt };
    const own = serial ?? known.serial;
    const { serials = true, format = 'json', etags = true } = this.#options;
    const filename = `${project.replaceAll('-', '_')}-${known.version}.0-py3-none-any.whl`;
    const url = `https://files.test/packages/${filename}`;
    const sha256 = known.version.toString(16).padStart(64, '0');
    const json = JSON.stringify({
      meta: { 'api-version': '1.4', ...(serials ? { '_last-serial': own } : {}) },
      name: project,
      ...(known.status === undefined ? {} : { 'project-status': { status: known.status } }),
      files: [{ filename, url, hashes: { sha256 } }],
    });
    const html = `<!DOCTYPE html><html><head><title>Links for ${project}</title></head><body><a href="${url}#sha256=${sha256}">${filename}</a></body></html>`;
    const body = Buffer.from(format === 'json' ? json : html);
    const etag = etags ? `"${own}-${known.version}-${known.status ?? ''}"` : undefined;
    return {
      kind: 'page',
      body,
      format,
      url: `${INDEX}${project}/`,
      etag,
      lastModified: undefined,
      serial: serials ? String(own) : undefined,
      observedAt,
    };
  }

  list(): string {
    if (this.listInstead !== undefined) return this.listInstead();
    const { serials = true, format = 'json', padding = 0 } = this.#options;
    const listed = [...this.projects].filter(([, { listed: is }]) => is);
    if (format === 'html')
      return `<!DOCTYPE html><html><body>${listed.map(([name]) => `<a href="/simple/${name}/">${name}</a>`).join('')}</body></html>`;
    const text = JSON.stringify({
      meta: { 'api-version': '1.4', ...(serials ? { '_last-serial': this.serial } : {}) },
      projects: listed.map(([name, { serial }]) => ({
        name,
        ...(serials ? { '_last-serial': serial } : {}),
      })),
    });
    // White space costs the reader nothing but its bytes.
    return text.replace('"projects":[', () => `"projects":[${' '.repeat(padding)}`);
  }

  upstream(): Upstream {
    const { etags = true, format = 'json', changelog = false } = this.#options;
    const ask = async <T>(
      what: AskedFor['what'],
      project: ProjectName | undefined,
      signal: AbortSignal | undefined,
      answer: () => { value: T; status: AskedFor['status'] },
    ): Promise<T> => {
      const at = this.#clock.monotonic();
      this.active++;
      this.mostActive = Math.max(this.mostActive, this.active);
      try {
        const latency = this.latency + ((project && this.slow.get(project)) ?? 0);
        if (latency > 0)
          await new Promise<void>((resolve, reject) => {
            const timer = this.#clock.setTimer(resolve, latency);
            signal?.addEventListener('abort', () => {
              timer.cancel();
              reject(signal.reason as Error);
            });
          });
        const error = this.fail(what, project);
        if (error !== undefined) {
          this.asked.push({ what, project, at, status: 'failed' });
          throw error;
        }
        const { value, status } = answer();
        this.asked.push({ what, project, at, status });
        return value;
      } finally {
        this.active--;
      }
    };
    return {
      private: false,
      pageUrl: (project) => `${INDEX}${project}/`,
      page: (project, { validators, signal } = {}) =>
        ask('page', project, signal, () => {
          const answer = this.pageInstead(project) ?? this.page(project);
          if (answer.kind === 'page' && answer.etag !== undefined && answer.etag === validators?.etag)
            return {
              value: { kind: 'not-modified', observedAt: answer.observedAt, serial: answer.serial },
              status: 304,
            };
          return { value: answer, status: answer.kind === 'absent' ? 404 : 200 };
        }),
      projectList: async () => {
        throw new Error('the conditional one is asked');
      },
      projectListIfChanged: (validators, { signal } = {}) =>
        ask<ConditionalListAnswer>('list', undefined, signal, () => {
          const observedAt = this.cachedSince ?? this.#clock.now();
          const text = this.list();
          const etag = etags ? `"${hash('sha256', text)}"` : undefined;
          if (etag !== undefined && etag === validators.etag)
            return { value: { kind: 'not-modified', observedAt } as const, status: 304 };
          const answer: ListAnswer = {
            format,
            url: INDEX,
            observedAt,
            etag,
            body: (async function* () {
              yield Buffer.from(text);
            })(),
          };
          return { value: { kind: 'list', ...answer } as const, status: 200 };
        }),
      ...(changelog
        ? {
            changelog: {
              lastSerial: ({ signal } = {}) =>
                ask('last-serial', undefined, signal, () => ({
                  value: { serial: this.serial, observedAt: this.#clock.now() },
                  status: 200,
                })),
              since: (serial, { signal } = {}) =>
                ask('since', undefined, signal, () => ({
                  value: this.#events.filter((event) => event.serial > serial),
                  status: 200,
                })),
            },
          }
        : {}),
      file: async () => undefined,
      fileInfo: async () => undefined,
      status: () => ({
        url: INDEX,
        state: 'ok',
        lastSuccessAt: undefined,
        lastError: undefined,
        requests: this.asked.length,
        notModified: 0,
      }),
      async [Symbol.asyncDispose]() {},
    };
  }
}

export function failure(status?: number, retryAfter?: number): UpstreamError {
  return new UpstreamError({ url: INDEX, status, retryAfter }, `answered ${status ?? 'nothing'}`);
}
