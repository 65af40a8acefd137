/**
 * One stream that a peer opened to us: one request, its answer, the end. What must always hold: a request is whole within its
 * time or the stream is gone; a peer that goes away or does not read frees the handler and its place; what breaks the protocol
 * is cut off.
 */
import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { createFrameParser } from '../blob-protocol/frame-parser.ts';
import { ProtocolViolation } from '../blob-protocol/frames.ts';
import type { StreamWriter } from './blob-writers.ts';
import type { Budget } from './byte-budget.ts';
import { sendAnswer } from './index-answer.ts';
import { checkRequestHead, encodeBusy, encodeEnd, encodeIndexError, indexError } from './index-frames.ts';
import type { SendBuffers } from './send-buffers.ts';

export interface IndexAcceptorDeps {
  readonly clock: Clock;
  readonly writer: StreamWriter;
  readonly buffers: SendBuffers;
  /** Memory for requests that are being received. */
  readonly budget: Pick<Budget, 'take' | 'give'>;
  /** A place to answer in, and who answers; undefined: BUSY. */
  enter():
    | { answer(request: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>; leave(): void }
    | undefined;
  onViolation(violation: ProtocolViolation): void;
  onSent(bytes: number): void;
  /** The handler threw. */
  onFailed(error: unknown): void;
  onClose(): void;
}

export interface IndexAcceptor {
  /** Looks at the limits on time. */
  check(now: number): void;
  close(reason: string): void;
}

export function acceptIndexStream(deps: IndexAcceptorDeps, stream: Stream): IndexAcceptor {
  const { clock, writer, budget } = deps;
  const closed = new AbortController();
  const openedAt = clock.monotonic();
  let held = 0;
  let requested = false;
  let over: number | undefined;
  let waitingSince: number | undefined;
  let progress = { taken: 0, at: openedAt };

  const cut = (reason: string): void => stream.abort(new Error(reason));
  const give = (): void => {
    budget.give(held);
    held = 0;
  };
  /** The last frame, and the end of the stream. */
  const finish = async (frame: Uint8Array): Promise<void> => {
    if (over !== undefined) return;
    over = clock.monotonic();
    await writer.urgent(frame);
    await stream.close();
  };
  const answer = async (request: Uint8Array): Promise<void> => {
    const place = deps.enter();
    if (!place) return finish(encodeBusy(limits.indexChannel.busyRetry));
    try {
      const sink = {
        clock,
        writer,
        buffers: deps.buffers,
        onSent: (bytes: number) => deps.onSent(bytes),
        onWaiting: (waiting: boolean) => void (waitingSince = waiting ? clock.monotonic() : undefined),
      };
      await sendAnswer(sink, place.answer(request, closed.signal));
    } catch (error) {
      if (closed.signal.aborted) return;
      deps.onFailed(error);
      return await finish(encodeIndexError(indexError.unreadable, 'it could not be answered'));
    } finally {
      place.leave();
    }
    await finish(encodeEnd());
  };
  const parser = createFrameParser(
    (type, length) => {
      if (requested) throw new ProtocolViolation('bytes after the request');
      const verdict = checkRequestHead(type, length);
      if (!budget.take(length)) throw new NoRoomError('too many requests are being received');
      held = length;
      return verdict;
    },
    {
      dataFrame: neverData,
      data: neverData,
      frame(_type, content) {
        requested = true;
        give();
        answer(content).catch((error: unknown) => cut(String(error)));
      },
    },
  );

  stream.addEventListener('message', ({ data }) => {
    try {
      for (const bytes of data instanceof Uint8Array ? [data] : data) {
        // `push` stops after each frame.
        for (let at = 0; at < bytes.length;) at += parser.push(bytes.subarray(at));
      }
      // With the end of the negotiation `end` may have been said before we listened.
      if (stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0) ended();
    } catch (error) {
      if (error instanceof ProtocolViolation) deps.onViolation(error);
      cut((error as Error).message);
    }
  });
  // Half-closed after its request is right; before, it never comes.
  const ended = (): void => {
    if (!requested) cut('the stream ended before its request');
  };
  stream.addEventListener('end', ended);
  stream.addEventListener('close', () => {
    give();
    closed.abort(new Error('the stream was closed'));
    deps.onClose();
  });

  return {
    check(now) {
      const { requestTime, slowReaderBytes, slowReaderTime, handlerIdle } = limits.indexChannel;
      if (!writer.blocked || writer.taken - progress.taken >= slowReaderBytes)
        progress = { taken: writer.taken, at: now };
      if (now - progress.at >= slowReaderTime) cut('the reader is too slow');
      else if (!requested && now - openedAt >= requestTime) cut('the request was not whole in time');
      else if (over !== undefined && !writer.blocked && now - over >= requestTime + slowReaderTime)
        cut('not closed in time');
      else if (over === undefined && waitingSince !== undefined && now - waitingSince >= handlerIdle) {
        closed.abort(new Error('the answer took too long'));
        finish(encodeIndexError(indexError.deadline, 'the answer took too long')).catch(() => undefined);
      }
    },
    close: cut,
  };
}

/** Says nothing of this peer. */
class NoRoomError extends Error {}

function neverData(): void {
  throw new ProtocolViolation('DATA from the opener');
}
