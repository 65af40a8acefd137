/**
 * The acceptor's side of a stream: request bytes that came, and the next request among them. Nothing is decoded before its
 * turn, so what waits costs no more than its bytes, and those are bounded.
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

export function createRequestInbox(): RequestInbox {
  const waiting: Uint8Array[] = [];
  let unread = 0;
  let entry: InboxEntry | undefined;
  const parser = createFrameParser('requests', {
    dataFrame: neverData,
    data: neverData,
    frame(type, content, known) {
      entry = known ? decodeRequest(type, content) : { kind: 'unknown', type };
    },
  });
  return {
    push(bytes) {
      unread += bytes.length;
      if (unread > limits.blob.unreadRequestBytes)
        throw new ProtocolViolation(`more than ${limits.blob.unreadRequestBytes} bytes of requests wait`);
      if (bytes.length > 0) waiting.push(bytes);
    },
    take() {
      entry = undefined;
      for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
        const read = parser.push(first);
        unread -= read;
        if (read === first.length) waiting.shift();
        else waiting[0] = first.subarray(read);
        if (entry) return entry;
      }
      return undefined;
    },
    get unread() {
      return unread;
    },
    get partial() {
      return parser.partial;
    },
  };
}

function neverData(): void {
  throw new ProtocolViolation('DATA from the opener');
}
