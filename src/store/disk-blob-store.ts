/**
 * Blobs on disk. A file has its final name only after its bytes were hashed and are on the disk (fsync), so whatever lies
 * under a digest was right when it came there; whether it still is, is found out when it is opened and looks changed.
 *
 * Order of a commit: fsync of the file, rename, fsync of the folder, index, entry in the catalog. From the rename on the
 * blob survives a kill, from the folder's fsync on power loss; the entry needs no fsync, because a blob without one is
 * found again at start (and hashed before its first serving). Work on one digest goes through one queue.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import { BlobEntries } from './blob-entries.ts';
import { BlobFiles } from './blob-files.ts';
import { BlobIndex, type BlobRecord } from './blob-index.ts';
import { blobLayout, makeFolders } from './blob-layout.ts';
import { BlobRoom } from './blob-room.ts';
import type { BlobReader, BlobStat, BlobStore, PartialBlob, Visibility } from './blob-store.ts';
import { createDiskPartial, type DiskPartialOwner } from './disk-partial.ts';
import { recoverBlobs, recoverPartials } from './disk-recovery.ts';
import { realFileSystem, type FileSystem } from './file-system.ts';
import { createInlineHasher, type HasherFactory } from './hasher.ts';
import { GatheredPartial } from './gathered-partial.ts';
import { LastUses } from './last-uses.ts';
import type { LevelDatabase } from './level-database.ts';
import { PartialFiles, type PartialContent, removePartialFiles } from './partial-files.ts';
import { PartialRegistry } from './partial-registry.ts';
import { originOf } from './sent-ranges.ts';
import { diskFull, isDiskFull, isUnwritable, overQuota, unwritable } from './storage-full.ts';
import { VisibilityMarks } from './visibility-marks.ts';

export interface DiskBlobStoreDeps {
  readonly dataDir: string;
  /** Stays the caller's to close, after the store. */
  readonly db: LevelDatabase;
  readonly clock: Clock;
  readonly quotaBytes: number;
  readonly facts: FactEmitter;
  readonly fileSystem?: FileSystem;
  readonly createHasher?: HasherFactory;
}

/** Nobody else may use `dataDir` (see `data-folder.ts`). */
export async function openDiskBlobStore(deps: DiskBlobStoreDeps): Promise<BlobStore> {
  const { dataDir, db, clock, quotaBytes, facts } = deps;
  const { fileSystem = realFileSystem, createHasher = createInlineHasher } = deps;
  const layout = blobLayout(dataDir);
  const entries = new BlobEntries(db);
  const index = new BlobIndex();
  const marks = new VisibilityMarks();
  const partials = new PartialRegistry(clock);
  await makeFolders(fileSystem, layout);
  await recoverBlobs({ fileSystem, layout }, entries, index, marks);
  await recoverPartials({ fileSystem, layout }, clock, partials);
  const pins = new Set(await entries.set('pins'));

  const files = new BlobFiles({ fileSystem, layout, index, entries, marks, facts, createHasher });
  const room = new BlobRoom({ index, partials, pins, quotaBytes });
  const writers = new Set<PartialBlob>();
  const unsaved = new Set<Digest>();
  const uses = new LastUses(clock, index, (records) => files.note(records));
  let sweepTimer: Timer | undefined;
  let evictedBlobs = 0;
  let diskIsFull = false;
  /** Bytes of memory that small partials have. */
  let gathered = 0;
  let closed = false;

  const statOf = (digest: Digest, record: BlobRecord): BlobStat => ({
    digest,
    size: record.size,
    visibility: marks.ofHeld(digest),
    pinned: pins.has(digest),
    lastUsedAt: record.lastUsedAt,
    addedAt: record.addedAt,
  });
  const stat = (digest: Digest): BlobStat | undefined => {
    const record = index.get(digest);
    return record && statOf(digest, record);
  };
  const needOpen = (): void => {
    if (closed) throw new Error(`the store in ${dataDir} is closed`);
  };

  async function erasePartials(digests: readonly Digest[]): Promise<void> {
    const place = { fileSystem, layout };
    await Promise.all(
      digests.map((digest) => files.queue.run(digest, () => removePartialFiles(digest, place))),
    );
  }

  function scheduleSweep(): void {
    sweepTimer = clock.setTimer(() => {
      scheduleSweep();
      // What cannot be deleted now is deleted at the next start.
      erasePartials(partials.dropExpired()).catch(() => undefined);
    }, limits.store.partialSweep);
  }

  /** What goes is out of the index before the first await. */
  async function evict(target: number, reason: 'quota' | 'request'): Promise<BlobStat[]> {
    const goneParts = room.dropPartials(target);
    const gone: BlobStat[] = [];
    for (const digest of room.victims(target)) {
      const record = index.remove(digest);
      if (record !== undefined) gone.push(statOf(digest, record));
    }
    evictedBlobs += gone.length;
    await erasePartials(goneParts).catch(() => undefined);
    await files.remove(gone.map(({ digest }) => digest));
    for (const { digest, size } of gone) facts.emit('blob:evicted', { digest, size, reason });
    return gone;
  }

  async function takeRoom(digest: Digest, bytes: number): Promise<void> {
    const evicting = room.fits(bytes) ? undefined : evict(room.lowWater(bytes), 'quota');
    const fits = room.fits(bytes);
    if (fits) partials.grow(digest, bytes);
    await evicting;
    if (!fits) throw overQuota(digest, { wanted: bytes, quotaBytes });
  }

  function explain(error: unknown): unknown {
    if (!isDiskFull(error) && !isUnwritable(error)) return error;
    const full = isDiskFull(error) ? diskFull(dataDir, error) : unwritable(dataDir, error);
    if (!diskIsFull) facts.emit('storage:full', { message: full.message });
    diskIsFull = true;
    return full;
  }

  async function markVisibility(digest: Digest, visibility: Visibility): Promise<void> {
    const before = marks.ofHeld(digest);
    marks.add(digest, visibility);
    if (visibility === 'public' || (before === 'private' && !unsaved.has(digest))) return;
    if (before === 'public' && index.has(digest)) facts.emit('blob:hidden', { digest });
    // Until it is on disk every call writes it: the mark must not be lost to one full disk.
    unsaved.add(digest);
    await files.queue.run(digest, () => files.hide(digest));
    await entries.put('private', digest);
    unsaved.delete(digest);
  }

  async function publish(digest: Digest, done: PartialContent, visibility: Visibility): Promise<BlobStat> {
    await markVisibility(digest, visibility);
    return files.queue.run(digest, async () => {
      const known = stat(digest);
      if (known !== undefined) {
        await done.remove();
        partials.end(digest);
        return known;
      }
      const mark = await files.place(digest, await done.complete());
      const now = clock.now();
      const record = { size: done.length, addedAt: now, lastUsedAt: now, ...mark };
      partials.end(digest);
      index.add(digest, record);
      diskIsFull = false;
      await files.note([[digest, record]]);
      await done.removeLog();
      const added = statOf(digest, record);
      const shareable = added.visibility === 'public';
      facts.emit('blob:added', { digest, size: record.size, source: originOf(done.sent), shareable });
      return added;
    });
  }

  function ownerOf(digest: Digest, onClosed: () => void): DiskPartialOwner {
    let holding = false;
    return {
      takeRoom: (bytes) => takeRoom(digest, bytes),
      giveRoom: (bytes) => partials.grow(digest, -bytes),
      explain,
      async publish(done, visibility) {
        room.hold(digest);
        try {
          const published = await publish(digest, done, visibility);
          holding = true;
          return published;
        } catch (error) {
          throw explain(error);
        } finally {
          if (!holding) room.letGo(digest);
        }
      },
      closed(outcome, length) {
        if (holding) room.letGo(digest);
        if (outcome === 'kept') partials.keep(digest, length, clock.now());
        if (outcome === 'discarded') partials.end(digest);
        onClosed();
      },
    };
  }

  function gathers(size: number): boolean {
    const { gatherBytes, gatherMost } = limits.store;
    if (size === 0 || size > gatherMost || gathered + size > gatherBytes) return false;
    gathered += size;
    return true;
  }

  async function openPartial(digest: Digest, size = 0): Promise<PartialBlob> {
    needOpen();
    if (partials.isWriting(digest)) throw new UnavailableError(`${digest} is already being written`);
    room.admit(digest, size);
    // Not before it is admitted: what is dropped here must be erased here.
    const expired = partials.dropExpired();
    const resume = partials.begin(digest, size);
    try {
      await erasePartials(expired);
      const deps = { fileSystem, layout, clock, createHasher };
      // In turn, also where nothing is opened: a dropped partial of this digest may still be on its way out.
      const done = await files.queue.run(digest, async () =>
        !resume && gathers(size)
          ? new GatheredPartial(digest, deps, { size, release: () => void (gathered -= size) })
          : PartialFiles.open(digest, deps, resume),
      );
      partials.setLength(digest, done.length);
      const owner = ownerOf(digest, () => writers.delete(partial));
      const partial = createDiskPartial(digest, done, owner);
      writers.add(partial);
      return partial;
    } catch (error) {
      partials.end(digest);
      throw explain(error);
    }
  }

  async function openReader(digest: Digest): Promise<BlobReader | undefined> {
    needOpen();
    if (!index.has(digest)) return undefined;
    room.hold(digest);
    const shared = await files.open(digest).catch((error: unknown) => {
      room.letGo(digest);
      throw error;
    });
    const size = index.get(digest)?.size;
    if (shared === undefined || size === undefined) {
      room.letGo(digest);
      if (shared !== undefined) await files.release(shared);
      return undefined;
    }
    let open = true;
    return {
      digest,
      size,
      descriptor: shared.file.fd,
      async read(target, offset, options) {
        options?.signal?.throwIfAborted();
        if (!open) throw new Error(`the reader of ${digest} is closed`);
        return files.read(shared, size, target, offset);
      },
      async [Symbol.asyncDispose]() {
        if (!open) return;
        open = false;
        room.letGo(digest);
        await files.release(shared);
      },
    };
  }

  await evict(quotaBytes, 'quota');
  scheduleSweep();

  return {
    publicFolder: layout.tree('public'),
    stat,
    open: openReader,
    openPartial: (digest, options) => openPartial(digest, options?.size),
    touch(digest) {
      if (!closed) uses.touch(digest);
    },
    markVisibility,
    visibility: (digest) => (index.has(digest) ? marks.ofHeld(digest) : marks.get(digest)),
    async pin(digest) {
      pins.add(digest);
      await entries.put('pins', digest);
    },
    async unpin(digest) {
      pins.delete(digest);
      await entries.unpin(digest);
    },
    pins: () => [...pins],
    async delete(digest) {
      const record = index.remove(digest);
      if (record === undefined) return false;
      await files.remove([digest]);
      facts.emit('blob:evicted', { digest, size: record.size, reason: 'request' });
      return true;
    },
    collect: (targetBytes) =>
      evict(targetBytes ?? quotaBytes, targetBytes === undefined ? 'quota' : 'request'),
    *list() {
      for (const digest of index.newest()) {
        const found = stat(digest);
        if (found !== undefined) yield found;
      }
    },
    async verify(digest, options) {
      needOpen();
      options?.signal?.throwIfAborted();
      room.hold(digest);
      try {
        return await files.verify(digest, options?.signal);
      } finally {
        room.letGo(digest);
      }
    },
    totals: () => ({
      blobs: index.size,
      bytes: index.bytes,
      quotaBytes,
      pinnedBlobs: [...pins].filter((digest) => index.has(digest)).length,
      partials: partials.size,
      partialBytes: partials.bytes,
      evictedBlobs,
      corruptBlobs: files.corruptBlobs,
    }),
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      sweepTimer?.cancel();
      await Promise.all([...writers].map((partial) => partial[Symbol.asyncDispose]()));
      await uses.close();
      await files.close();
    },
  };
}
