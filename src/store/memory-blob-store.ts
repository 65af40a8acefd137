/**
 * Blobs in memory: for tests and the simulator. Same promises as `disk-blob-store.ts`, held to them by the same contract;
 * plain maps in order of use, so that it can be read in one go.
 */
import type { Clock } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { BlobReader, BlobStat, BlobStore, Visibility } from './blob-store.ts';
import { createInlineHasher, type HasherFactory } from './hasher.ts';
import { createMemoryPartial, type PartialContent } from './memory-partial.ts';
import { SharedContent } from './shared-content.ts';
import { overQuota } from './storage-full.ts';
import { originOf } from './sent-ranges.ts';
import { VisibilityMarks } from './visibility-marks.ts';

interface Entry {
  readonly bytes: Uint8Array;
  readonly addedAt: number;
  lastUsedAt: number;
  /** Readers and writers that still hold it. */
  holders: number;
}

/** What outlives a store, and a crash, as files on a disk do: complete blobs and what was said of them. */
export interface MemoryBlobs {
  /** Least recently used first. */
  readonly blobs: Map<Digest, Entry>;
  /** Oldest first. */
  readonly added: Set<Digest>;
  readonly marks: VisibilityMarks;
  readonly pinned: Set<Digest>;
  readonly shared: SharedContent;
  /** Throws when nothing may be written any more. */
  readonly mayWrite: () => void;
}

export type MemoryBlobsOptions = Partial<Pick<MemoryBlobs, 'shared' | 'mayWrite'>>;

export function createMemoryBlobs({
  shared = new SharedContent(),
  mayWrite = () => {},
}: MemoryBlobsOptions = {}): MemoryBlobs {
  return {
    blobs: new Map(),
    added: new Set(),
    marks: new VisibilityMarks(),
    pinned: new Set(),
    shared,
    mayWrite,
  };
}

export interface MemoryBlobStoreDeps {
  readonly clock: Clock;
  readonly quotaBytes: number;
  readonly facts: FactEmitter;
  readonly createHasher?: HasherFactory;
  /** Of a store before this one, which is closed or gone. */
  readonly kept?: MemoryBlobs;
}

export function createMemoryBlobStore(deps: MemoryBlobStoreDeps): BlobStore {
  const { clock, quotaBytes, facts, createHasher = createInlineHasher } = deps;
  const { blobs, added, marks, pinned, shared, mayWrite } = deps.kept ?? createMemoryBlobs();
  /** Longest kept first. */
  const partials = new Map<Digest, PartialContent>();
  let blobBytes = 0;
  for (const entry of blobs.values()) {
    entry.holders = 0;
    blobBytes += entry.bytes.length;
  }
  let evictedBlobs = 0;
  let corruptBlobs = 0;

  const statOf = (digest: Digest, entry: Entry): BlobStat => ({
    digest,
    size: entry.bytes.length,
    visibility: marks.ofHeld(digest),
    pinned: pinned.has(digest),
    lastUsedAt: entry.lastUsedAt,
    addedAt: entry.addedAt,
  });
  const partialBytes = (): number => [...partials.values()].reduce((sum, { length }) => sum + length, 0);

  function remove(digest: Digest): Entry | undefined {
    const entry = blobs.get(digest);
    if (entry === undefined) return undefined;
    mayWrite();
    blobs.delete(digest);
    added.delete(digest);
    blobBytes -= entry.bytes.length;
    return entry;
  }

  function dropPartials(unwanted: (partial: PartialContent) => boolean): void {
    for (const [digest, partial] of partials) if (!partial.open && unwanted(partial)) partials.delete(digest);
  }
  const dropExpired = (): void =>
    dropPartials((partial) => Math.abs(clock.now() - partial.keptAt) > limits.freshness.partialKept);

  function evict(target: number, reason: 'quota' | 'request'): BlobStat[] {
    const gone: BlobStat[] = [];
    dropPartials(() => blobBytes + partialBytes() > target);
    for (const [digest, entry] of blobs) {
      if (blobBytes + partialBytes() <= target) break;
      if (pinned.has(digest) || entry.holders > 0 || partials.get(digest)?.open) continue;
      gone.push(statOf(digest, entry));
      remove(digest);
      evictedBlobs++;
    }
    for (const { digest, size } of gone) facts.emit('blob:evicted', { digest, size, reason });
    return gone;
  }

  function makeRoom(digest: Digest, bytes: number): void {
    const used = (): number => blobBytes + partialBytes() + bytes;
    if (used() <= quotaBytes) return;
    evict(Math.floor(quotaBytes * limits.store.lowWater) - bytes, 'quota');
    if (used() > quotaBytes) throw overQuota(digest, { wanted: bytes, quotaBytes });
  }

  function mark(digest: Digest, visibility: Visibility): void {
    mayWrite();
    const hidden = blobs.has(digest) && visibility === 'private' && marks.ofHeld(digest) === 'public';
    marks.add(digest, visibility);
    if (hidden) facts.emit('blob:hidden', { digest });
  }

  async function check(digest: Digest, entry: Entry): Promise<boolean> {
    const hasher = createHasher();
    await hasher.update(entry.bytes);
    if ((await hasher.digest()) === digest) return true;
    if (blobs.get(digest) === entry) {
      remove(digest);
      corruptBlobs++;
      facts.emit('blob:corrupt', { digest });
    }
    return false;
  }

  return {
    stat(digest) {
      const entry = blobs.get(digest);
      return entry && statOf(digest, entry);
    },
    async open(digest): Promise<BlobReader | undefined> {
      const entry = blobs.get(digest);
      if (entry === undefined) return undefined;
      entry.holders++;
      let open = true;
      return {
        digest,
        size: entry.bytes.length,
        async read(target, offset, options) {
          options?.signal?.throwIfAborted();
          if (!open) throw new Error(`the reader of ${digest} is closed`);
          const part = entry.bytes.subarray(offset, offset + target.length);
          target.set(part);
          return part.length;
        },
        async [Symbol.asyncDispose]() {
          if (open) entry.holders--;
          open = false;
        },
      };
    },
    async openPartial(digest, options) {
      dropExpired();
      const kept = partials.get(digest);
      if (kept?.open) throw new UnavailableError(`${digest} is already being written`);
      const reserved = options?.size ?? 0;
      let taken = reserved;
      for (const pin of pinned) taken += blobs.get(pin)?.bytes.length ?? 0;
      for (const other of partials.values()) if (other.open) taken += Math.max(other.length, other.reserved);
      if (taken > quotaBytes) throw overQuota(digest, { wanted: reserved, quotaBytes });
      const content = kept ?? {
        bytes: new Uint8Array(0),
        length: 0,
        sent: [],
        reserved,
        open: true,
        keptAt: 0,
      };
      content.open = true;
      content.reserved = reserved;
      partials.set(digest, content);
      let held: Entry | undefined;
      return createMemoryPartial(digest, content, {
        createHasher,
        makeRoom: (bytes) => makeRoom(digest, bytes),
        committed(done, visibility) {
          partials.delete(digest);
          held = blobs.get(digest);
          mark(digest, visibility);
          if (held === undefined) {
            const now = clock.now();
            const bytes = shared.blob(digest, done.bytes.slice(0, done.length));
            held = { bytes, addedAt: now, lastUsedAt: now, holders: 0 };
            blobs.set(digest, held);
            added.add(digest);
            blobBytes += done.length;
            const shareable = marks.ofHeld(digest) === 'public';
            const source = originOf(done.sent);
            facts.emit('blob:added', { digest, size: done.length, source, shareable });
          }
          held.holders++;
          return statOf(digest, held);
        },
        closed(outcome) {
          if (held !== undefined) held.holders--;
          content.open = false;
          content.keptAt = clock.now();
          if (outcome === 'committed') return;
          partials.delete(digest);
          if (outcome === 'kept' && content.length > 0) partials.set(digest, content);
        },
      });
    },
    touch(digest) {
      const entry = blobs.get(digest);
      if (entry === undefined) return;
      entry.lastUsedAt = clock.now();
      blobs.delete(digest);
      blobs.set(digest, entry);
    },
    async markVisibility(digest, visibility: Visibility) {
      mark(digest, visibility);
    },
    visibility: (digest) => (blobs.has(digest) ? marks.ofHeld(digest) : marks.get(digest)),
    async pin(digest) {
      mayWrite();
      pinned.add(digest);
    },
    async unpin(digest) {
      mayWrite();
      pinned.delete(digest);
    },
    pins: () => [...pinned],
    async delete(digest) {
      const entry = remove(digest);
      if (entry === undefined) return false;
      facts.emit('blob:evicted', { digest, size: entry.bytes.length, reason: 'request' });
      return true;
    },
    collect: async (targetBytes) =>
      evict(targetBytes ?? quotaBytes, targetBytes === undefined ? 'quota' : 'request'),
    *list() {
      for (const digest of [...added].toReversed()) {
        const entry = blobs.get(digest);
        if (entry !== undefined) yield statOf(digest, entry);
      }
    },
    async verify(digest, options) {
      options?.signal?.throwIfAborted();
      const entry = blobs.get(digest);
      if (entry === undefined) return 'missing';
      return (await check(digest, entry)) ? 'good' : 'corrupt';
    },
    totals() {
      dropExpired();
      return {
        blobs: blobs.size,
        bytes: blobBytes,
        quotaBytes,
        pinnedBlobs: [...pinned].filter((digest) => blobs.has(digest)).length,
        partials: partials.size,
        partialBytes: partialBytes(),
        evictedBlobs,
        corruptBlobs,
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.resolve();
    },
  };
}
