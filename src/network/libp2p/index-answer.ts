/**
 * An answer on its way out: what the handler yields, packed into full frames, four a write. What must always hold: no more
 * than two buffers of it are in memory, however slow the reader; a small piece waits a moment for company, not for ever.
 */
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { StreamWriter } from './blob-writers.ts';
import { PIECE, type SendBuffer, type SendBuffers } from './send-buffers.ts';

export interface AnswerSink {
  readonly clock: Clock;
  readonly writer: StreamWriter;
  readonly buffers: SendBuffers;
  /** Bytes that the stream took. */
  onSent(bytes: number): void;
  /** The handler is waited for; no longer. */
  onWaiting(waiting: boolean): void;
}

/** Resolves when all that `source` yields is sent. Rejects when the stream closes, or with what the source throws. */
export async function sendAnswer(sink: AnswerSink, source: AsyncIterable<Uint8Array>): Promise<void> {
  const { clock, writer, buffers } = sink;
  let buffer: SendBuffer | undefined;
  let filled = 0;
  let sending: Promise<void> = Promise.resolve();
  let busy = false;
  let timer: Timer | undefined;

  const send = (): void => {
    timer?.cancel();
    timer = undefined;
    if (!buffer) return;
    const [out, length] = [buffer, filled];
    buffer = undefined;
    filled = 0;
    busy = true;
    sending = write(out, length);
    // Met where it is awaited.
    sending.catch(() => undefined);
  };
  const write = async (out: SendBuffer, length: number): Promise<void> => {
    await writer.bulk(out.frames(length, undefined), () => buffers.give(out));
    busy = false;
    sink.onSent(length);
  };
  const flush = (): void => {
    timer = busy ? clock.setTimer(flush, limits.indexChannel.flushAfter) : undefined;
    if (!busy) send();
  };
  try {
    sink.onWaiting(true);
    for await (const bytes of source) {
      sink.onWaiting(false);
      for (let at = 0; at < bytes.length;) {
        buffer ??= buffers.take();
        const part = bytes.subarray(at, at + PIECE - filled);
        buffer.content.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < PIECE) continue;
        await sending;
        send();
      }
      if (buffer) timer ??= clock.setTimer(flush, limits.indexChannel.flushAfter);
      sink.onWaiting(true);
    }
    sink.onWaiting(false);
    await sending;
    send();
    await sending;
  } finally {
    sink.onWaiting(false);
    timer?.cancel();
  }
}
