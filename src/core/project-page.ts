/**
 * A project page: one project's entry in the simple index (PEP 691 JSON, API 1.0 to 1.4, or PEP 503 HTML), as data.
 * Unknown keys are kept, at every level. Reading is in `read-page-json.ts` and `read-page-html.ts`.
 */
import type { Digest } from './digest.ts';
import type { ProjectName } from './project-name.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** One file of a page. `raw` is the entry as read, unknown keys included; the other fields are taken from it. */
export interface ProjectFile {
  readonly filename: string;
  /** Absolute, resolved against the page's URL, without fragment. */
  readonly url: string;
  /** Undefined when the page gives none: such a file is passed through only, never kept or shared. */
  readonly sha256: Digest | undefined;
  /** Other hashes, lower-case names and hex (`md5`, `sha1`, ...). */
  readonly hashes: Readonly<Record<string, string>>;
  /** Bytes; undefined where the page does not say. */
  readonly size: number | undefined;
  /** What the page says of `<url>.metadata` (PEP 714): its hashes, plain `true`, `false`, or nothing. */
  readonly coreMetadata: Readonly<Record<string, string>> | boolean | undefined;
  readonly raw: JsonObject;
}

export interface ProjectPage {
  readonly name: ProjectName;
  readonly format: 'json' | 'html';
  /** The page's own URL, against which links were resolved. */
  readonly url: string;
  readonly files: readonly ProjectFile[];
  /** The page as read without `files`, unknown keys included (`meta`, `name`, `versions`, `project-status`, ...). */
  readonly raw: JsonObject;
}
