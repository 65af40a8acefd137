/**
 * The quota: what blobs and partials take together, and who goes when it is too much. Kept partials go first, then blobs by
 * last use; what is pinned, held (open, or committed a moment ago) or being written never goes.
 */
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { BlobIndex } from './blob-index.ts';
import type { PartialRegistry } from './partial-registry.ts';
import { overQuota } from './storage-full.ts';

export interface BlobRoomDeps {
  readonly index: BlobIndex;
  readonly partials: PartialRegistry;
  readonly pins: ReadonlySet<Digest>;
  readonly quotaBytes: number;
}

export class BlobRoom {
  readonly #deps: BlobRoomDeps;
  readonly #holders = new Map<Digest, number>();

  constructor(deps: BlobRoomDeps) {
    this.#deps = deps;
  }

  get used(): number {
    return this.#deps.index.bytes + this.#deps.partials.bytes;
  }

  fits(bytes: number): boolean {
    return this.used + bytes <= this.#deps.quotaBytes;
  }

  /** Where making room for `bytes` ends: somewhat lower than needed, so that the next appends find room. */
  lowWater(bytes: number): number {
    return Math.floor(this.#deps.quotaBytes * limits.store.lowWater) - bytes;
  }

  /** Throws StorageFullError when `size` bytes cannot fit however much is evicted. */
  admit(digest: Digest, size: number): void {
    const { index, partials, pins, quotaBytes } = this.#deps;
    let taken = size + partials.claimed();
    for (const pin of pins) taken += index.get(pin)?.size ?? 0;
    if (taken > quotaBytes) throw overQuota(digest, { wanted: size, quotaBytes });
  }

  /** Keeps a blob from eviction until as many `letGo`. */
  hold(digest: Digest): void {
    this.#holders.set(digest, (this.#holders.get(digest) ?? 0) + 1);
  }

  letGo(digest: Digest): void {
    const holders = (this.#holders.get(digest) ?? 0) - 1;
    if (holders > 0) this.#holders.set(digest, holders);
    else this.#holders.delete(digest);
  }

  /** Partials to remove until `target` is reached; they are no longer counted. */
  dropPartials(target: number): Digest[] {
    return this.#deps.partials.drop(() => this.used <= target);
  }

  /** Blobs to remove, one by one, until `target` is reached: the caller takes each out of the index. */
  *victims(target: number): Generator<Digest> {
    if (this.used <= target) return;
    for (const { digest } of this.#deps.index.leastRecentlyUsed()) {
      if (this.#deps.pins.has(digest) || this.#holders.has(digest) || this.#deps.partials.isWriting(digest)) {
        continue;
      }
      yield digest;
      if (this.used <= target) return;
    }
  }
}
