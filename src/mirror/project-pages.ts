/** Everything about project pages, joined: what the node asks for a page, and what must be closed with it. */
import type { Clock } from '../core/clock.ts';
import type { FactEmitter } from '../core/facts.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { createKeptPages } from './kept-pages.ts';
import { createMetadataMarks } from './metadata-marks.ts';
import { createFileNotes } from './note-files.ts';
import { createPageUnrest } from './page-unrest.ts';
import { createPageFlights } from './refresh-page.ts';
import { createResolveProject, type ResolveProject, type ResolveProjectOptions } from './resolve-project.ts';
import { createUpstreamHealth } from './upstream-health.ts';

export interface ProjectPages extends ResolveProject, AsyncDisposable {
  /** The upstream is known to be failing: nobody should wait long for it. */
  upstreamTroubled(): boolean;
  /** Its page is in memory. */
  inUse(project: ProjectName): boolean;
  /** Resolves when pages that came, and what they say of files, have been written down. */
  settled(): Promise<void>;
}

export interface ProjectPagesDeps {
  readonly catalog: Pick<Catalog, 'page' | 'putPage' | 'document' | 'putDocument' | 'putFileOrigins'>;
  readonly store: Pick<BlobStore, 'markVisibility' | 'visibility'>;
  readonly upstream: Pick<Upstream, 'page' | 'private' | 'status'>;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  /** Names that never leave the machine. */
  readonly isPrivate: (project: ProjectName) => boolean;
}

export interface ProjectPagesOptions extends ResolveProjectOptions {
  /** Memory for parsed pages, bytes. */
  readonly cacheBytes?: number;
}

/** Disposing it ends the requests under way and waits for what is being written. */
export function createProjectPages(deps: ProjectPagesDeps, options: ProjectPagesOptions): ProjectPages {
  const { catalog, store, upstream, clock, facts } = deps;
  const notes = createFileNotes({ catalog, store, facts, private: upstream.private });
  const pages = createKeptPages(
    {
      catalog,
      clock,
      facts,
      marks: createMetadataMarks(catalog),
      upstreamUrl: upstream.status().url,
      onPage: notes.note,
    },
    { cacheBytes: options.cacheBytes },
  );
  const health = createUpstreamHealth(clock);
  const flights = createPageFlights({ upstream, pages, clock, facts, health });
  const unrest = createPageUnrest(clock);
  const resolve = createResolveProject(
    { pages, flights, health, unrest, clock, facts, isPrivate: deps.isPrivate },
    options,
  );
  const settled = async (): Promise<void> => {
    await pages.settled();
    await notes.settled();
  };
  return {
    ...resolve,
    upstreamTroubled: health.troubled,
    inUse: (project) => pages.peek(project) !== undefined,
    settled,
    async [Symbol.asyncDispose]() {
      await flights[Symbol.asyncDispose]();
      await settled();
    },
  };
}
