/**
 * Open files of blobs, one a blob however many read it. The last reader's file stays open for a while, as one of few: what
 * is asked for again soon costs no `open`.
 */
import type { Digest } from '../core/digest.ts';
import { UnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { hasCode, type FileHandle, type FileSystem } from './file-system.ts';

export interface SharedHandle {
  readonly digest: Digest;
  readonly file: FileHandle;
  references: number;
  /** Its bytes turned out to be wrong: nobody may read on. */
  condemned: boolean;
  /** Not the blob's file any more: closed with its last reader. */
  detached: boolean;
}

export class BlobHandles {
  readonly #fileSystem: FileSystem;
  readonly #shared = new Map<Digest, SharedHandle>();
  /** Longest idle first. */
  readonly #idle = new Set<SharedHandle>();
  /** Detached ones with readers. */
  #strays = 0;

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  get open(): number {
    return this.#shared.size + this.#strays;
  }

  /** Calls for one digest must not overlap. Throws what `open` throws, UnavailableError when too many are open. */
  async acquire(digest: Digest, path: string): Promise<SharedHandle> {
    const known = this.#shared.get(digest);
    if (known !== undefined) {
      known.references++;
      this.#idle.delete(known);
      return known;
    }
    if (this.open >= limits.store.openFiles) await this.#closeIdle(this.#idle.size);
    if (this.open >= limits.store.openFiles) throw tooMany(digest);
    const file = await this.#openFile(digest, path);
    const shared = { digest, file, references: 1, condemned: false, detached: false };
    this.#shared.set(digest, shared);
    return shared;
  }

  async release(shared: SharedHandle): Promise<void> {
    if (--shared.references > 0) return;
    if (shared.detached) {
      this.#strays--;
      await closed(shared.file);
      return;
    }
    this.#idle.add(shared);
    await this.#closeIdle(this.#idle.size - limits.store.idleFiles);
  }

  /** The blob's file is gone or wrong: the next `acquire` opens anew. Readers go on unless it is condemned. */
  async detach(digest: Digest, options: { condemned: boolean }): Promise<void> {
    const shared = this.#shared.get(digest);
    if (shared === undefined) return;
    this.#shared.delete(digest);
    shared.detached = true;
    shared.condemned = options.condemned;
    if (!this.#idle.delete(shared)) this.#strays++;
    else await closed(shared.file);
  }

  /** Readers may finish; their files are closed with the last of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#shared.keys()].map((digest) => this.detach(digest, { condemned: false })));
  }

  async #openFile(digest: Digest, path: string): Promise<FileHandle> {
    try {
      return await this.#fileSystem.open(path, 'r');
    } catch (error) {
      if (!hasCode(error, 'EMFILE', 'ENFILE')) throw error;
      await this.#closeIdle(this.#idle.size);
      try {
        return await this.#fileSystem.open(path, 'r');
      } catch (again) {
        throw hasCode(again, 'EMFILE', 'ENFILE') ? tooMany(digest, again) : again;
      }
    }
  }

  async #closeIdle(count: number): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const shared of this.#idle) {
      if (closing.length >= count) break;
      this.#idle.delete(shared);
      this.#shared.delete(shared.digest);
      closing.push(closed(shared.file));
    }
    await Promise.all(closing);
  }
}

/** Nothing was written: that it cannot be closed (a failing disk) concerns nobody, least of all who opens another. */
function closed(file: FileHandle): Promise<void> {
  return file.close().catch(() => undefined);
}

function tooMany(digest: Digest, cause?: unknown): UnavailableError {
  return new UnavailableError(`too many files are open to open ${digest}: try again`, ['disk'], 2, { cause });
}
