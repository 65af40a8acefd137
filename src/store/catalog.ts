/**
 * What a node remembers besides blobs: pages, absences, metadata made from wheels, small documents. Implementations:
 * `level-catalog.ts`, `memory-catalog.ts`; contract suite `test/contracts/catalog.ts`.
 */
import type { Digest } from '../core/digest.ts';
import type { ProjectName } from '../core/project-name.ts';

/** A page as the upstream gave it, and how to ask again. Times: wall clock, ms. */
export interface KeptPage {
  readonly kind: 'page';
  /** The body as sent, decoded from any content coding. */
  readonly body: Uint8Array;
  readonly format: 'json' | 'html';
  /** Final URL, against which links resolve. */
  readonly url: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly serial: string | undefined;
  /** When the content was last known to be current: start of that request minus the answer's Age. */
  readonly observedAt: number;
  /** When an absence was first seen that is not yet believed (a 404 over a kept page). */
  readonly absentSince: number | undefined;
  /** When the upstream first answered with an older page than this one, if it has done so ever since. */
  readonly olderSince?: number | undefined;
  /** URL of the index it came from: what one upstream said is nothing another one said. */
  readonly upstream?: string | undefined;
}

export interface KeptAbsence {
  readonly kind: 'absent';
  readonly observedAt: number;
  readonly upstream?: string | undefined;
}

export interface Catalog extends AsyncDisposable {
  page(project: ProjectName): Promise<KeptPage | KeptAbsence | undefined>;
  putPage(project: ProjectName, page: KeptPage | KeptAbsence): Promise<void>;
  deletePage(project: ProjectName): Promise<void>;
  /** Names with a kept page, ascending, with when each was observed. */
  pages(): AsyncIterable<{ project: ProjectName; observedAt: number }>;
  totals(): { pages: number; oldestObservedAt: number | undefined };
  /** The metadata blob that was made for a wheel, or `none` when the wheel is proven to hold none. */
  wheelMetadata(wheel: Digest): Promise<Digest | 'none' | undefined>;
  putWheelMetadata(wheel: Digest, metadata: Digest | 'none'): Promise<void>;
  /** Where a file was seen: so that a digest asked for by a lock file finds its project. */
  fileOrigin(digest: Digest): Promise<FileOrigin | undefined>;
  /** All of them, some at a time. What is put or deleted meanwhile may be among them or not. */
  fileOrigins(): AsyncIterable<readonly (readonly [Digest, FileOrigin])[]>;
  /** With the metadata that was made for these files. */
  deleteFileOrigins(digests: Iterable<Digest>): Promise<void>;
  /** Absences observed before `time` (wall clock, ms). */
  deleteAbsences(time: number): Promise<void>;
  putFileOrigins(origins: Iterable<readonly [Digest, FileOrigin]>): Promise<void>;
  /** Small JSON documents of other parts (peers remembered, bans, ...): keyed by part and name. */
  document(part: string, name: string): Promise<unknown>;
  putDocument(part: string, name: string, value: unknown): Promise<void>;
}

export interface FileOrigin {
  readonly project: ProjectName;
  readonly filename: string;
}
