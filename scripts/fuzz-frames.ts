/**
 * What comes over a stream: frames of the blob protocol and of the index channel, in both directions. The first byte says in
 * how large pieces they come; the pieces must make no difference.
 */
import fc, { type Arbitrary } from 'fast-check';
import { PeerError } from '../src/core/errors.ts';
import { limits } from '../src/core/limits.ts';
import { decodeAnswer, encodeAnswer } from '../src/network/blob-protocol/answers.ts';
import {
  createFrameParser,
  type FrameSink,
  type HeadCheck,
} from '../src/network/blob-protocol/frame-parser.ts';
import {
  frameType,
  type Incoming,
  ProtocolViolation,
  writeHead,
} from '../src/network/blob-protocol/frames.ts';
import { decodeRequest, encodeRequest } from '../src/network/blob-protocol/requests.ts';
import {
  checkAnswerHead,
  checkRequestHead,
  encodeBusy,
  encodeEnd,
  encodeIndexError,
  encodeIndexRequest,
  indexFrame,
  refusalOf,
} from '../src/network/libp2p/index-frames.ts';
import { digests } from '../test/core/log/arbitraries.ts';
import type { Reading, Target } from './fuzz-case.ts';

function frame(type: number, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + content.length);
  writeHead(bytes, 0, type, content.length);
  bytes.set(content, 4);
  return bytes;
}

type Encode = (type: number, content: Uint8Array) => Uint8Array;

/** Every whole frame, encoded again; what is not whole yet, and what a later version says, as it came. */
function readStream(bytes: Uint8Array, check: Incoming | HeadCheck, encode: Encode): Reading {
  const size = 1 + (bytes[0] ?? 0);
  const again: Uint8Array[] = [bytes.subarray(0, 1)];
  let [done, ends] = [1, 1];
  let announced = 0;
  const add = (part: Uint8Array): void => {
    again.push(part);
    ends += part.length;
  };
  let unknown = false;
  const sink: FrameSink = {
    dataFrame(length) {
      if (announced !== 0) throw new Error('a DATA frame began within another');
      announced = length;
      add(frame(frameType.data, new Uint8Array(length)).subarray(0, 4));
    },
    data(piece) {
      announced -= piece.length;
      if (announced < 0) throw new Error('more DATA than its frame has');
      add(piece);
    },
    frame(type, content, known) {
      if (known) add(encode(type, content));
      else unknown = true;
    },
  };
  const parser = createFrameParser(check, sink);
  try {
    while (done < bytes.length) {
      const piece = bytes.subarray(done, Math.min(done + size, bytes.length));
      for (let at = 0; at < piece.length;) {
        const read = parser.push(piece.subarray(at));
        if (read <= 0) throw new Error('nothing was read');
        at += read;
        if (unknown) add(bytes.subarray(ends, done + at));
        unknown = false;
      }
      done += piece.length;
    }
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    throw new PeerError({ peerId: 'stranger', failure: 'protocol' }, error.message);
  }
  if (ends < bytes.length) {
    if (!parser.partial) throw new Error('bytes were lost');
    again.push(bytes.subarray(ends));
  }
  return { again: Buffer.concat(again) };
}

const u64 = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const u32 = fc.nat(2 ** 32 - 1);
const blobSize = fc.integer({ min: 0, max: limits.file.bytes });
const content = fc.uint8Array({ minLength: 1, maxLength: 300 });
const hashes = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 5 });

const blobRequests = fc.oneof(
  fc
    .array(digests, { minLength: 1, maxLength: 5 })
    .map((list) => encodeRequest({ kind: 'have', digests: list })),
  fc
    .record({
      kind: fc.constant('get' as const),
      digest: digests,
      offset: u64,
      length: fc.option(u64, { nil: undefined }),
      deadlineMs: u32,
      priority: fc.constantFrom(0 as const, 1 as const, 2 as const),
    })
    .map(encodeRequest),
  fc
    .record({
      kind: fc.constant('leaves' as const),
      digest: digests,
      from: u32,
      count: fc.integer({ min: 1, max: limits.blob.leavesCount }),
    })
    .map(encodeRequest),
  // Of a later version.
  content.map((bytes) => frame(0x44, bytes)),
);

const data = content.map((bytes) => frame(frameType.data, bytes));
const errorText = fc.string({ maxLength: 50 });
const blobAnswers = fc.oneof(
  data,
  fc.record({ load: fc.nat(255), sizes: fc.array(fc.option(blobSize, { nil: undefined }), { minLength: 1, maxLength: 5 }) }).map((have) => encodeAnswer({ kind: 'have', ...have })),
  fc.tuple(blobSize, blobSize).map((pair) => {
    const [length = 0, size = 0] = pair.toSorted((a, b) => a - b);
    return encodeAnswer({ kind: 'ok', blobSize: size, offset: size - length, length });
  }),
  fc.tuple(hashes, fc.nat(1000), fc.nat(1000)).map(([list, from, more]) => encodeAnswer({ kind: 'leaves', total: from + list.length + more, from, hashes: list })),
  fc.constant(encodeAnswer({ kind: 'not-found' })),
  fc.integer({ min: 100, max: 60_000 }).map((retryMs) => encodeAnswer({ kind: 'busy', retryMs })),
  fc.tuple(fc.nat(65_535), errorText).map(([code, text]) => encodeAnswer({ kind: 'error', code, text })),
); // prettier-ignore

const indexAnswers = fc.oneof(
  data,
  fc.integer({ min: 100, max: 60_000 }).map((retryMs) => encodeBusy(retryMs)),
  fc.tuple(fc.nat(65_535), errorText).map(([code, text]) => encodeIndexError(code, text)),
  fc.constant(encodeEnd()),
);

/** Numbers of eight bytes above 2^53 are rounded, texts made printable: the rest of a frame is what it says. */
const againRequest: Encode = (type, bytes) => {
  const request = decodeRequest(type, bytes);
  const isExact = request.kind !== 'get' || [request.offset, request.length ?? 0].every(Number.isSafeInteger);
  return request.kind === 'malformed' || !isExact ? frame(type, bytes) : encodeRequest(request);
};
const againAnswer: Encode = (type, bytes) => {
  const answer = decodeAnswer(type, bytes);
  return answer.kind === 'error' ? frame(type, bytes) : encodeAnswer(answer);
};
const againIndexAnswer: Encode = (type, bytes) => {
  if (type === indexFrame.end) return encodeEnd();
  const { retryAfter } = refusalOf('stranger', type, bytes);
  return type === indexFrame.busy ? encodeBusy(retryAfter ?? 0) : frame(type, bytes);
};

const streamOf = (frames: Arbitrary<Uint8Array>): Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.nat(255), fc.array(frames, { maxLength: 6 }))
    .map(([size, list]) => Buffer.concat([Buffer.of(size), ...list]));

function target(
  name: string,
  frames: Arbitrary<Uint8Array>,
  check: Incoming | HeadCheck,
  encode: Encode,
): Target {
  return {
    name,
    format: 'binary',
    refusals: [PeerError],
    valid: streamOf(frames),
    read: (bytes) => readStream(bytes, check, encode),
  };
}

export const frameTargets: readonly Target[] = [
  target('blob-requests', blobRequests, 'requests', againRequest),
  target('blob-answers', blobAnswers, 'answers', againAnswer),
  target('index-request-frame', content.map(encodeIndexRequest), checkRequestHead, (_type, bytes) => encodeIndexRequest(bytes)),
  target('index-answer-frames', indexAnswers, checkAnswerHead, againIndexAnswer),
]; // prettier-ignore
