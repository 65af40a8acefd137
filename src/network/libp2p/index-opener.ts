/**
 * One stream that we opened to a peer: our request, and its answer as it comes. What must always hold: what the peer sends and
 * nobody takes costs at most 8 MiB (ours up to the mark, libp2p's while paused); an answer that stops, or grows beyond what was
 * asked for, is given up; every break of the protocol resets the stream.
 */
import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { PeerError, type PeerFailure } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { createFrameParser } from '../blob-protocol/frame-parser.ts';
import { ProtocolViolation } from '../blob-protocol/frames.ts';
import { checkAnswerHead, indexFrame, refusalOf } from './index-frames.ts';

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
  let queue: Uint8Array[] = [];
  let queued = 0;
  let received = 0;
  let whole = false;
  let failed: Error | undefined;
  let wake: (() => void) | undefined;
  let paused = false;
  let resuming = false;
  let lastByteAt = clock.monotonic();

  const end = (error: Error | undefined): void => {
    if (whole || failed) return;
    if (error) failed = error;
    else whole = true;
    wake?.();
  };
  const fail = (failure: PeerFailure, message: string): void => {
    if (whole || failed) return;
    end(new PeerError({ peerId, failure }, `${peerId} ${message}`));
    stream.abort(new Error(message));
  };
  const pauseIfFull = (): void => {
    // Inside `resume()` a pause is half undone (libp2p resumes the window after the listener ran): it is done afterwards.
    if (paused || resuming || queued < limits.blob.receiveHigh || stream.status !== 'open') return;
    paused = true;
    stream.pause();
  };
  const resumeIfEmpty = (): void => {
    if (!paused || queued > 0 || stream.readStatus !== 'paused') return;
    paused = false;
    lastByteAt = clock.monotonic();
    resuming = true;
    stream.resume();
    resuming = false;
    pauseIfFull();
  };
  /** What comes together with the negotiation's last word is read by libp2p first, and `end` is said then, to nobody. */
  const endedUnheard = (): void => {
    if (stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0) ended();
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
        queued += bytes.length;
        queue.push(bytes);
      },
      frame(type, content) {
        if (failed) return;
        end(type === indexFrame.end ? undefined : refusalOf(peerId, type, content));
        stream.close().catch(() => undefined);
      },
    },
  );
  stream.addEventListener('message', ({ data }) => {
    if (failed) return;
    lastByteAt = clock.monotonic();
    try {
      for (const bytes of data instanceof Uint8Array ? [data] : data) {
        // `push` stops after each frame that is not DATA.
        for (let at = 0; at < bytes.length && !failed;) at += parser.push(bytes.subarray(at));
      }
      if (queued > 0) wake?.();
      pauseIfFull();
      endedUnheard();
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      fail('protocol', `broke the protocol: ${error.message}`);
      stream.abort(error);
      deps.onViolation(error);
    }
  });
  const ended = (): void => fail('reset', 'ended the stream before its answer');
  stream.addEventListener('end', ended);
  stream.addEventListener('close', () => fail('reset', 'reset the stream'));
  endedUnheard();

  return {
    get received() {
      return received;
    },
    async next() {
      for (;;) {
        const first = queue.shift();
        if (first) {
          queued -= first.length;
          resumeIfEmpty();
          return first;
        }
        if (failed) throw failed;
        if (whole) return undefined;
        resumeIfEmpty();
        if (queued > 0) continue;
        const woken = Promise.withResolvers<void>();
        wake = woken.resolve;
        await woken.promise;
        wake = undefined;
      }
    },
    cancel(reason) {
      queue = [];
      queued = 0;
      end(reason);
      // Whole, it is being closed.
      if (!whole) stream.abort(reason);
    },
    check(now) {
      if (!paused && now - lastByteAt >= limits.indexChannel.answerIdle)
        fail('deadline', `sent nothing for ${limits.indexChannel.answerIdle} ms`);
    },
  };
}
