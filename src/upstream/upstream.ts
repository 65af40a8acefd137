/**
 * The index that is mirrored: the interface. `pypi.ts` speaks HTTP through undici; the simulator and tests bring their
 * own. Contract suite: `test/contracts/upstream.ts`.
 */
import type { ProjectName } from '../core/project-name.ts';

export interface UpstreamCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What makes a request for a page conditional. */
export interface PageValidators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

export type PageAnswer =
  | {
      readonly kind: 'page';
      /** Decoded from any content coding; at most `limits.page.decodedBytes`. */
      readonly body: Uint8Array;
      readonly format: 'json' | 'html';
      /** After redirects. */
      readonly url: string;
      readonly etag: string | undefined;
      readonly lastModified: string | undefined;
      /** X-PyPI-Last-Serial. */
      readonly serial: string | undefined;
      /** Start of the request minus the answer's Age, wall clock ms. */
      readonly observedAt: number;
    }
  | { readonly kind: 'not-modified'; readonly observedAt: number; readonly serial: string | undefined }
  | { readonly kind: 'absent'; readonly observedAt: number };

/** The list of all projects, as sent (JSON or HTML), streamed. */
export interface ListAnswer {
  readonly format: 'json' | 'html';
  readonly url: string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Start of the request minus the answer's Age; without it the start counts. */
  readonly observedAt?: number;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** X-PyPI-Last-Serial. */
  readonly serial?: string | undefined;
}

export type ConditionalListAnswer =
  | ({ readonly kind: 'list' } & ListAnswer)
  | { readonly kind: 'not-modified'; readonly observedAt: number }
  | { readonly kind: 'absent' };

export interface ChangelogEvent {
  /** As written by the project; not normalized. */
  readonly name: string;
  readonly serial: number;
}

/** What a mirror asks PyPI for over XML-RPC; never cached, so its answers are of their own moment. Throws UpstreamError. */
export interface Changelog {
  lastSerial(
    options?: UpstreamCallOptions,
  ): Promise<{ readonly serial: number; /** Wall clock, ms. */ readonly observedAt: number }>;
  /** Events after `serial`, ascending; the upstream may give the first part of many. */
  since(serial: number, options?: UpstreamCallOptions): Promise<readonly ChangelogEvent[]>;
}

export interface FileAnswer extends AsyncDisposable {
  /** Size of the whole file; undefined when the upstream does not say. */
  readonly size: number | undefined;
  /** Where `body` starts: the offset asked for, or 0 when the upstream ignored the range. */
  readonly offset: number;
  /** Strong validator of the file, for If-Range. */
  readonly etag: string | undefined;
  /** Ends early or throws UpstreamError when the transfer breaks; read once. Leaving the loop ends the request. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface FileRequest extends UpstreamCallOptions {
  /** First byte wanted; default 0. */
  readonly offset?: number;
  /** Number of bytes wanted; default to the end. */
  readonly length?: number;
  /** The last `suffix` bytes instead. */
  readonly suffix?: number;
  /** Sent as If-Range with a range. */
  readonly etag?: string | undefined;
}

export interface UpstreamStatus {
  readonly url: string;
  readonly state: 'ok' | 'unreachable' | 'unknown' | 'off';
  readonly lastSuccessAt: number | undefined;
  readonly lastError: string | undefined;
  readonly requests: number;
  readonly notModified: number;
}

/**
 * Every call throws UpstreamError (with `status` and `retryAfter` where there was an answer) when the upstream fails,
 * answers with anything but what was asked, or with the wrong type; absence (404, 410) is an answer, not an error, for
 * pages and `undefined` for files.
 */
export interface Upstream extends AsyncDisposable {
  /** What it gives is private: it needs credentials, or its owner says so. */
  readonly private: boolean;
  /** URL of a project's page. */
  pageUrl(project: ProjectName): string;
  page(
    project: ProjectName,
    options?: UpstreamCallOptions & { validators?: PageValidators | undefined; noCache?: boolean },
  ): Promise<PageAnswer>;
  /** Undefined when there is none (404). */
  projectList(options?: UpstreamCallOptions): Promise<ListAnswer | undefined>;
  /** The list unless it is as it was; absent where an upstream cannot ask so. */
  projectListIfChanged?(
    validators: PageValidators,
    options?: UpstreamCallOptions,
  ): Promise<ConditionalListAnswer>;
  /** Absent where it is never asked. */
  readonly changelog?: Changelog;
  /** `url` absolute. Undefined on 404 and 410. */
  file(url: string, request?: FileRequest): Promise<FileAnswer | undefined>;
  /** Size and validators without the body: HEAD, else a one-byte range. Undefined on 404 and 410. */
  fileInfo(
    url: string,
    options?: UpstreamCallOptions,
  ): Promise<{ size: number | undefined; ranges: boolean; etag: string | undefined } | undefined>;
  status(): UpstreamStatus;
}
