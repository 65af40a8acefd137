/**
 * The opener's side of a stream: which answers may come now. One request at a time; its whole answer; then the next.
 * What must always hold: after OK exactly the promised bytes of the promised blob come, in full frames, or an ERROR;
 * anything else throws ProtocolViolation, and the stream is reset.
 */
import { decodeAnswer, type BlobAnswer } from './answers.ts';
import { createFrameParser } from './frame-parser.ts';
import { ProtocolViolation } from './frames.ts';
import { limits } from '../../core/limits.ts';
import type { BlobRequest } from './requests.ts';

export interface ExchangeSink {
  /** Everything but DATA. After OK with a length above 0, `data` follows. */
  answer(answer: BlobAnswer): void;
  data(bytes: Uint8Array): void;
  /** The answer is whole (or ended by ERROR): the next request may be sent. */
  end(): void;
}

export interface OpenerExchange {
  /** A request is being sent. `knownSize`: what this peer said of the blob before; another size is a violation. */
  begin(request: BlobRequest, knownSize?: number): void;
  push(bytes: Uint8Array): void;
  /** No answer is outstanding. */
  readonly idle: boolean;
  /** Some byte of the current answer has come. */
  readonly answered: boolean;
  /** DATA bytes still to come. */
  readonly left: number;
}

export function createOpenerExchange(sink: ExchangeSink): OpenerExchange {
  let request: BlobRequest | undefined;
  let knownSize: number | undefined;
  let answered = false;
  let receiving = false;
  let left = 0;

  const end = (): void => {
    request = undefined;
    receiving = false;
    left = 0;
    sink.end();
  };
  const parser = createFrameParser('answers', {
    dataFrame(length) {
      if (!receiving) throw new ProtocolViolation('DATA where none was due');
      const due = Math.min(limits.blob.frameBytes, left);
      // Also what keeps a peer from sending a file in frames of one byte.
      if (length !== due) throw new ProtocolViolation(`DATA of ${length} bytes where ${due} were due`);
    },
    data(bytes) {
      left -= bytes.length;
      sink.data(bytes);
      if (left === 0) end();
    },
    frame(type, content) {
      if (!request) throw new ProtocolViolation('an answer where none was due');
      const answer = decodeAnswer(type, content);
      if (receiving && answer.kind !== 'error') throw new ProtocolViolation(`${answer.kind} between DATA`);
      checkFits(request, answer, knownSize);
      if (answer.kind === 'ok') {
        receiving = true;
        left = answer.length;
      }
      sink.answer(answer);
      if (answer.kind !== 'ok' || left === 0) end();
    },
  });
  return {
    begin(next, size) {
      if (request) throw new Error('a request before the last answer has ended');
      request = next;
      knownSize = size;
      answered = false;
    },
    push(bytes) {
      if (!request && bytes.length > 0) throw new ProtocolViolation('an answer where none was due');
      answered ||= bytes.length > 0;
      for (let at = 0; at < bytes.length;) {
        at += parser.push(at === 0 ? bytes : bytes.subarray(at));
      }
    },
    get idle() {
      return request === undefined;
    },
    get answered() {
      return answered;
    },
    get left() {
      return left;
    },
  };
}

function checkFits(request: BlobRequest, answer: BlobAnswer, knownSize: number | undefined): void {
  switch (answer.kind) {
    case 'have':
      if (request.kind !== 'have' || answer.sizes.length !== request.digests.length)
        throw new ProtocolViolation(`HAVE answer for ${answer.sizes.length} digests to another question`);
      return;
    case 'leaves':
      if (request.kind !== 'leaves' || answer.from !== request.from || answer.hashes.length > request.count)
        throw new ProtocolViolation('LEAVES answer to another question');
      if (knownSize !== undefined && answer.total !== Math.ceil(knownSize / limits.blob.leafChunk))
        throw new ProtocolViolation(`LEAVES answer with ${answer.total} chunks for ${knownSize} bytes`);
      return;
    case 'ok': {
      if (request.kind !== 'get') throw new ProtocolViolation('OK to what was not GET');
      if (knownSize !== undefined && answer.blobSize !== knownSize)
        throw new ProtocolViolation(`OK with ${answer.blobSize} bytes for a blob of ${knownSize}`);
      if (answer.offset !== request.offset) throw new ProtocolViolation('OK with another offset');
      const length = Math.min(request.length ?? Infinity, answer.blobSize - request.offset);
      if (answer.length !== length) throw new ProtocolViolation('OK with another length');
      return;
    }
    case 'not-found':
      if (request.kind === 'have') throw new ProtocolViolation('NOT_FOUND to HAVE');
      return;
    case 'busy':
    case 'error':
  }
}
