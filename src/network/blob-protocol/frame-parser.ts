/**
 * Bytes in, frames out, however the transport split or joined them. Holds at most one small frame's content; DATA is handed
 * on as it comes, without copying. Throws ProtocolViolation, and must not be used afterwards.
 */
import { HEAD_BYTES, checkHead, frameType, ProtocolViolation, type Incoming } from './frames.ts';

/** Whether a frame of this type and length is read or passed over; throws ProtocolViolation. */
export interface HeadCheck {
  (type: number, length: number): 'read' | 'skip';
}

export interface FrameSink {
  /** A DATA frame of `length` bytes begins. */
  dataFrame(length: number): void;
  /** A whole frame. The content is the sink's to keep. `known` is false for a request of a type we don't know (content empty). */
  frame(type: number, content: Uint8Array, known: boolean): void;
  /** Some bytes of a DATA frame, as a view of what was pushed. */
  data(bytes: Uint8Array): void;
}

export interface FrameParser {
  /** Reads all of it, or up to the end of the next frame that is not DATA; returns how many bytes were read. */
  push(bytes: Uint8Array): number;
  /** A frame has begun and is not whole yet. */
  readonly partial: boolean;
}

const EMPTY = new Uint8Array(0);

export function createFrameParser(incoming: Incoming | HeadCheck, sink: FrameSink): FrameParser {
  const check: HeadCheck =
    typeof incoming === 'string' ? (type, length) => checkHead(incoming, type, length) : incoming;
  const head = new Uint8Array(HEAD_BYTES);
  let headFilled = 0;
  let broken = false;
  let type = 0;
  /** Bytes of the current frame's content that are still to come. */
  let left = 0;
  let skipping = false;
  let content = EMPTY;
  let filled = 0;

  const begin = (): void => {
    type = head[0] as number;
    left = ((head[1] as number) << 16) | ((head[2] as number) << 8) | (head[3] as number);
    skipping = check(type, left) === 'skip';
    if (type === frameType.data && !skipping) sink.dataFrame(left);
    else if (!skipping && left > 0) content = new Uint8Array(left);
    filled = 0;
  };
  /** The current frame is whole: true when it went to `sink.frame`. */
  const end = (): boolean => {
    headFilled = 0;
    const whole = content;
    content = EMPTY;
    if (type === frameType.data && !skipping) return false;
    sink.frame(type, whole, !skipping);
    return true;
  };
  const push = (bytes: Uint8Array): number => {
    for (let at = 0; at < bytes.length;) {
      if (headFilled < HEAD_BYTES) {
        head[headFilled++] = bytes[at++] as number;
        if (headFilled < HEAD_BYTES) continue;
        begin();
        if (left === 0 && end()) return at;
        continue;
      }
      const take = Math.min(left, bytes.length - at);
      left -= take;
      if (skipping) {
        // A later version's request: answered with ERROR 2 and otherwise passed over.
      } else if (type === frameType.data) {
        sink.data(bytes.subarray(at, at + take));
      } else {
        content.set(bytes.subarray(at, at + take), filled);
        filled += take;
      }
      at += take;
      if (left === 0 && end()) return at;
    }
    return bytes.length;
  };
  return {
    push(bytes) {
      if (broken) throw new ProtocolViolation('bytes after a violation');
      try {
        return push(bytes);
      } catch (error) {
        broken = true;
        throw error;
      }
    },
    get partial() {
      return headFilled > 0;
    },
  };
}
