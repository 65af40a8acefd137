/**
 * Writes down what pages say of files, behind the clients' backs: which project a digest belongs to (for lock files), and
 * which blobs are private. Always true: pages are noted in the order they came and in small batches, so a page of 10,000
 * files delays nobody; those that come during a write are written together; when too many wait, origins are left out (the
 * filename leads to the project too), private marks never.
 */
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { ProjectPage } from '../core/project-page.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Catalog, FileOrigin } from '../store/catalog.ts';

export interface FileNotes {
  /** `before`: the page that this one replaces; only what is new is written. */
  readonly note: (page: ProjectPage, before: ProjectPage | undefined) => void;
  /** Resolves when all that was handed over is written. */
  readonly settled: () => Promise<void>;
}

export interface FileNotesDeps {
  readonly catalog: Pick<Catalog, 'putFileOrigins'>;
  readonly store: Pick<BlobStore, 'markVisibility' | 'visibility'>;
  readonly facts: Pick<FactEmitter, 'emit'>;
  /** Everything that this upstream gives is private. */
  readonly private: boolean;
}

interface Note {
  readonly page: ProjectPage;
  readonly before: ProjectPage | undefined;
  readonly origins: boolean;
}

export function createFileNotes(deps: FileNotesDeps): FileNotes {
  const { catalog, store, facts } = deps;
  /** Those that are being written too. */
  let waiting = 0;
  let gathered: Note[] = [];
  let last = Promise.resolve();

  async function markPrivate(page: ProjectPage): Promise<void> {
    for (const { sha256 } of page.files) {
      if (sha256 !== undefined && store.visibility(sha256) !== 'private')
        await store.markVisibility(sha256, 'private');
    }
  }

  async function writeOrigins(notes: readonly Note[]): Promise<void> {
    let batch: [Digest, FileOrigin][] = [];
    for (const { page, before, origins } of notes) {
      if (!origins || page === before) continue;
      const known = new Set(before?.files.map((file) => file.sha256));
      for (const { sha256, filename } of page.files) {
        if (sha256 === undefined || known.has(sha256)) continue;
        batch.push([sha256, { project: page.name, filename }]);
        if (batch.length < limits.pages.originsBatch) continue;
        await catalog.putFileOrigins(batch);
        batch = [];
      }
    }
    await catalog.putFileOrigins(batch);
  }

  async function told(names: readonly string[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const of = names.length > 3 ? `${names.slice(0, 3).join(', ')} and others` : names.join(', ');
      facts.emit('storage:full', {
        message: `files of ${of} could not be noted: ${(error as Error).message}`,
      });
    }
  }

  /** All that has come since the last write. A page whose marks cannot be written does not take the others' with it. */
  async function writeGathered(): Promise<void> {
    const notes = gathered;
    gathered = [];
    if (deps.private) for (const { page } of notes) await told([page.name], () => markPrivate(page));
    await told(
      notes.map(({ page }) => page.name),
      () => writeOrigins(notes),
    );
    waiting -= notes.length;
  }

  return {
    note(page, before) {
      waiting++;
      gathered.push({ page, before, origins: waiting <= limits.pages.originsWaiting });
      if (gathered.length === 1) last = last.then(writeGathered);
    },
    settled: () => last,
  };
}
