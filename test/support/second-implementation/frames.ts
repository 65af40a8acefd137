/**
 * Frames of `/fondue/blob/1.0.0`, written from docs/protocol.md alone: imports nothing from `src/`, so that what the page
 * leaves out shows. Values have the shapes of `test/vectors/blob-protocol/frames.json`.
 */
export type RequestValue =
  | { kind: 'have'; digests: string[] }
  | {
      kind: 'get';
      digest: string;
      offset: number;
      /** Null: to the end. */
      length: number | null;
      deadlineMs: number;
      priority: number;
    }
  | { kind: 'leaves'; digest: string; from: number; count: number }
  /** ERROR 1. */
  | { kind: 'malformed' }
  /** ERROR 2. */
  | { kind: 'unknown' };

export type AnswerValue =
  | { kind: 'have'; load: number; sizes: (number | null)[] }
  | { kind: 'ok'; blobSize: number; offset: number; length: number }
  | { kind: 'data'; bytes: Buffer }
  | { kind: 'leaves'; total: number; from: number; hashes: string[] }
  | { kind: 'not-found' }
  | { kind: 'busy'; retryMs: number }
  | { kind: 'error'; code: number; text: string };

export class Violation extends Error {}

export const FULL_DATA = 65_503;
const NONE = 2n ** 64n - 1n;
const LARGEST_BLOB = 2n ** 34n;

export function frame(type: number, content: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt8(type);
  head.writeUIntBE(content.length, 1, 3);
  return Buffer.concat([head, content]);
}

const u = (bytes: number, value: number): Buffer => {
  const field = Buffer.alloc(bytes);
  if (bytes === 8) field.writeBigUInt64BE(BigInt(value));
  else field.writeUIntBE(value, 0, bytes);
  return field;
};
const u64OrNone = (value: number | null): Buffer => {
  if (value !== null) return u(8, value);
  const field = Buffer.alloc(8);
  field.writeBigUInt64BE(NONE);
  return field;
};
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

export function encodeRequest(request: RequestValue): Buffer {
  switch (request.kind) {
    case 'have':
      return frame(0x01, Buffer.concat([u(2, request.digests.length), ...request.digests.map(hex)]));
    case 'get': {
      const { digest, offset, length, deadlineMs, priority } = request;
      return frame(
        0x02,
        Buffer.concat([hex(digest), u(8, offset), u64OrNone(length), u(4, deadlineMs), u(1, priority)]),
      );
    }
    case 'leaves':
      return frame(0x03, Buffer.concat([hex(request.digest), u(4, request.from), u(2, request.count)]));
    default:
      throw new Error(`${request.kind} is nothing to send`);
  }
}

export function encodeAnswer(answer: AnswerValue): Buffer {
  switch (answer.kind) {
    case 'have':
      return frame(0x81, Buffer.concat([u(1, answer.load), ...answer.sizes.map(u64OrNone)]));
    case 'ok':
      return frame(0x82, Buffer.concat([u(8, answer.blobSize), u(8, answer.offset), u(8, answer.length)]));
    case 'data':
      return frame(0x83, answer.bytes);
    case 'leaves': {
      const { total, from, hashes } = answer;
      return frame(0x84, Buffer.concat([u(4, total), u(4, from), u(2, hashes.length), ...hashes.map(hex)]));
    }
    case 'not-found':
      return frame(0x90, Buffer.alloc(0));
    case 'busy':
      return frame(0x91, u(4, answer.retryMs));
    case 'error':
      return frame(0x92, Buffer.concat([u(2, answer.code), Buffer.from(answer.text)]));
  }
}

/** Least and most of n for each type. */
const requestLengths = new Map([
  [0x01, [2 + 32, 2 + 32 * 256]],
  [0x02, [53, 53]],
  [0x03, [38, 38]],
]);
const answerLengths = new Map([
  [0x81, [1 + 8, 1 + 8 * 256]],
  [0x82, [24, 24]],
  [0x83, [1, FULL_DATA]],
  [0x84, [10, 10 + 32 * 512]],
  [0x90, [0, 0]],
  [0x91, [4, 4]],
  [0x92, [2, 202]],
]);

interface Frame {
  readonly type: number;
  readonly content: Buffer;
  readonly rest: Buffer;
}

/** The first frame of what has come; undefined while it is not whole. @throws Violation at its head already */
function readFrame(bytes: Buffer, side: 'requests' | 'answers'): Frame | undefined {
  if (bytes.length < 4) return undefined;
  const type = bytes.readUInt8(0);
  const length = bytes.readUIntBE(1, 3);
  const [least = 0, most = FULL_DATA] =
    (side === 'requests' ? requestLengths : answerLengths).get(type) ?? [];
  if (side === 'answers' && !answerLengths.has(type)) throw new Violation(`type ${type} is no answer`);
  if (length < least || length > most) throw new Violation(`n = ${length} for type ${type}`);
  if (bytes.length < 4 + length) return undefined;
  return { type, content: bytes.subarray(4, 4 + length), rest: bytes.subarray(4 + length) };
}

const digests = (bytes: Buffer): string[] =>
  Array.from({ length: bytes.length / 32 }, (_, i) => bytes.toString('hex', 32 * i, 32 * i + 32));

export function readRequest(bytes: Buffer): { value: RequestValue; rest: Buffer } | undefined {
  const found = readFrame(bytes, 'requests');
  return found && { value: requestOf(found), rest: found.rest };
}

function requestOf({ type, content }: Frame): RequestValue {
  switch (type) {
    case 0x01: {
      const count = content.readUInt16BE(0);
      if (count < 1 || count > 256 || content.length !== 2 + 32 * count)
        throw new Violation(`HAVE for ${count}`);
      return { kind: 'have', digests: digests(content.subarray(2)) };
    }
    case 0x02: {
      const length = content.readBigUInt64BE(40);
      const priority = content.readUInt8(52);
      if (priority > 2) return { kind: 'malformed' };
      return {
        kind: 'get',
        digest: content.toString('hex', 0, 32),
        offset: Number(content.readBigUInt64BE(32)),
        length: length === NONE ? null : Number(length),
        deadlineMs: content.readUInt32BE(48),
        priority,
      };
    }
    case 0x03: {
      const count = content.readUInt16BE(36);
      if (count < 1 || count > 512) return { kind: 'malformed' };
      return {
        kind: 'leaves',
        digest: content.toString('hex', 0, 32),
        from: content.readUInt32BE(32),
        count,
      };
    }
    default:
      return { kind: 'unknown' };
  }
}

export function readAnswer(bytes: Buffer): { value: AnswerValue; rest: Buffer } | undefined {
  const found = readFrame(bytes, 'answers');
  return found && { value: answerOf(found), rest: found.rest };
}

function answerOf({ type, content }: Frame): AnswerValue {
  switch (type) {
    case 0x81: {
      if (content.length % 8 !== 1) throw new Violation('half a size');
      const sizes: (number | null)[] = [];
      for (let at = 1; at < content.length; at += 8) {
        const size = content.readBigUInt64BE(at);
        if (size !== NONE && size > LARGEST_BLOB) throw new Violation(`a blob of ${size} bytes`);
        sizes.push(size === NONE ? null : Number(size));
      }
      return { kind: 'have', load: content.readUInt8(0), sizes };
    }
    case 0x82: {
      const [blobSize, offset, length] = [0, 8, 16].map((at) => content.readBigUInt64BE(at)) as [
        bigint,
        bigint,
        bigint,
      ];
      if (blobSize > LARGEST_BLOB || offset + length > blobSize) throw new Violation('OK beyond the blob');
      return { kind: 'ok', blobSize: Number(blobSize), offset: Number(offset), length: Number(length) };
    }
    case 0x83:
      return { kind: 'data', bytes: content };
    case 0x84: {
      const [total, from, count] = [
        content.readUInt32BE(0),
        content.readUInt32BE(4),
        content.readUInt16BE(8),
      ];
      if (content.length !== 10 + 32 * count || from + count > total)
        throw new Violation(`LEAVES of ${count}`);
      return { kind: 'leaves', total, from, hashes: digests(content.subarray(10)) };
    }
    case 0x90:
      return { kind: 'not-found' };
    case 0x91: {
      const retryMs = content.readUInt32BE(0);
      if (retryMs < 100 || retryMs > 60_000) throw new Violation(`BUSY for ${retryMs} ms`);
      return { kind: 'busy', retryMs };
    }
    default:
      return { kind: 'error', code: content.readUInt16BE(0), text: content.toString('utf8', 2) };
  }
}
