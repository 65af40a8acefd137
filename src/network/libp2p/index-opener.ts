/**
 * One stream that we opened to a peer: our request, and its answer as it comes. What must always hold: what the peer sends and
 * nobody takes is bounded (`stream-inflow.ts`); an answer that stops, or grows beyond what was asked for, is given up; every
 * break of the protocol resets the stream.
 */
import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { PeerError, type PeerFailure } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { createFrameParser } from '../blob-protocol/frame-parser.ts';
import { ProtocolViolation } from '../blob-protocol/frames.ts';
import { checkAnswerHead, indexFrame, refusalOf } from './index-frames.ts';
import { createStreamInflow } from './stream-inflow.ts';

export interface IndexAnswer {
  /** The next bytes; undefined when the answer is whole. Throws PeerError, or what it was cancelled with. */
  next(): Promise<Uint8Array | undefined>;
  /** Nobody reads any further: resets the stream unless the answer is whole. */
  cancel(reason: Error): void;
  /** Gives up an answer that brings nothing. */
  check(now: number): void;
  readonly received: number;
}

export function receiveIndexAnswer(
  deps: {
    readonly clock: Clock;
    readonly peerId: string;
    /** Bytes at most. */
    readonly limit: number;
    onViolation(violation: ProtocolViolation): void;
  },
  stream: Stream,
): IndexAnswer {
  const { clock, peerId, limit } = deps;
  const inflow = createStreamInflow(clock, stream);
  let received = 0;
  let whole = false;
  let failed: Error | undefined;

  const end = (error: Error | undefined): void => {
    if (whole || failed) return;
    if (error) failed = error;
    else whole = true;
    inflow.nudge();
  };
  const fail = (failure: PeerFailure, message: string): void => {
    if (whole || failed) return;
    end(new PeerError({ peerId, failure }, `${peerId} ${message}`));
    stream.abort(new Error(message));
  };
  const parser = createFrameParser(
    (type, length) => {
      if (whole || failed) throw new ProtocolViolation('bytes after the answer');
      return checkAnswerHead(type, length);
    },
    {
      dataFrame(length) {
        if (received + length > limit) fail('protocol', `sent more than ${limit} bytes`);
      },
      data(bytes) {
        if (failed) return;
        received += bytes.length;
        inflow.keep(bytes);
      },
      frame(type, content) {
        if (failed) return;
        end(type === indexFrame.end ? undefined : refusalOf(peerId, type, content));
        stream.close().catch(() => undefined);
      },
    },
  );
  inflow.begin({
    receive(bytes) {
      // `push` stops after each frame that is not DATA.
      for (let at = 0; at < bytes.length && !failed;) at += parser.push(bytes.subarray(at));
    },
    ended: () => fail('reset', 'ended the stream before its answer'),
    closed: () => fail('reset', 'reset the stream'),
    onViolation(violation) {
      fail('protocol', `broke the protocol: ${violation.message}`);
      stream.abort(violation);
      deps.onViolation(violation);
    },
  });

  return {
    get received() {
      return received;
    },
    next: () =>
      inflow.next(() => {
        if (failed) throw failed;
        return whole;
      }),
    cancel(reason) {
      inflow.drop();
      end(reason);
      // Whole, it is being closed.
      if (!whole) stream.abort(reason);
    },
    check(now) {
      inflow.check();
      if (inflow.silence(now) >= limits.indexChannel.answerIdle)
        fail('deadline', `sent nothing for ${limits.indexChannel.answerIdle} ms`);
    },
  };
}
