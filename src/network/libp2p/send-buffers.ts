/**
 * Memory for what goes out: an OK and four full frames, filled by one read of the file and sent in one write. They are used
 * again and again: fresh ones cost the sender up to twice its CPU (page faults, and V8's full collections of external memory).
 */
import { limits } from '../../core/limits.ts';
import { HEAD_BYTES, frameType, writeHead } from '../blob-protocol/frames.ts';

const { frameBytes, writeFramesAlone, sendBuffersKept } = limits.blob;
const OK_BYTES = HEAD_BYTES + 24;
const FULL_FRAME = HEAD_BYTES + frameBytes;

/** Content bytes that fit. */
export const PIECE = writeFramesAlone * frameBytes;

export interface SendBuffer {
  /** Where `PIECE` bytes of content are read to, in one run; valid until `frames`. */
  readonly content: Uint8Array;
  /** Makes frames of the first `length` bytes of content; gives the bytes to send, with `ok` before them if given. */
  frames(length: number, ok: Uint8Array | undefined): Uint8Array;
  /** Length on the wire of the last of the frames that `length` bytes make. */
  lastFrame(length: number): number;
}

export interface SendBuffers {
  take(): SendBuffer;
  /** Only when nobody reads it any more. */
  give(buffer: SendBuffer): void;
}

export function createSendBuffers(): SendBuffers {
  const free: SendBuffer[] = [];
  return {
    take: () => free.pop() ?? createSendBuffer(),
    give(buffer) {
      if (free.length < sendBuffersKept) free.push(buffer);
    },
  };
}

function createSendBuffer(): SendBuffer {
  const bytes = Buffer.allocUnsafeSlow(OK_BYTES + writeFramesAlone * FULL_FRAME);
  const start = OK_BYTES + HEAD_BYTES;
  return {
    content: bytes.subarray(start, start + PIECE),
    frames(length, ok) {
      const count = Math.ceil(length / frameBytes);
      for (let i = count - 1; i >= 0; i--) {
        const size = Math.min(frameBytes, length - i * frameBytes);
        const from = start + i * frameBytes;
        const to = OK_BYTES + i * FULL_FRAME;
        // Every frame but the first makes room for the heads before it.
        if (i > 0) bytes.copyWithin(to + HEAD_BYTES, from, from + size);
        writeHead(bytes, to, frameType.data, size);
      }
      const end = OK_BYTES + length + count * HEAD_BYTES;
      if (!ok) return bytes.subarray(OK_BYTES, end);
      bytes.set(ok, 0);
      return bytes.subarray(0, end);
    },
    lastFrame: (length) => (length === 0 ? 0 : HEAD_BYTES + ((length - 1) % frameBytes) + 1),
  };
}
