/**
 * From a digest, a path, or a name to a file that may be served (design/gateway, "Serving while fetching"), also for lock
 * files made elsewhere. Always true: a kept page that lists the file is enough, however old; `absent` is said only when
 * every project that the file may belong to was asked for just now, or is known to be absent, and none lists it.
 *
 * A file that such a page no longer lists is absent although the disk holds it: only the index decides what may be served
 * (it may be malware that was taken down). Where the page cannot be had, the disk, and then peers, are as good as a lock file asks:
 * they are checked by its digest.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { candidateProjects } from '../core/distribution-filename.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { ProjectFile, ProjectPage } from '../core/project-page.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog } from '../store/catalog.ts';
import type { FileLookup, FileRef, Mirror, Patience } from './mirror.ts';
import { filenameOf, filesOf } from './page-files.ts';
import type { ProjectPages } from './project-pages.ts';

export interface FindFile {
  /**
   * `ref.url` is empty when the file's page cannot be had: then disk and peers are the only sources. Takes at most half of
   * the patience, so that they have the other half.
   */
  findFile(digest: Digest, filename: string, patience?: Patience): Promise<FileLookup>;
  findByPath(path: string, patience?: Patience): Promise<FileLookup>;
  findDirect(project: ProjectName, filename: string, patience?: Patience): Promise<FileLookup>;
}

export interface FindFileDeps {
  readonly pages: Pick<ProjectPages, 'project' | 'kept' | 'upstreamTroubled'> & Pick<Mirror, 'freshProject'>;
  readonly catalog: Pick<Catalog, 'fileOrigin'>;
  readonly store: Pick<BlobStore, 'stat' | 'visibility'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly isPrivate: (project: ProjectName) => boolean;
  /** Everything that the upstream gives is private. */
  readonly private: boolean;
}

type Match = (page: ProjectPage) => ProjectFile | undefined;
type Found = { project: ProjectName; file: ProjectFile };

export function createFindFile(deps: FindFileDeps): FindFile {
  const { pages, catalog, store, clock } = deps;
  /** When a project's page was last asked for because it lacked a file: a client cannot make us ask at its own rate. */
  const rechecked = new LRUCache<ProjectName, number>({ max: 1024 });

  /** Among fresh pages, which need not be asked for again. */
  function inMemory(projects: readonly ProjectName[], match: Match): Found | undefined {
    for (const project of projects) {
      const fresh = pages.freshProject?.(project);
      const file = fresh && match(fresh.served.page);
      if (file !== undefined) return { project, file };
    }
    return undefined;
  }

  async function inKept(projects: readonly ProjectName[], match: Match): Promise<Found | undefined> {
    for (const project of projects) {
      const kept = await pages.kept(project);
      const file = kept && match(kept.page);
      if (file !== undefined) return { project, file };
    }
    return undefined;
  }

  /** Asks for one project's page: the file, `absent` when the page is current and lacks it, else why it is not known. */
  async function inCurrent(
    project: ProjectName,
    match: Match,
    patience: Patience,
  ): Promise<Found | 'absent' | { reason: string }> {
    // Another client's request may have brought it while the catalog was asked: one request is enough for both.
    const here = inMemory([project], match);
    if (here !== undefined) return here;
    const last = rechecked.get(project);
    const recent = last !== undefined && clock.monotonic() - last < limits.freshness.lackRecheck;
    const answer = await pages.project(project, { ...patience, noCache: !recent });
    if (answer.kind === 'unknown') return { reason: answer.reason };
    if (answer.kind === 'page') {
      const file = match(answer.served.page);
      if (file !== undefined) return { project, file };
    }
    if (answer.kind !== 'page' ? answer.freshSeconds > 0 || answer.decides === true : answer.decides === true)
      return 'absent';
    if (answer.kind === 'page' && answer.source === 'upstream') {
      rechecked.set(project, clock.monotonic());
      return 'absent';
    }
    if (answer.kind === 'page' && recent && !answer.stale) return 'absent';
    return {
      reason: `${project}: the kept page does not list it, and whether a newer one does is not known`,
    };
  }

  /** The first that finds it wins; else `absent` if all say so. */
  async function search(
    projects: readonly ProjectName[],
    match: Match,
    patience: Patience,
  ): Promise<Found | 'absent' | { reason: string }> {
    const kept = await inKept(projects, match);
    if (kept !== undefined) return kept;
    if (projects.length === 0) return { reason: 'its name does not tell which project it belongs to' };
    const asked = projects.map((project) => inCurrent(project, match, patience));
    const found = await Promise.any(asked.map(onlyFound)).catch(() => undefined);
    if (found !== undefined) return found;
    const answers = await Promise.all(asked);
    return answers.find((answer) => typeof answer === 'object') ?? 'absent';
  }

  function refOf({ project, file }: Found): FileRef {
    const { filename, url, sha256, size } = file;
    return { project, filename, url, digest: sha256, size, private: deps.private, file };
  }

  function lookup(found: Found | 'absent' | { reason: string }): FileLookup {
    if (found === 'absent') return { kind: 'absent' };
    if ('file' in found) return { kind: 'file', ref: refOf(found) };
    return {
      kind: 'unknown',
      reason: found.reason,
      retryAfterSeconds: limits.gateway.retryAfterSeconds,
    };
  }

  /** Undefined when one of them is private: then nothing leaves the machine, not even the others' names. */
  function shareable(projects: readonly ProjectName[]): readonly ProjectName[] | undefined {
    return projects.some(deps.isPrivate) ? undefined : projects.slice(0, limits.pages.candidates);
  }

  return {
    async findFile(digest, filename, patience = {}) {
      const match: Match = (page) => filesOf(page).byDigest(digest);
      const candidates = candidateProjects(filename);
      // The page that led here is in memory nearly always: then the catalog need not be asked.
      const here = candidates.some(deps.isPrivate) ? undefined : inMemory(candidates, match);
      if (here !== undefined) return lookup(here);
      const origin = await catalog.fileOrigin(digest);
      const named = origin === undefined ? [] : [origin.project];
      const projects = shareable([...new Set([...named, ...candidates])]);
      if (projects === undefined) return { kind: 'absent' };
      const held = store.stat(digest) !== undefined;
      const total = patience.wait ?? limits.gateway.wait;
      const short = held || pages.upstreamTroubled();
      // What the disk holds must not wait long enough to be noticed.
      const wait = short ? Math.min(limits.freshness.revalidateWait / 2, total / 2) : total / 2;
      const first = Math.min(wait, limits.freshness.lackWait);
      let found = await search(projects, match, { signal: patience.signal, wait: first });
      // An upstream that has not failed may only be slow; a failing one leaves the time to the peers.
      if (typeof found === 'object' && 'reason' in found && wait > first && !pages.upstreamTroubled())
        found = await search(projects, match, { signal: patience.signal, wait: wait - first });
      const [project] = projects;
      if (found === 'absent' || 'file' in found || project === undefined) return lookup(found);
      const hidden = deps.private || store.visibility(digest) === 'private';
      return {
        kind: 'file',
        ref: {
          project,
          filename: origin?.filename ?? filename,
          url: '',
          digest,
          size: store.stat(digest)?.size,
          private: hidden,
          file: undefined,
        },
      };
    },

    async findByPath(path, patience = {}) {
      const projects = shareable(candidateProjects(filenameOf(path)));
      if (projects === undefined) return { kind: 'absent' };
      return lookup(await search(projects, (page) => filesOf(page).byPath(path), patience));
    },

    async findDirect(project, filename, patience = {}) {
      if (deps.isPrivate(project)) return { kind: 'absent' };
      return lookup(await search([project], (page) => filesOf(page).byName(filename), patience));
    },
  };
}

async function onlyFound(asked: Promise<Found | 'absent' | { reason: string }>): Promise<Found> {
  const answer = await asked;
  if (typeof answer === 'object' && 'file' in answer) return answer;
  throw new Error('not found there');
}
