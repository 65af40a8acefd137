/** The three requests: bytes to values and back. */
import { digestFromBytes, type Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import { U64_MAX, allocateFrame, frameType, ProtocolViolation } from './frames.ts';

export interface HaveRequest {
  readonly kind: 'have';
  readonly digests: readonly Digest[];
}

export interface GetRequest {
  readonly kind: 'get';
  readonly digest: Digest;
  /** May lie beyond any blob (a u64 above 2^53 is rounded): the answer is ERROR 3. */
  readonly offset: number;
  /** Undefined: to the end. */
  readonly length: number | undefined;
  /** From receipt to the first DATA; 0 is the default. */
  readonly deadlineMs: number;
  /** 0 user, 1 ahead, 2 repair. */
  readonly priority: 0 | 1 | 2;
}

export interface LeavesRequest {
  readonly kind: 'leaves';
  readonly digest: Digest;
  readonly from: number;
  readonly count: number;
}

/** A frame of the right length that makes no sense: ERROR 1, and the stream goes on. */
export interface MalformedRequest {
  readonly kind: 'malformed';
  readonly message: string;
}

export type BlobRequest = HaveRequest | GetRequest | LeavesRequest;

export function encodeRequest(request: BlobRequest): Uint8Array {
  if (request.kind === 'have') {
    const { frame, content } = allocateFrame(frameType.have, 2 + 32 * request.digests.length);
    content.setUint16(0, request.digests.length);
    for (const [i, digest] of request.digests.entries()) writeDigest(frame, 6 + 32 * i, digest);
    return frame;
  }
  if (request.kind === 'get') {
    const { frame, content } = allocateFrame(frameType.get, 53);
    writeDigest(frame, 4, request.digest);
    content.setBigUint64(32, BigInt(request.offset));
    content.setBigUint64(40, request.length === undefined ? U64_MAX : BigInt(request.length));
    content.setUint32(48, request.deadlineMs);
    content.setUint8(52, request.priority);
    return frame;
  }
  const { frame, content } = allocateFrame(frameType.leaves, 38);
  writeDigest(frame, 4, request.digest);
  content.setUint32(32, request.from);
  content.setUint16(36, request.count);
  return frame;
}

/** `content` has passed `checkHead` for this type. Throws ProtocolViolation when the length contradicts the content. */
export function decodeRequest(type: number, content: Uint8Array): BlobRequest | MalformedRequest {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  if (type === frameType.have) {
    const count = view.getUint16(0);
    if (count < 1 || count > limits.blob.haveDigests || content.length !== 2 + 32 * count)
      throw new ProtocolViolation(`HAVE for ${count} digests in ${content.length} bytes`);
    const digests: Digest[] = [];
    for (let i = 0; i < count; i++) digests.push(readDigest(content, 2 + 32 * i));
    return { kind: 'have', digests };
  }
  if (type === frameType.get) {
    const priority = view.getUint8(52);
    if (priority > 2) return { kind: 'malformed', message: `GET with priority ${priority}` };
    const length = view.getBigUint64(40);
    return {
      kind: 'get',
      digest: readDigest(content, 0),
      offset: Number(view.getBigUint64(32)),
      length: length === U64_MAX ? undefined : Number(length),
      deadlineMs: view.getUint32(48),
      priority: priority as 0 | 1 | 2,
    };
  }
  const count = view.getUint16(36);
  if (count < 1 || count > limits.blob.leavesCount)
    return { kind: 'malformed', message: `LEAVES for ${count} hashes: 1 to ${limits.blob.leavesCount}` };
  return { kind: 'leaves', digest: readDigest(content, 0), from: view.getUint32(32), count };
}

function writeDigest(target: Uint8Array, at: number, digest: Digest): void {
  Buffer.from(target.buffer, target.byteOffset).write(digest, at, 'hex');
}

function readDigest(content: Uint8Array, at: number): Digest {
  return digestFromBytes(content.subarray(at, at + 32));
}
