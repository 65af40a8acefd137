/** A shelf over byte arrays, which remembers what was read of it and what was reported corrupt. */
import { createHash } from 'node:crypto';
import { parseDigest, type Digest } from '../../src/core/digest.ts';
import type { Shelf, ShelfReader } from '../../src/network/peer-network.ts';

export interface MemoryShelf extends Shelf {
  /** Puts bytes under their own digest, or under `as` (a blob altered on disk). */
  put(bytes: Uint8Array, as?: Digest): Digest;
  readonly corrupt: Digest[];
  /** Every `open`, held or not. */
  readonly opened: Digest[];
  /** Readers that were opened and not disposed yet. */
  readonly open_: number;
  readonly bytesRead: number;
  /** Resolves when no reader is open. */
  whenClosed(): Promise<void>;
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(createHash('sha256').update(bytes).digest('hex'));
}

/** Bytes that differ at every place and from blob to blob. */
export function someBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function createMemoryShelf(): MemoryShelf {
  const blobs = new Map<Digest, Uint8Array>();
  let open = 0;
  let bytesRead = 0;
  let closed: (() => void)[] = [];
  const shelf = {
    corrupt: [] as Digest[],
    opened: [] as Digest[],
    get open_() {
      return open;
    },
    get bytesRead() {
      return bytesRead;
    },
    put(bytes: Uint8Array, as?: Digest) {
      const digest = as ?? digestOf(bytes);
      blobs.set(digest, bytes);
      return digest;
    },
    size: (digest: Digest) => blobs.get(digest)?.length,
    async open(digest: Digest): Promise<ShelfReader | undefined> {
      shelf.opened.push(digest);
      const bytes = blobs.get(digest);
      if (!bytes) return undefined;
      open++;
      let gone = false;
      return {
        size: bytes.length,
        async read(target, offset) {
          if (gone) throw new Error('read of a closed reader');
          const part = bytes.subarray(offset, offset + target.length);
          target.set(part);
          bytesRead += part.length;
          return part.length;
        },
        async [Symbol.asyncDispose]() {
          if (gone) return;
          gone = true;
          if (--open > 0) return;
          for (const resolve of closed) resolve();
          closed = [];
        },
      };
    },
    reportCorrupt: (digest: Digest) => {
      shelf.corrupt.push(digest);
      blobs.delete(digest);
    },
    shared: () => blobs.keys(),
    whenClosed: () => (open === 0 ? Promise.resolve() : new Promise<void>((resolve) => closed.push(resolve))),
  };
  return shelf;
}
