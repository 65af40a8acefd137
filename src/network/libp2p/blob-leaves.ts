/**
 * LEAVES: the SHA-256 of each 1 MiB chunk of a blob. They are computed by reading when somebody asks, at most so many chunks
 * a request (an answer may hold fewer than asked), and a bounded number is remembered. Nobody believes them: they only say
 * which chunk to suspect.
 */
import { createHash } from 'node:crypto';
import { limits } from '../../core/limits.ts';
import type { Digest } from '../../core/digest.ts';
import type { LeavesAnswer } from '../blob-protocol/answers.ts';
import type { LeavesRequest } from '../blob-protocol/requests.ts';
import type { ShelfReader } from '../peer-network.ts';

const { leafChunk, leavesKept, leavesComputed } = limits.blob;

export interface LeavesCache {
  /** From memory, or undefined when the first hash asked for is not there. */
  known(request: LeavesRequest, size: number): LeavesAnswer | undefined;
  /** Reads the chunks that are missing, up to a bound. */
  compute(request: LeavesRequest, reader: ShelfReader, signal: AbortSignal): Promise<LeavesAnswer>;
}

export function createLeavesCache(): LeavesCache {
  /** The one used last is at the end. */
  const blobs = new Map<Digest, Map<number, Uint8Array>>();
  let kept = 0;

  const remember = (digest: Digest, index: number, hash: Uint8Array): void => {
    const leaves = blobs.get(digest) ?? new Map<number, Uint8Array>();
    blobs.delete(digest);
    blobs.set(digest, leaves);
    if (!leaves.has(index)) kept++;
    leaves.set(index, hash);
    for (const [oldest, { size }] of blobs) {
      if (kept <= leavesKept || oldest === digest) break;
      blobs.delete(oldest);
      kept -= size;
    }
  };
  const answer = (request: LeavesRequest, size: number): LeavesAnswer => {
    const total = Math.ceil(size / leafChunk);
    const leaves = blobs.get(request.digest);
    const hashes: Uint8Array[] = [];
    for (let i = request.from; i < Math.min(total, request.from + request.count); i++) {
      const hash = leaves?.get(i);
      if (!hash) break;
      hashes.push(hash);
    }
    return { kind: 'leaves', total, from: request.from, hashes };
  };
  return {
    known(request, size) {
      const found = answer(request, size);
      return found.hashes.length > 0 || found.total === 0 ? found : undefined;
    },
    async compute(request, reader, signal) {
      const total = Math.ceil(reader.size / leafChunk);
      const end = Math.min(total, request.from + Math.min(request.count, leavesComputed));
      const chunk = Buffer.allocUnsafeSlow(Math.min(leafChunk, reader.size));
      for (let i = request.from; i < end; i++) {
        if (blobs.get(request.digest)?.has(i)) continue;
        signal.throwIfAborted();
        const length = Math.min(leafChunk, reader.size - i * leafChunk);
        for (let filled = 0; filled < length;) {
          const count = await reader.read(chunk.subarray(filled, length), i * leafChunk + filled);
          if (count === 0) throw new Error('the file is shorter than it was');
          filled += count;
        }
        const hash = createHash('sha256').update(chunk.subarray(0, length)).digest();
        remember(request.digest, i, new Uint8Array(hash));
      }
      return answer(request, reader.size);
    },
  };
}
