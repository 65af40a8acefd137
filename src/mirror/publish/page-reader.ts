/**
 * Reads one page that is due and decides what becomes of it. Always true: what is known of a project never goes back to a
 * smaller serial, a page leaves only when its own URL says that it is gone, and what cannot be read is stale.
 */
import type { Clock } from '../../core/clock.ts';
import { FondueError, UpstreamError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { DuePage, DuePages } from './due-pages.ts';
import type { KnownPages } from './known-pages.ts';
import type { PublisherState } from './publisher-state.ts';
import { readProject, type ReadProject } from '../read-project.ts';

/** What all canonical pages of a log depend on. */
export interface Ground {
  readonly fileOrigin: string | undefined;
  readonly format: 'json' | 'html' | undefined;
}

export interface PageOutcome {
  readonly project: ProjectName;
  /** The next record says something else of it. */
  readonly changed: boolean;
  /** When it was as it is now known; undefined: it could not be read. */
  readonly observedAt: number | undefined;
  readonly apiVersion: string | undefined;
}

export interface PageReader {
  /** Takes `due` to its end: done, or to be read again. Rejects only with what is to be told to the upstream's turns. */
  read(due: DuePage, signal: AbortSignal): Promise<{ outcome: PageOutcome; error: unknown }>;
  readonly ground: Ground;
  /** Whether pages say serials; undefined until one was read. */
  readonly serials: boolean | undefined;
  readonly quarantined: ReadonlySet<ProjectName>;
  /** It is listed (again), or not. */
  markListed(project: ProjectName, listed: boolean): Promise<void>;
}

export async function createPageReader(deps: {
  readonly upstream: Pick<Upstream, 'page'>;
  readonly known: KnownPages;
  readonly due: DuePages;
  readonly state: Pick<PublisherState, 'note' | 'putNote'>;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  /** Of the log's records; undefined while there is none. */
  readonly ground: Ground | undefined;
}): Promise<PageReader> {
  const { upstream, known, due: duePages, state, facts } = deps;
  let ground: Ground = deps.ground ??
    (await state.note('ground')) ?? { fileOrigin: undefined, format: undefined };
  let serials: boolean | undefined;
  const quarantined = new Set(await state.note('quarantined'));

  async function markListed(project: ProjectName, listed: boolean): Promise<void> {
    if (quarantined.has(project) !== listed) return;
    if (listed) quarantined.delete(project);
    else quarantined.add(project);
    await state.putNote('quarantined', [...quarantined]);
  }

  async function learn({ fileOrigin, format }: Ground): Promise<void> {
    if (ground.fileOrigin === fileOrigin && ground.format === format) return;
    ground = { fileOrigin, format };
    if (fileOrigin !== undefined && format !== undefined)
      await state.putNote('ground', { fileOrigin, format }, true);
  }

  async function take(due: DuePage, page: Extract<ReadProject, { kind: 'page' }>): Promise<PageOutcome> {
    const { project, announced } = due;
    const before = await known.get(project);
    serials ??= page.hasSerial;
    const older = before !== undefined && page.entry.serial < before.serial;
    await learn({ fileOrigin: page.fileOrigin, format: page.format });
    const hidden = quarantined.has(project);
    const changed = !older && (await known.take(hidden ? { ...page, validators: {} } : page));
    const behind = page.hasSerial && page.entry.serial < announced;
    const { observedAt, apiVersion } = page;
    if (behind) duePages.retry(due, { stale: true });
    else duePages.done(project);
    // An old copy says nothing of now.
    return { project, changed, observedAt: older || behind ? undefined : observedAt, apiVersion };
  }

  async function absent(due: DuePage, observedAt: number): Promise<PageOutcome> {
    const { project } = due;
    const isKnown = (await known.get(project)) !== undefined;
    // The list lacks it too; or it was said a second time.
    const sure = due.reason === 'gone' || !due.listed || due.absences > 0 || !isKnown;
    if (!sure) {
      duePages.retry(due, { stale: true, absent: true });
      return { project, changed: false, observedAt: undefined, apiVersion: undefined };
    }
    const changed = await known.remove(project, deps.clock.now());
    await markListed(project, true);
    duePages.done(project);
    return { project, changed, observedAt, apiVersion: undefined };
  }

  async function notModified(due: DuePage, observedAt: number): Promise<PageOutcome> {
    const { project } = due;
    const entry = await known.get(project);
    const behind = (entry?.serial ?? 0) < due.announced && serials !== false;
    if (behind) duePages.retry(due, { stale: true });
    else duePages.done(project);
    return { project, changed: false, observedAt: behind ? undefined : observedAt, apiVersion: undefined };
  }

  return {
    get ground() {
      return ground;
    },
    get serials() {
      return serials;
    },
    quarantined,
    markListed,
    async read(due, signal) {
      const { project, reason } = due;
      try {
        if (reason === 'gone' || !due.listed) await markListed(project, false);
        const hidden = quarantined.has(project);
        // A cached copy may be what was known before; and a page that is hidden now has the same validators as before.
        const conditional = reason !== 'gone' && !hidden;
        const read = await readProject(upstream, project, {
          validators: conditional ? await known.validators(project) : undefined,
          noCache: due.attempts > 0 || (reason !== 'check' && reason !== 'first'),
          ...ground,
          quarantined: hidden,
          signal,
        });
        const outcome =
          read.kind === 'page'
            ? await take(due, read)
            : read.kind === 'absent'
              ? await absent(due, read.observedAt)
              : await notModified(due, read.observedAt);
        return { outcome, error: undefined };
      } catch (error) {
        const pause = error instanceof UpstreamError ? error.retryAfter : undefined;
        duePages.retry(due, { stale: true, pause });
        signal.throwIfAborted();
        if (due.attempts === 0 && !(error instanceof UpstreamError))
          facts.emit('publisher:noted', {
            message: `the page of ${project} is not published: ${error instanceof FondueError ? error.message : String(error)}`,
          });
        const outcome = { project, changed: false, observedAt: undefined, apiVersion: undefined };
        return { outcome, error };
      }
    },
  };
}
