/**
 * Copy buffers that are used again, bounded together. Always true: a buffer is lent to one taker at a time. Give one back
 * only when nothing can write to it any more: a read that was given up may still be under way in a thread.
 */
export interface BufferPool {
  /** Undefined when all are lent: do with less. */
  take(): Uint8Array | undefined;
  give(buffer: Uint8Array): void;
  readonly lent: number;
}

/** Free buffers that are kept; more are left to the collector, so that a quiet node is small. */
const KEPT = 4;

export function createBufferPool(bounds: { bufferBytes: number; totalBytes: number }): BufferPool {
  const most = Math.floor(bounds.totalBytes / bounds.bufferBytes);
  const free: Uint8Array[] = [];
  let lent = 0;
  return {
    take() {
      if (lent >= most) return undefined;
      lent++;
      // Not from Buffer's shared pool, and unzeroed: only what was read into it is sent.
      return free.pop() ?? Buffer.allocUnsafeSlow(bounds.bufferBytes);
    },
    give(buffer) {
      lent--;
      if (free.length < KEPT) free.push(buffer);
    },
    get lent() {
      return lent;
    },
  };
}
