/**
 * Bytes out on one connection: small answers first, then the bulk streams round robin, 64 KiB a turn. What must always hold:
 * nothing is handed to a stream that waits for `drain` or still has unsent bytes, so libp2p holds at most one turn of each
 * stream, however slow its reader is; memory is called reusable only when libp2p has let go of it.
 */
import type { Stream } from '@libp2p/interface';
import { limits } from '../../core/limits.ts';
import { HEAD_BYTES } from '../blob-protocol/frames.ts';
import type { UploadGate } from './blob-upload-gate.ts';

export interface StreamWriter {
  /** A small answer: before any bulk of the connection. */
  urgent(frame: Uint8Array): Promise<void>;
  /** Resolves when the stream has taken all of it; rejects when it closed. `reusable` is called when nobody holds it any more, or never. */
  bulk(bytes: Uint8Array, reusable: () => void): Promise<void>;
  /** Bytes that the connection took of what was to be sent, and whether it refuses to take what waits. */
  readonly taken: number;
  readonly blocked: boolean;
}

export interface ConnectionWriters {
  writer(stream: Stream): StreamWriter;
}

interface Pending {
  readonly bytes: Uint8Array;
  readonly urgent: boolean;
  readonly reusable: (() => void) | undefined;
  sent: number;
  resolve(): void;
  reject(error: Error): void;
}

interface Writer {
  readonly stream: Stream;
  readonly pending: Pending[];
  /** Sent, and perhaps still held by libp2p. */
  held: (() => void)[];
  sent: number;
}

const TURN = HEAD_BYTES + limits.blob.frameBytes;
/** Of a stream that never lets go in time; the rest is left to the garbage collector. */
const HELD_AT_MOST = 4;

export function createConnectionWriters(gate: UploadGate | undefined): ConnectionWriters {
  /** Round robin: who was served goes to the end. */
  let queue: Writer[] = [];
  let scheduled = false;

  const next = (): Writer | undefined => {
    const ready = queue.filter(writable);
    const urgent = ready.find((writer) => writer.pending[0]?.urgent);
    if (urgent || ready.length === 0) return urgent;
    return gate === undefined || gate.open(schedule) ? ready[0] : undefined;
  };
  const send = (writer: Writer): void => {
    const { stream, pending } = writer;
    const first = pending[0] as Pending;
    // Alone on the connection: all of it at once, which costs less (one yamux frame, full Noise messages). Not under a limit:
    // others would wait for its debt until they take us for stalled (2 x 2 MB at 200 kB/s: 43 s instead of 20).
    const end =
      queue.length === 0 && gate === undefined
        ? first.bytes.length
        : Math.min(first.bytes.length, first.sent + TURN);
    const turn = first.bytes.subarray(first.sent, end);
    first.sent = end;
    writer.sent += turn.length;
    if (!first.urgent) gate?.spent(turn.length);
    stream.send(turn);
    if (first.sent < first.bytes.length) return;
    pending.shift();
    if (first.reusable) writer.held.push(first.reusable);
    // libp2p's queues are in order: a send that went straight through (encrypted, which copies) has pushed out all before it.
    if (writable(writer)) for (const reusable of writer.held.splice(0)) reusable();
    else if (writer.held.length > HELD_AT_MOST) writer.held.shift();
    first.resolve();
  };
  const run = (): void => {
    scheduled = false;
    for (let writer = next(); writer; writer = next()) {
      const current = writer;
      queue = queue.filter((other) => other !== current);
      try {
        send(current);
        if (current.pending.length > 0) queue.push(current);
      } catch (error) {
        fail(current, error as Error);
      }
    }
  };
  /**
   * After every other stream of the connection has seen the same `drain`: yamux wakes them in the order of their creation,
   * and whoever writes in that event fills the pipe again before the others (measured: a HAVE waited 769 ms).
   */
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => queueMicrotask(run));
  };
  const fail = (writer: Writer, error: Error): void => {
    queue = queue.filter((other) => other !== writer);
    writer.held = [];
    for (const pending of writer.pending.splice(0)) pending.reject(error);
  };

  return {
    writer(stream) {
      const writer: Writer = { stream, pending: [], held: [], sent: 0 };
      // Not `onDrain()`: once it has drained it resolves at once for ever, and a slow reader cost 267 MB.
      stream.addEventListener('drain', schedule);
      stream.addEventListener('close', () => fail(writer, new Error('the stream was closed')));
      const push = (bytes: Uint8Array, reusable: (() => void) | undefined): Promise<void> =>
        new Promise((resolve, reject) => {
          if (stream.writeStatus !== 'writable') {
            reject(new Error('the stream is closed'));
            return;
          }
          writer.pending.push({ bytes, urgent: reusable === undefined, reusable, sent: 0, resolve, reject });
          if (writer.pending.length === 1) queue.push(writer);
          schedule();
        });
      return {
        urgent: (frame) => push(frame, undefined),
        bulk: (bytes, reusable) => push(bytes, reusable),
        get taken() {
          return writer.sent - stream.writeBufferLength;
        },
        get blocked() {
          return (writer.pending.length > 0 || stream.writeBufferLength > 0) && !writable(writer);
        },
      };
    },
  };
}

/** Also right after a send: whether it went straight through. */
function writable({ stream }: Writer): boolean {
  return stream.writeStatus === 'writable' && !stream.writableNeedsDrain && stream.writeBufferLength === 0;
}
