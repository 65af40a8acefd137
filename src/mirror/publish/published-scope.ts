/** Which projects a publisher publishes: everything that is listed, or the names of a list; never a private one. */
import type { Digest } from '../../core/digest.ts';
import { digestOfNames, encodeNames } from '../../core/index-map/name-list.ts';
import type { ProjectName } from '../../core/project-name.ts';

export interface PublishedScope {
  readonly has: (project: ProjectName) => boolean;
  /** In the order in which they are read first; undefined: all. */
  readonly names: readonly ProjectName[] | undefined;
  /** As records have it. */
  readonly id: 'all' | Digest;
  /** What `id` is the digest of. */
  readonly bytes: Uint8Array | undefined;
}

export function createPublishedScope(
  projects: readonly ProjectName[] | undefined,
  isPrivate: (project: ProjectName) => boolean,
): PublishedScope {
  if (projects === undefined)
    return { has: (project) => !isPrivate(project), names: undefined, id: 'all', bytes: undefined };
  const names = [...new Set(projects)].filter((project) => !isPrivate(project));
  const set = new Set(names);
  const bytes = encodeNames(names);
  return { has: (project) => set.has(project), names, id: digestOfNames(bytes), bytes };
}
