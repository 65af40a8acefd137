/**
 * What the catalog forgets, slowly and in the background: pages that nobody asked for in 90 days, and where files were seen
 * that no kept page names. Always true: nothing goes that belongs to a file which is held or pinned; nothing goes that could
 * not be read again now (offline, upstream failing); a page is never dropped while it is in use.
 *
 * A page's `observedAt` tells when it was last asked for: who asks for an old one has it read again, and nothing else does.
 */
import { sleep, type Clock, type Timer } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog, FileOrigin } from '../store/catalog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { createMetadataMarks } from './metadata-marks.ts';

export interface ForgetDeps {
  readonly catalog: Pick<
    Catalog,
    | 'pages'
    | 'page'
    | 'deletePage'
    | 'fileOrigin'
    | 'fileOrigins'
    | 'deleteFileOrigins'
    | 'deleteAbsences'
    | 'document'
    | 'putDocument'
  >;
  readonly store: Pick<BlobStore, 'list' | 'stat' | 'pins'>;
  readonly upstream: Pick<Upstream, 'status'>;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  /** The page is in memory: somebody uses it. */
  readonly inUse: (project: ProjectName) => boolean;
}

/** Runs from now on, until it is disposed. */
export function forgetOld(deps: ForgetDeps): AsyncDisposable {
  const { clock, facts } = deps;
  const closing = new AbortController();
  let timer: Timer | undefined;
  let running: Promise<void> = Promise.resolve();
  const later = (ms: number): void => {
    timer = clock.setTimer(() => {
      running = sweep(deps, closing.signal)
        .catch((error: unknown) => {
          if (closing.signal.aborted) return;
          facts.emit('storage:full', {
            message: `what is old could not be forgotten: ${(error as Error).message}`,
          });
        })
        .finally(() => {
          if (!closing.signal.aborted) later(limits.catalog.sweepEvery);
        });
    }, ms);
  };
  later(limits.catalog.sweepFirst);
  return {
    async [Symbol.asyncDispose]() {
      timer?.cancel();
      closing.abort(new DOMException('the node is closing', 'AbortError'));
      await running;
    },
  };
}

async function sweep(deps: ForgetDeps, signal: AbortSignal): Promise<void> {
  const { catalog, upstream, clock } = deps;
  const rest = (): Promise<void> => sleep(clock, limits.catalog.sweepPause, signal);
  await catalog.deleteAbsences(clock.now() - limits.freshness.absenceKept);
  const { state, lastSuccessAt } = upstream.status();
  // A wall clock that runs ahead makes all look old; but then TLS fails, and with it the upstream.
  if (state !== 'ok' || clock.now() - (lastSuccessAt ?? 0) > limits.catalog.sweepEvery) return;
  await forgetPages(deps, rest);
  await forgetOrigins(deps, rest);
}

async function forgetPages(deps: ForgetDeps, rest: () => Promise<void>): Promise<void> {
  const { catalog, clock } = deps;
  const oldest = clock.now() - limits.catalog.pageKept;
  const old: ProjectName[] = [];
  for await (const { project, observedAt } of catalog.pages()) if (observedAt < oldest) old.push(project);
  if (old.length === 0) return;
  const needed = await projectsHeld(deps, rest);
  const marks = createMetadataMarks(catalog);
  for (const [index, project] of old.entries()) {
    if (index % limits.catalog.sweepBatch === limits.catalog.sweepBatch - 1) await rest();
    // Both may have changed since it was listed.
    if (needed.has(project) || deps.inUse(project)) continue;
    const kept = await catalog.page(project);
    if (kept?.kind === 'page' && kept.observedAt >= oldest) continue;
    await catalog.deletePage(project);
    await marks.forget(project);
  }
}

/** Projects of files that are held or pinned. */
async function projectsHeld(deps: ForgetDeps, rest: () => Promise<void>): Promise<Set<ProjectName>> {
  const digests: Digest[] = [...deps.store.pins()];
  for (const { digest } of deps.store.list()) digests.push(digest);
  const projects = new Set<ProjectName>();
  for (const [index, digest] of digests.entries()) {
    if (index % limits.catalog.sweepBatch === limits.catalog.sweepBatch - 1) await rest();
    const origin = await deps.catalog.fileOrigin(digest);
    if (origin !== undefined) projects.add(origin.project);
  }
  return projects;
}

/** A kept page's stay: they are noted only when the page comes. */
async function forgetOrigins(deps: ForgetDeps, rest: () => Promise<void>): Promise<void> {
  const { catalog, store } = deps;
  for await (const batch of catalog.fileOrigins()) {
    const pinned = new Set(store.pins());
    const pages = new Map<ProjectName, boolean>();
    const hasPage = async ({ project }: FileOrigin): Promise<boolean> => {
      const known =
        pages.get(project) ?? (deps.inUse(project) || (await catalog.page(project))?.kind === 'page');
      pages.set(project, known);
      return known;
    };
    const gone: Digest[] = [];
    for (const [digest, origin] of batch) {
      if (store.stat(digest) === undefined && !pinned.has(digest) && !(await hasPage(origin)))
        gone.push(digest);
    }
    await catalog.deleteFileOrigins(gone);
    await rest();
  }
}
