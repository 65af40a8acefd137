/** A file somebody wants ahead: named by a lock file, a requirement, or its digest. */
import type { Digest } from './digest.ts';
import type { ProjectName } from './project-name.ts';

export type WantedFile =
  /** One file, from a lock file: by digest, filename known. */
  | { readonly kind: 'file'; readonly digest: Digest; readonly filename: string }
  /** All files (`version` undefined: of the newest release that is not yanked) of a project, or those that match `digests`. */
  | {
      readonly kind: 'release';
      readonly project: ProjectName;
      readonly version: string | undefined;
      readonly digests: readonly Digest[];
    }
  /** A blob by name alone. */
  | { readonly kind: 'blob'; readonly digest: Digest };
