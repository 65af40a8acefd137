/** The answers: bytes to values and back. DATA has no codec of its own: a head and bytes. */
import { limits } from '../../core/limits.ts';
import { U64_MAX, allocateFrame, frameType, ProtocolViolation } from './frames.ts';

export interface HaveAnswer {
  readonly kind: 'have';
  /** 0 idle to 255 full. */
  readonly load: number;
  /** In the order asked; undefined: none. */
  readonly sizes: readonly (number | undefined)[];
}

export interface OkAnswer {
  readonly kind: 'ok';
  readonly blobSize: number;
  readonly offset: number;
  readonly length: number;
}

export interface LeavesAnswer {
  readonly kind: 'leaves';
  /** Chunks of 1 MiB in the blob. */
  readonly total: number;
  readonly from: number;
  /** SHA-256 of each chunk, 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
}

export const errorCode = {
  malformed: 1,
  unknownRequest: 2,
  range: 3,
  unreadable: 4,
  closing: 5,
  deadline: 6,
} as const;
export type ErrorCode = (typeof errorCode)[keyof typeof errorCode];

export interface ErrorAnswer {
  readonly kind: 'error';
  /** One of `errorCode`, or a later version's. */
  readonly code: number;
  readonly text: string;
}

export type BlobAnswer =
  | HaveAnswer
  | OkAnswer
  | LeavesAnswer
  | { readonly kind: 'not-found' }
  | { readonly kind: 'busy'; readonly retryMs: number }
  | ErrorAnswer;

const BUSY_LEAST = 100;
const BUSY_MOST = 60_000;

export function encodeAnswer(answer: BlobAnswer): Uint8Array {
  switch (answer.kind) {
    case 'have': {
      const { frame, content } = allocateFrame(frameType.haveAnswer, 1 + 8 * answer.sizes.length);
      content.setUint8(0, answer.load);
      for (const [i, size] of answer.sizes.entries())
        content.setBigUint64(1 + 8 * i, size === undefined ? U64_MAX : BigInt(size));
      return frame;
    }
    case 'ok': {
      const { frame, content } = allocateFrame(frameType.ok, 24);
      content.setBigUint64(0, BigInt(answer.blobSize));
      content.setBigUint64(8, BigInt(answer.offset));
      content.setBigUint64(16, BigInt(answer.length));
      return frame;
    }
    case 'leaves': {
      const { frame, content } = allocateFrame(frameType.leavesAnswer, 10 + 32 * answer.hashes.length);
      content.setUint32(0, answer.total);
      content.setUint32(4, answer.from);
      content.setUint16(8, answer.hashes.length);
      for (const [i, hash] of answer.hashes.entries()) frame.set(hash, 4 + 10 + 32 * i);
      return frame;
    }
    case 'not-found':
      return allocateFrame(frameType.notFound, 0).frame;
    case 'busy': {
      const { frame, content } = allocateFrame(frameType.busy, 4);
      content.setUint32(0, Math.min(BUSY_MOST, Math.max(BUSY_LEAST, Math.ceil(answer.retryMs))));
      return frame;
    }
    default: {
      const text = clipUtf8(answer.text, limits.blob.errorTextBytes);
      const { frame, content } = allocateFrame(frameType.error, 2 + text.length);
      content.setUint16(0, answer.code);
      frame.set(text, 6);
      return frame;
    }
  }
}

/** `content` has passed `checkHead` for this type, which is not DATA. Throws ProtocolViolation. */
export function decodeAnswer(type: number, content: Uint8Array): BlobAnswer {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  switch (type) {
    case frameType.haveAnswer: {
      if ((content.length - 1) % 8 !== 0)
        throw new ProtocolViolation(`HAVE answer of ${content.length} bytes`);
      const sizes: (number | undefined)[] = [];
      for (let at = 1; at < content.length; at += 8) {
        const size = view.getBigUint64(at);
        sizes.push(size === U64_MAX ? undefined : blobSize(size));
      }
      return { kind: 'have', load: view.getUint8(0), sizes };
    }
    case frameType.ok: {
      const size = blobSize(view.getBigUint64(0));
      const offset = view.getBigUint64(8);
      const length = view.getBigUint64(16);
      if (offset + length > BigInt(size)) throw new ProtocolViolation('OK for a range beyond the blob');
      return { kind: 'ok', blobSize: size, offset: Number(offset), length: Number(length) };
    }
    case frameType.leavesAnswer: {
      const [total, from, count] = [view.getUint32(0), view.getUint32(4), view.getUint16(8)];
      if (content.length !== 10 + 32 * count || from + count > total)
        throw new ProtocolViolation(`LEAVES answer with ${count} hashes in ${content.length} bytes`);
      const hashes = Array.from({ length: count }, (_, i) => content.subarray(10 + 32 * i, 42 + 32 * i));
      return { kind: 'leaves', total, from, hashes };
    }
    case frameType.notFound:
      return { kind: 'not-found' };
    case frameType.busy: {
      const retryMs = view.getUint32(0);
      if (retryMs < BUSY_LEAST || retryMs > BUSY_MOST) throw new ProtocolViolation(`BUSY for ${retryMs} ms`);
      return { kind: 'busy', retryMs };
    }
    case frameType.error:
      return { kind: 'error', code: view.getUint16(0), text: printable(content.subarray(2)) };
    default:
      throw new ProtocolViolation(`frame 0x${type.toString(16)} is no answer`);
  }
}

function blobSize(size: bigint): number {
  if (size > BigInt(limits.file.bytes))
    throw new ProtocolViolation(`a blob of ${size} bytes: no file is that large`);
  return Number(size);
}

/** Controls, line ends, and what turns the direction of a text. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A text that we show to people comes from a stranger. */
export function printable(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replaceAll(UNPRINTABLE, ' ');
}

function clipUtf8(text: string, bytes: number): Uint8Array {
  const target = new Uint8Array(bytes);
  const { written } = new TextEncoder().encodeInto(text, target);
  return target.subarray(0, written);
}
