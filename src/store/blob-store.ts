/**
 * Blobs by their SHA-256: the interface. Implementations: `disk-blob-store.ts`, `memory-blob-store.ts`; the contract
 * suite in `test/contracts/blob-store.ts` is the specification.
 *
 * Always true: what `open` returns has the bytes its name promises, or was not changed since it was verified; a partial
 * is never seen as a blob; nothing that is pinned, open, or being written is evicted.
 */
import type { Digest } from '../core/digest.ts';

/** Whether a blob may be named to peers. One private origin makes it private for good (design/network, "Private"). */
export type Visibility = 'public' | 'private';

export interface BlobStat {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly visibility: Visibility;
  readonly pinned: boolean;
  /** Wall time of the last use by a client of ours, ms. */
  readonly lastUsedAt: number;
  readonly addedAt: number;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that can be read by position. Of a file still being fetched, `read` waits until some bytes may be let out. */
export interface ByteSource extends AsyncDisposable {
  /** Bytes; undefined until known (a file being fetched whose page gives no size). */
  readonly size: number | undefined;
  /**
   * Fills `target` (or less) from `offset` on; resolves to the number of bytes read, 0 only at the end. Throws
   * IntegrityError or UnavailableError when the rest cannot be had.
   */
  read(target: Uint8Array, offset: number, options?: ReadOptions): Promise<number>;
}

/** A stored blob, open. While open it is not evicted. */
export interface BlobReader extends ByteSource {
  readonly digest: Digest;
  readonly size: number;
  /** Of the open file, where there is one; it stays open until this reader is disposed of. Who reads through it checks for itself. */
  readonly descriptor?: number | undefined;
}

/** Who sent a range of a partial: a URL, or `peer:<id>`. [start, end) in bytes. */
export interface SentRange {
  readonly start: number;
  readonly end: number;
  readonly source: string;
}

/**
 * A blob being written, in order, by one writer. Disposing it keeps what is there as a partial to be resumed (for an
 * hour); `discard` deletes it. Reading below `length` is allowed at any time, by many.
 */
export interface PartialBlob extends AsyncDisposable {
  readonly digest: Digest;
  /** Bytes written so far, from 0. A resumed partial starts above 0. */
  readonly length: number;
  /** Every byte below `length` with its sender, merged and in order; kept on disk beside the partial. */
  readonly sent: readonly SentRange[];
  /** Appends and hashes; concurrent calls are queued. Throws StorageFullError; `length` is then what did fit. */
  append(bytes: Uint8Array, source: string): Promise<void>;
  read(target: Uint8Array, offset: number): Promise<number>;
  /** Drops everything from `length` on (wrong bytes of one sender); hashing starts anew as needed. */
  truncate(length: number): Promise<void>;
  /** The SHA-256 of what is there. Does not change the partial. */
  actualDigest(): Promise<Digest>;
  /**
   * Makes it a blob: checks the hash (throws IntegrityError, and stays a partial), fsync, rename, catalog entry. One that is
   * held already stays as it is. Until disposal `read` goes on and the blob is not evicted.
   */
  commit(options: { visibility: Visibility }): Promise<BlobStat>;
  discard(): Promise<void>;
}

export interface StoreTotals {
  readonly blobs: number;
  readonly bytes: number;
  readonly quotaBytes: number;
  readonly pinnedBlobs: number;
  readonly partials: number;
  readonly partialBytes: number;
  readonly evictedBlobs: number;
  readonly corruptBlobs: number;
}

export type VerifyOutcome = 'good' | 'corrupt' | 'missing';

/** Tells `blob:added`, `blob:evicted`, `blob:corrupt`, `blob:hidden` and `storage:full` itself. */
export interface BlobStore extends AsyncDisposable {
  /** From memory, without waiting; undefined when not held. */
  stat(digest: Digest): BlobStat | undefined;
  /** Undefined when not held. A blob changed since it was written (inode, size, time) is hashed first; a bad one is quarantined: undefined. */
  open(digest: Digest): Promise<BlobReader | undefined>;
  /** Starts or resumes the one partial of this digest. Throws when one is already open. `size` reserves room: StorageFullError when it can never fit. */
  openPartial(digest: Digest, options?: { size?: number | undefined }): Promise<PartialBlob>;
  /** Marks a use by a client of ours (never by a peer). */
  touch(digest: Digest): void;
  /** Adds an origin; `private` sticks. Allowed before the blob is held. */
  markVisibility(digest: Digest, visibility: Visibility): Promise<void>;
  visibility(digest: Digest): Visibility | undefined;
  /** Pins survive restarts and may name blobs that are not held yet. */
  pin(digest: Digest): Promise<void>;
  unpin(digest: Digest): Promise<void>;
  pins(): readonly Digest[];
  delete(digest: Digest): Promise<boolean>;
  /** Evicts down to the quota (or to `targetBytes`), least recently used first; returns what went. */
  collect(targetBytes?: number): Promise<readonly BlobStat[]>;
  /** Every blob held, newest first. */
  list(): Iterable<BlobStat>;
  /** Hashes one blob again; a bad one is quarantined and no longer held. */
  verify(digest: Digest, options?: ReadOptions): Promise<VerifyOutcome>;
  totals(): StoreTotals;
  /** Where public blobs lie, on disk: `<folder>/<first two digits>/<digest>`. */
  readonly publicFolder?: string;
}
