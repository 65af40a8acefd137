/**
 * The acceptor's side of a stream: request bytes that came, and the next request among them. Nothing is decoded before its
 * turn, and what waits is copied into one piece of memory: however it came (a byte in a message of its own would else cost
 * 150), it takes at most twice its bytes, and those are bounded.
 */
import { limits } from '../../core/limits.ts';
import { createFrameParser } from './frame-parser.ts';
import { ProtocolViolation } from './frames.ts';
import { decodeRequest, type BlobRequest, type MalformedRequest } from './requests.ts';

export type InboxEntry =
  | BlobRequest
  | MalformedRequest
  /** A request of a later version: ERROR 2, and the stream goes on. */
  | { readonly kind: 'unknown'; readonly type: number };

export interface RequestInbox {
  /** Throws ProtocolViolation when too much waits. */
  push(bytes: Uint8Array): void;
  /** The next request, or undefined while none is whole. Throws ProtocolViolation on a frame that breaks its bounds. */
  take(): InboxEntry | undefined;
  /** Bytes that were not taken. */
  readonly unread: number;
  /** A request has begun and is not whole, and nothing else is due before it. */
  readonly partial: boolean;
}

const EMPTY = new Uint8Array(0);
/** So much is kept while nothing waits. */
const KEPT = 512;

export function createRequestInbox(): RequestInbox {
  /** What waits is in [start, end). */
  let memory = EMPTY;
  let start = 0;
  let end = 0;
  let entry: InboxEntry | undefined;
  const parser = createFrameParser('requests', {
    dataFrame: neverData,
    data: neverData,
    frame(type, content, known) {
      entry = known ? decodeRequest(type, content) : { kind: 'unknown', type };
    },
  });
  /** Half of it is free afterwards, so that few bytes are moved often. */
  const makeRoom = (needed: number): void => {
    const waiting = memory.subarray(start, end);
    if (2 * needed <= memory.length) memory.copyWithin(0, start, end);
    else {
      memory = new Uint8Array(2 * needed);
      memory.set(waiting);
    }
    start = 0;
    end = waiting.length;
  };
  return {
    push(bytes) {
      const needed = end - start + bytes.length;
      if (needed > limits.blob.unreadRequestBytes)
        throw new ProtocolViolation(`more than ${limits.blob.unreadRequestBytes} bytes of requests wait`);
      if (end + bytes.length > memory.length) makeRoom(needed);
      memory.set(bytes, end);
      end += bytes.length;
    },
    take() {
      entry = undefined;
      while (start < end && !entry) start += parser.push(memory.subarray(start, end));
      if (start < end) return entry;
      start = 0;
      end = 0;
      if (memory.length > KEPT) memory = EMPTY;
      return entry;
    },
    get unread() {
      return end - start;
    },
    get partial() {
      return parser.partial;
    },
  };
}

function neverData(): void {
  throw new ProtocolViolation('DATA from the opener');
}
