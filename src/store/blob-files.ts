/**
 * The files of blobs: placing, opening with the check that nothing changed, hashing again, removing. What is wrong is
 * deleted and its readers fail: no byte of it goes out any more.
 */
import type { Digest } from '../core/digest.ts';
import { IntegrityError, UnavailableError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { BlobEntries } from './blob-entries.ts';
import { BlobHandles, type SharedHandle } from './blob-handles.ts';
import type { BlobIndex, BlobRecord, FileMark } from './blob-index.ts';
import { moveToPlace, type BlobLayout } from './blob-layout.ts';
import type { VerifyOutcome } from './blob-store.ts';
import { hasCode, removeFile, type FileHandle, type FileSystem } from './file-system.ts';
import { FolderSyncs } from './folder-syncs.ts';
import { Gate } from './gate.ts';
import { hashFile } from './hash-file.ts';
import type { HasherFactory } from './hasher.ts';
import { JoinedWrites } from './joined-writes.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { isDiskFull } from './storage-full.ts';
import type { VisibilityMarks } from './visibility-marks.ts';

export interface BlobFilesDeps {
  readonly fileSystem: FileSystem;
  readonly layout: BlobLayout;
  readonly index: BlobIndex;
  readonly entries: BlobEntries;
  readonly marks: VisibilityMarks;
  readonly facts: FactEmitter;
  readonly createHasher: HasherFactory;
}

interface FileStat {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

const markOf = ({ ino, mtimeMs, ctimeMs }: FileStat): FileMark => ({
  inode: ino,
  modifiedAt: mtimeMs,
  changedAt: ctimeMs,
});

const unchanged = (stat: FileStat, record: BlobRecord): boolean =>
  stat.ino === record.inode &&
  stat.size === record.size &&
  stat.mtimeMs === record.modifiedAt &&
  stat.ctimeMs === record.changedAt;

export class BlobFiles {
  /** All work on the files of one digest goes through here. */
  readonly queue = new KeyedQueue();
  corruptBlobs = 0;
  readonly #deps: BlobFilesDeps;
  readonly #handles: BlobHandles;
  readonly #syncs = new Gate(limits.store.parallelSyncs);
  readonly #folders: FolderSyncs;
  readonly #entries: JoinedWrites;

  constructor(deps: BlobFilesDeps) {
    this.#deps = deps;
    this.#handles = new BlobHandles(deps.fileSystem);
    this.#folders = new FolderSyncs(deps.fileSystem, this.#syncs);
    this.#entries = new JoinedWrites((entries) => deps.entries.write(entries));
  }

  /** Moves a complete file to its final name; durable when it resolves. Within the queue. */
  async place(digest: Digest, file: FileHandle): Promise<FileMark> {
    const { fileSystem, layout, marks } = this.#deps;
    const visibility = marks.ofHeld(digest);
    await this.#syncs.run(() => file.datasync());
    const sync = (path: string): Promise<void> => this.#folders.sync(path);
    await moveToPlace(fileSystem, layout, layout.partial(digest), { digest, visibility }, sync);
    await this.#folders.sync(layout.folder(digest, visibility));
    return markOf(await file.stat());
  }

  /** Moves a file that is marked private to the private tree. Within the queue. */
  async hide(digest: Digest): Promise<void> {
    const { fileSystem, layout, index } = this.#deps;
    const record = index.get(digest);
    if (record === undefined) return;
    const [from, to] = [layout.blob(digest, 'public'), layout.blob(digest, 'private')];
    try {
      const before = await fileSystem.stat(from);
      await moveToPlace(fileSystem, layout, from, { digest, visibility: 'private' });
      // Renaming moves the change time; a file that looked changed before must go on looking so.
      if (unchanged(before, record)) await this.#remember(digest, await fileSystem.stat(to));
      await this.#folders.sync(layout.folder(digest, 'private'));
      await this.#folders.sync(layout.folder(digest, 'public'));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  /** Hashes first when the file looks changed; undefined when it is gone or wrong (and then no longer held). */
  open(digest: Digest): Promise<SharedHandle | undefined> {
    return this.queue.run(digest, async () => {
      const acquired = await this.#acquire(digest);
      if (acquired === undefined) return undefined;
      const { shared, stat } = acquired;
      try {
        const record = this.#deps.index.get(digest);
        if (record === undefined) {
          // Deleted meanwhile: no fault of the file, whose other readers go on.
          await this.#handles.release(shared);
          return undefined;
        }
        if (unchanged(stat, record)) return shared;
        if (await this.#fits(shared, record.size, stat.size)) {
          await this.#remember(digest, stat);
          return shared;
        }
      } catch (error) {
        await this.#handles.release(shared);
        throw error;
      }
      await this.#condemn(shared);
      await this.#handles.release(shared);
      return undefined;
    });
  }

  release(shared: SharedHandle): Promise<void> {
    return this.#handles.release(shared);
  }

  async read(shared: SharedHandle, size: number, target: Uint8Array, offset: number): Promise<number> {
    const wanted = Math.min(target.length, size - offset);
    if (wanted <= 0) return 0;
    let bytesRead: number;
    try {
      ({ bytesRead } = await shared.file.read(target, 0, wanted, offset));
    } catch (error) {
      throw new UnavailableError(`cannot read ${shared.digest} from disk`, ['disk'], 2, { cause: error });
    }
    if (shared.condemned) throw corrupt(shared.digest, 'other bytes');
    if (bytesRead === 0) throw corrupt(shared.digest, `${offset} bytes instead of ${size}`);
    return bytesRead;
  }

  /** Hashes outside the queue: others may open the blob meanwhile. */
  async verify(digest: Digest, signal: AbortSignal | undefined): Promise<VerifyOutcome> {
    const acquired = await this.queue.run(digest, () => this.#acquire(digest));
    if (acquired === undefined) return 'missing';
    const { shared, stat } = acquired;
    try {
      const size = this.#deps.index.get(digest)?.size;
      if (size === undefined) return 'missing';
      const good = await this.#fits(shared, size, stat.size, signal);
      return await this.queue.run(digest, async () => {
        // Deleted, or replaced, while it was hashed.
        if (shared.detached) return shared.condemned ? 'corrupt' : 'missing';
        if (good) await this.#remember(digest, stat);
        else await this.#condemn(shared);
        return good ? 'good' : 'corrupt';
      });
    } finally {
      await this.#handles.release(shared);
    }
  }

  /** Files of blobs that are out of the index already. */
  async remove(digests: readonly Digest[]): Promise<void> {
    const removals = digests.map((digest) => ({ digest, turn: Promise.withResolvers<void>() }));
    // Each has its place in its queue before anybody else can make such a blob anew ...
    const done = removals.map(({ digest, turn }) =>
      this.queue.run(digest, async () => {
        await turn.promise;
        await this.#handles.detach(digest, { condemned: false });
        await this.#erase(digest);
      }),
    );
    // ... but hundreds of deletions at once would keep readers from the disk.
    for (const [i, { turn }] of removals.entries()) {
      turn.resolve();
      await done[i];
    }
    await this.note(digests.map((digest) => [digest, undefined]));
  }

  /** Writes entries. That they cannot be written is no failure: the next start makes them again. */
  async note(records: readonly (readonly [Digest, BlobRecord | undefined])[]): Promise<void> {
    try {
      await this.#entries.add(records);
    } catch (error) {
      const message = `${records.length} entries of the catalog were not written: ${(error as Error).message}`;
      this.#deps.facts.emit(isDiskFull(error) ? 'storage:full' : 'storage:repaired', { message });
    }
  }

  async close(): Promise<void> {
    await this.queue.idle();
    await this.#handles.close();
  }

  /** The blob's file as it is, not checked. Within the queue. */
  async #acquire(digest: Digest): Promise<{ shared: SharedHandle; stat: FileStat } | undefined> {
    const { layout, index, marks, facts } = this.#deps;
    if (!index.has(digest)) return undefined;
    // A blob that was just marked private still lies in the public tree until its turn to move comes.
    const places =
      marks.ofHeld(digest) === 'private' ? (['private', 'public'] as const) : (['public'] as const);
    for (const place of places) {
      try {
        const path = layout.blob(digest, place);
        const shared = await this.#handles.acquire(digest, path);
        const stat = await shared.file.stat();
        if (stat.nlink > 0) return { shared, stat };
        // Removed or replaced behind our back, while we had it open.
        await this.#handles.detach(digest, { condemned: false });
        await this.#handles.release(shared);
        const anew = await this.#handles.acquire(digest, path);
        return { shared: anew, stat: await anew.file.stat() };
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
    const lost = index.remove(digest);
    await this.note([[digest, undefined]]);
    if (lost) facts.emit('blob:evicted', { digest, size: lost.size, reason: 'request' });
    return undefined;
  }

  /** A file that cannot be deleted is out of service nevertheless, until the next start. */
  async #erase(digest: Digest): Promise<void> {
    const { fileSystem, layout, marks, facts } = this.#deps;
    try {
      await removeFile(fileSystem, layout.blob(digest, 'public'));
      if (marks.ofHeld(digest) === 'private') await removeFile(fileSystem, layout.blob(digest, 'private'));
    } catch (error) {
      facts.emit('storage:repaired', {
        message: `${digest} could not be deleted: ${(error as Error).message}`,
      });
    }
  }

  async #fits(shared: SharedHandle, size: number, actual: number, signal?: AbortSignal): Promise<boolean> {
    if (actual !== size) return false;
    try {
      return (await hashFile(shared.file, size, this.#deps.createHasher, signal)) === shared.digest;
    } catch (error) {
      // The disk cannot give it any more.
      if (hasCode(error, 'EIO', 'EBADMSG')) return false;
      throw error;
    }
  }

  async #remember(digest: Digest, stat: FileStat): Promise<void> {
    this.#deps.index.mark(digest, markOf(stat));
    const record = this.#deps.index.get(digest);
    if (record !== undefined) await this.note([[digest, record]]);
  }

  async #condemn({ digest }: SharedHandle): Promise<void> {
    const { index, facts } = this.#deps;
    await this.#handles.detach(digest, { condemned: true });
    if (index.remove(digest) === undefined) return;
    this.corruptBlobs++;
    facts.emit('blob:corrupt', { digest });
    await this.#erase(digest);
    await this.note([[digest, undefined]]);
  }
}

function corrupt(digest: Digest, actual: string): IntegrityError {
  return new IntegrityError(
    { expected: digest, actual, source: 'disk' },
    `${digest} on disk was altered: ${actual}`,
  );
}
