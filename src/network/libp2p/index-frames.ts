/**
 * The frames of `/fondue/index/1.0.0`: heads as in the blob protocol (u8 type, u24 n, then n bytes; big-endian), one request a
 * stream, and its answer:
 *
 *   01 REQUEST  1..65,536 bytes                       83 DATA   1..65,503 bytes, any number of them
 *   91 BUSY     u32 retryMs 100..60,000               92 ERROR  u16 code, text <= 200 B; may come after DATA
 *   93 END      empty: the answer is whole
 */
import { PeerError, type PeerFailure } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { printable } from '../blob-protocol/answers.ts';
import type { HeadCheck } from '../blob-protocol/frame-parser.ts';
import { allocateFrame, frameType, HEAD_BYTES, ProtocolViolation } from '../blob-protocol/frames.ts';

export const INDEX_PROTOCOL = '/fondue/index/1.0.0';

export const indexFrame = {
  request: 0x01,
  data: frameType.data,
  busy: 0x91,
  error: 0x92,
  end: 0x93,
} as const;
export const indexError = { unreadable: 4, closing: 5, deadline: 6 } as const;

const { requestBytes, errorTextBytes } = limits.indexChannel;
const RETRY_MIN = 100;
const RETRY_MAX = 60_000;

const bounds: Readonly<Record<number, readonly [number, number]>> = {
  [indexFrame.data]: [1, limits.blob.frameBytes],
  [indexFrame.busy]: [4, 4],
  [indexFrame.error]: [2, 2 + errorTextBytes],
  [indexFrame.end]: [0, 0],
};

export const checkAnswerHead: HeadCheck = (type, length) => check(type, length, bounds[type]);

export const checkRequestHead: HeadCheck = (type, length) =>
  check(type, length, type === indexFrame.request ? [1, requestBytes] : undefined);

function check(type: number, length: number, range: readonly [number, number] | undefined): 'read' {
  const name = `frame 0x${type.toString(16).padStart(2, '0')}`;
  if (!range) throw new ProtocolViolation(`${name} is not due`);
  if (length < range[0] || length > range[1])
    throw new ProtocolViolation(`${name} of ${length} bytes: ${range[0]} to ${range[1]} are allowed`);
  return 'read';
}

export function encodeIndexRequest(request: Uint8Array): Uint8Array {
  const { frame } = allocateFrame(indexFrame.request, request.length);
  frame.set(request, HEAD_BYTES);
  return frame;
}

export function encodeEnd(): Uint8Array {
  return allocateFrame(indexFrame.end, 0).frame;
}

export function encodeBusy(retryMs: number): Uint8Array {
  const { frame, content } = allocateFrame(indexFrame.busy, 4);
  content.setUint32(0, retryMs);
  return frame;
}

export function encodeIndexError(code: number, text: string): Uint8Array {
  const bytes = Buffer.from(text).subarray(0, errorTextBytes);
  const { frame, content } = allocateFrame(indexFrame.error, 2 + bytes.length);
  content.setUint16(0, code);
  frame.set(bytes, HEAD_BYTES + 2);
  return frame;
}

/** BUSY or ERROR as it is thrown. Throws ProtocolViolation. */
export function refusalOf(peerId: string, type: number, content: Uint8Array): PeerError {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  if (type === indexFrame.busy) {
    const retryAfter = view.getUint32(0);
    if (retryAfter < RETRY_MIN || retryAfter > RETRY_MAX)
      throw new ProtocolViolation(`BUSY for ${retryAfter} ms: ${RETRY_MIN} to ${RETRY_MAX} are allowed`);
    return new PeerError({ peerId, failure: 'busy', retryAfter }, `${peerId} is busy`);
  }
  const code = view.getUint16(0);
  const text = printable(content.subarray(2));
  return new PeerError({ peerId, failure: failureOf(code) }, `${peerId} says error ${code}: ${text}`);
}

function failureOf(code: number): PeerFailure {
  if (code === indexError.deadline) return 'deadline';
  return code === indexError.closing ? 'unreachable' : 'unreadable';
}
