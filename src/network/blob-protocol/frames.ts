/**
 * The frame of `/fondue/blob/1.0.0`: u8 type, u24 n, then n bytes; big-endian. Every type has bounds for n that are checked
 * when the head is read, before memory is taken.
 */
import { limits } from '../../core/limits.ts';

export const BLOB_PROTOCOL = '/fondue/blob/1.0.0';
export const HEAD_BYTES = 4;
/** 2^64-1: "to the end" in a request, "none" in an answer. */
export const U64_MAX = 2n ** 64n - 1n;

export const frameType = {
  have: 0x01,
  get: 0x02,
  leaves: 0x03,
  haveAnswer: 0x81,
  ok: 0x82,
  data: 0x83,
  leavesAnswer: 0x84,
  notFound: 0x90,
  busy: 0x91,
  error: 0x92,
} as const;

/** The other side broke the protocol: the stream is reset, and it counts against the peer. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}

const { haveDigests, leavesCount, errorTextBytes, frameBytes } = limits.blob;

const requestBounds: Readonly<Record<number, readonly [number, number]>> = {
  [frameType.have]: [2 + 32, 2 + 32 * haveDigests],
  [frameType.get]: [53, 53],
  [frameType.leaves]: [38, 38],
};

const answerBounds: Readonly<Record<number, readonly [number, number]>> = {
  [frameType.haveAnswer]: [1 + 8, 1 + 8 * haveDigests],
  [frameType.ok]: [24, 24],
  [frameType.data]: [1, frameBytes],
  [frameType.leavesAnswer]: [10, 10 + 32 * leavesCount],
  [frameType.notFound]: [0, 0],
  [frameType.busy]: [4, 4],
  [frameType.error]: [2, 2 + errorTextBytes],
};

/** What may come in: requests at the acceptor, answers at the opener. */
export type Incoming = 'requests' | 'answers';

/** Whether a frame of this type and length is read, skipped (a request of a later version), or a violation (throws). */
export function checkHead(incoming: Incoming, type: number, length: number): 'read' | 'skip' {
  const name = `frame 0x${type.toString(16).padStart(2, '0')}`;
  const bounds = (incoming === 'requests' ? requestBounds : answerBounds)[type];
  if (bounds === undefined) {
    if (incoming === 'answers') throw new ProtocolViolation(`${name} is no answer`);
    if (length > frameBytes)
      throw new ProtocolViolation(`${name} of ${length} bytes: ${frameBytes} is the most`);
    return 'skip';
  }
  if (length < bounds[0] || length > bounds[1])
    throw new ProtocolViolation(`${name} of ${length} bytes: ${bounds[0]} to ${bounds[1]} are allowed`);
  return 'read';
}

/** A frame of its own, with room for `length` bytes of content and a view of them. */
export function allocateFrame(type: number, length: number): { frame: Uint8Array; content: DataView } {
  const frame = new Uint8Array(HEAD_BYTES + length);
  writeHead(frame, 0, type, length);
  return { frame, content: new DataView(frame.buffer, HEAD_BYTES) };
}

export function writeHead(target: Uint8Array, at: number, type: number, length: number): void {
  target[at] = type;
  target[at + 1] = length >>> 16;
  target[at + 2] = (length >>> 8) & 0xff;
  target[at + 3] = length & 0xff;
}
