/**
 * What the gateway, the dashboard and the command line may ask of a node: one use case a member, each made by its own file
 * in this folder and joined in `node.ts`. Times are seconds where the name says so; ages are never younger than the truth.
 */
import type { ContentCoding } from '../core/accept.ts';
import type { Digest } from '../core/digest.ts';
import type { Json, ProjectFile, ProjectPage } from '../core/project-page.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { SourceKind } from '../core/facts.ts';
import type { Priority } from '../network/peer-network.ts';
import type { ByteSource } from '../store/blob-store.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How long this caller can wait for what is not kept, in ms, and whether it asked for a revalidation (`no-cache`). */
export interface Patience extends CallOptions {
  readonly wait?: number;
  readonly noCache?: boolean;
}

/** A page as served. The same object is returned until the page changes: renderings may be cached by identity. */
export interface ServedPage {
  readonly page: ProjectPage;
  /** SHA-256 over what makes a rendering differ (page and what is known of its metadata): the base of ETags. */
  readonly version: Digest;
  readonly serial: string | undefined;
  /**
   * What to say of a file's `.metadata`, already decided (design/gateway, "What clients really do", 5):
   * hashes to pass on, `true` without a hash, or undefined to say nothing.
   */
  coreMetadata(file: ProjectFile): Readonly<Record<string, string>> | true | undefined;
}

export type ProjectAnswer =
  | {
      readonly kind: 'page';
      readonly served: ServedPage;
      readonly ageSeconds: number;
      /** What is left of the page's time to live; 0 when stale. */
      readonly freshSeconds: number;
      readonly stale: boolean;
      readonly source: SourceKind;
      /** What it does not list is not to be had, whatever the disk holds. */
      readonly decides?: boolean;
    }
  | {
      readonly kind: 'absent';
      readonly ageSeconds: number;
      readonly freshSeconds: number;
      /** As above, however old. */
      readonly decides?: boolean;
    }
  /** It cannot be found out now: 503, never 404. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly retryAfterSeconds: number };

/** One file that may be served, found from a digest, a `/packages/` path, or a page. */
export interface FileRef {
  readonly project: ProjectName;
  readonly filename: string;
  /** Absolute, at the upstream. */
  readonly url: string;
  /** Undefined: passed through only (`/direct/`). */
  readonly digest: Digest | undefined;
  readonly size: number | undefined;
  readonly private: boolean;
  readonly file: ProjectFile | undefined;
}

export type FileLookup =
  | { readonly kind: 'file'; readonly ref: FileRef }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly reason: string; readonly retryAfterSeconds: number };

/**
 * An open file. `read` waits for bytes that are still being fetched and throws IntegrityError (what went out cannot be
 * mended: reset the connection) or UnavailableError. Dispose it when the client has left.
 */
export interface OpenedFile extends ByteSource {
  readonly source: SourceKind;
  /** True when every byte is here and verified: `read` never waits for the network. */
  readonly complete: boolean;
  /** Resolves to the size as soon as anybody knows it; undefined when it will only be known at the end. */
  knownSize(options?: CallOptions): Promise<number | undefined>;
  /** The smallest offset from which nothing can be read yet. */
  readonly available: number;
  /** Resolves when the store has it, or never will; absent where there is nothing to wait for. */
  readonly landed?: Promise<void>;
}

export type OpenAnswer =
  | { readonly kind: 'opened'; readonly file: OpenedFile }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly reason: string; readonly retryAfterSeconds: number };

export interface Mirror {
  project(name: ProjectName, patience?: Patience): Promise<ProjectAnswer>;
  /** The page when it is fresh and in memory: what `project` would resolve to now. Asks nobody, changes nothing. */
  freshProject?(name: ProjectName): (ProjectAnswer & { readonly kind: 'page' }) | undefined;
  /**
   * The whole list of projects, streamed in the form asked for; `identity` where the coding is not to be had now. `version`
   * differs wherever the list does. A body that is not read is closed by its `return()`.
   */
  projectList(
    format: 'json' | 'html',
    patience?: Patience & { readonly coding?: ContentCoding | undefined },
  ): Promise<
    | {
        kind: 'list';
        body: AsyncGenerator<Uint8Array>;
        coding: ContentCoding;
        version: string;
        ageSeconds: number;
        stale: boolean;
        /** X-PyPI-Last-Serial. */
        serial?: string | undefined;
      }
    | { kind: 'unknown'; reason: string; retryAfterSeconds: number }
  >;
  /** By digest, with the filename of the URL: from what is known, else by resolving the filename's project. */
  findFile(digest: Digest, filename: string, patience?: Patience): Promise<FileLookup>;
  /** By PyPI's own path, `/packages/aa/bb/rest/filename`. */
  findByPath(path: string, patience?: Patience): Promise<FileLookup>;
  /** A file whose page gives no sha256. */
  findDirect(project: ProjectName, filename: string, patience?: Patience): Promise<FileLookup>;
  /** Opens for reading: disk, peers, upstream. `offset` says where reading will begin; a cold open joins or starts the single flight. `priority` is told to peers (0: a client waits). */
  openFile(ref: FileRef, options?: Patience & { offset?: number; priority?: Priority }): Promise<OpenAnswer>;
  /** Size without starting a fetch (HEAD). */
  fileSize(
    ref: FileRef,
    patience?: Patience,
  ): Promise<
    | { kind: 'size'; size: number | undefined; source: SourceKind }
    | { kind: 'absent' }
    | { kind: 'unknown'; reason: string; retryAfterSeconds: number }
  >;
  /** The bytes of `<file url>.metadata`: verified, and the same ones each time. */
  metadata(
    ref: FileRef,
    patience?: Patience,
  ): Promise<
    | { kind: 'metadata'; body: Uint8Array; digest: Digest; source: SourceKind }
    | { kind: 'absent' }
    | { kind: 'unknown'; reason: string; retryAfterSeconds: number }
  >;
  /** PEP 740 document, as the upstream gives it. */
  provenance(
    project: ProjectName,
    version: string,
    filename: string,
    patience?: Patience,
  ): Promise<
    | { kind: 'provenance'; body: Uint8Array }
    | { kind: 'absent' }
    | { kind: 'unknown'; reason: string; retryAfterSeconds: number }
  >;
  /** `/pypi/<name>/json` and `/pypi/<name>/<version>/json`, as far as the page allows. */
  projectJson(
    name: ProjectName,
    version: string | undefined,
    patience?: Patience,
  ): Promise<
    | { kind: 'json'; body: Json }
    | { kind: 'absent' }
    | { kind: 'unknown'; reason: string; retryAfterSeconds: number }
  >;
}
