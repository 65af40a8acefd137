/**
 * Writes down what pages say of files, behind the clients' backs: which project a digest belongs to (for lock files), and
 * which blobs are private. Always true: pages are noted one after the other and in small batches, so a page of 10,000 files
 * delays nobody; when too many wait, origins are left out (the filename leads to the project too), private marks never.
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

export function createFileNotes(deps: FileNotesDeps): FileNotes {
  const { catalog, store, facts } = deps;
  let waiting = 0;
  let last = Promise.resolve();

  async function write(page: ProjectPage, before: ProjectPage | undefined, origins: boolean): Promise<void> {
    if (deps.private) {
      for (const { sha256 } of page.files) {
        if (sha256 !== undefined && store.visibility(sha256) !== 'private')
          await store.markVisibility(sha256, 'private');
      }
    }
    if (!origins || page === before) return;
    const known = new Set(before?.files.map((file) => file.sha256));
    const fresh = page.files.filter((file) => !known.has(file.sha256));
    for (let start = 0; start < fresh.length; start += limits.pages.originsBatch) {
      const batch: [Digest, FileOrigin][] = [];
      for (const { sha256, filename } of fresh.slice(start, start + limits.pages.originsBatch)) {
        if (sha256 !== undefined) batch.push([sha256, { project: page.name, filename }]);
      }
      await catalog.putFileOrigins(batch);
    }
  }

  return {
    note(page, before) {
      waiting++;
      const origins = waiting <= limits.pages.originsWaiting;
      last = last
        .then(() => write(page, before, origins))
        .catch((error: unknown) => {
          facts.emit('storage:full', {
            message: `files of ${page.name} could not be noted: ${(error as Error).message}`,
          });
        })
        .finally(() => waiting--);
    },
    settled: () => last,
  };
}
