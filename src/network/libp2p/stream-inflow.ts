/**
 * What a peer sends on one stream, as it comes, and what of it waits for its reader. What must always hold: bytes that nobody
 * takes cost at most 8 MiB (ours up to the mark, libp2p's while paused); the stream's end and its break are told, whenever
 * they came; bytes that break the protocol end it.
 */
import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { ProtocolViolation } from '../blob-protocol/frames.ts';

export interface InflowSink {
  /** What came, in order; what of it a reader is to take is given to `keep`. May throw ProtocolViolation. */
  receive(bytes: Uint8Array): void;
  /** After all that came at once was received. */
  received?(): void;
  /** The peer sends no more. */
  ended(): void;
  /** The stream is closed or reset: nothing comes any more, in neither direction. */
  closed(): void;
  onViolation(violation: ProtocolViolation): void;
}

export interface StreamInflow {
  /** Once, at once: what came before is told too. */
  begin(sink: InflowSink): void;
  keep(bytes: Uint8Array): void;
  /** The next that was kept; waits for it until `over` (which may throw) is true: undefined then. */
  next(over: () => boolean): Promise<Uint8Array | undefined>;
  /** `over` may have changed. */
  nudge(): void;
  /** What is kept is not wanted any more. */
  drop(): void;
  /** Goes on receiving when nothing is kept. */
  goOn(): void;
  /** An answer is expected from now on; what is left of the last one is not wanted. */
  expect(): void;
  /** Cuts a peer that sends crumbs while we pause. To be called now and then. */
  check(): void;
  /** How long nothing came, ms; 0 while it is our reader who keeps the peer waiting. */
  silence(now: number): number;
  /** How long the reader has kept the peer waiting since `expect`, ms. */
  readonly pausedFor: number;
}

/** Smaller pieces than this are joined, to so much: each is an object. So are small parts of the Noise message they came in. */
const SMALL = 4096;
const JOINED = 64 * 1024;
/**
 * While we pause libp2p keeps what comes, each yamux frame an object: a window of single bytes would be a gigabyte. So many
 * of them, of fewer bytes each, are no way to send a file.
 */
const CRUMBS = 4096;
const CRUMB_BYTES = 128;

/** Of libp2p's stream, which shows only its length. */
interface Holding {
  readonly readBuffer?: Iterable<Uint8Array>;
}

export function createStreamInflow(clock: Clock, stream: Stream): StreamInflow {
  let queue: Uint8Array[] = [];
  let queued = 0;
  /** The memory that the last of the queue lies in, when that is a copy of small pieces. */
  let joining: Uint8Array | undefined;
  let wake: (() => void) | undefined;
  let paused = false;
  let resuming = false;
  let over = false;
  let violated: InflowSink['onViolation'] | undefined;
  let lastByteAt = clock.monotonic();
  let pausedAt = 0;
  let pausedFor = 0;

  const pauseIfFull = (): void => {
    // Inside `resume()` a pause is half undone (libp2p resumes the window after the listener ran): it is done afterwards.
    if (paused || resuming || queued < limits.blob.receiveHigh || stream.status !== 'open') return;
    paused = true;
    pausedAt = clock.monotonic();
    stream.pause();
  };
  /** Only when nothing is queued: libp2p then hands over all it held, and its window opens once more. */
  const resumeIfEmpty = (): void => {
    if (!paused || queued > 0 || stream.readStatus !== 'paused') return;
    paused = false;
    lastByteAt = clock.monotonic();
    pausedFor += lastByteAt - pausedAt;
    resuming = true;
    stream.resume();
    resuming = false;
    pauseIfFull();
  };
  const drop = (): void => {
    queue = [];
    queued = 0;
    joining = undefined;
  };
  const join = (bytes: Uint8Array): void => {
    const last = joining && queue.at(-1);
    const length = (last?.length ?? 0) + bytes.length;
    if (!joining || !last || length > JOINED) {
      joining = bytes.slice();
      queue.push(joining);
      return;
    }
    if (length > joining.length) {
      joining = new Uint8Array(Math.min(JOINED, 2 * length));
      joining.set(last);
    }
    joining.set(bytes, last.length);
    queue[queue.length - 1] = joining.subarray(0, length);
  };

  return {
    begin(sink) {
      violated = (violation) => sink.onViolation(violation);
      const ended = (): void => {
        if (over) return;
        over = true;
        sink.ended();
      };
      /** What comes together with the negotiation's last word is read by libp2p first, and `end` is said then, to nobody. */
      const endedUnheard = (): void => {
        if (stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0) ended();
      };
      stream.addEventListener('message', ({ data }) => {
        lastByteAt = clock.monotonic();
        try {
          for (const bytes of data instanceof Uint8Array ? [data] : data) sink.receive(bytes);
          if (queued > 0) wake?.();
          sink.received?.();
          pauseIfFull();
          endedUnheard();
        } catch (error) {
          if (!(error instanceof ProtocolViolation)) throw error;
          sink.onViolation(error);
        }
      });
      stream.addEventListener('end', ended);
      stream.addEventListener('close', () => {
        over = true;
        sink.closed();
      });
      endedUnheard();
    },
    keep(bytes) {
      queued += bytes.length;
      if (bytes.length < SMALL || 2 * bytes.length < bytes.buffer.byteLength) join(bytes);
      else {
        joining = undefined;
        queue.push(bytes);
      }
    },
    async next(isOver) {
      for (;;) {
        const first = queue.shift();
        if (first) {
          queued -= first.length;
          resumeIfEmpty();
          return first;
        }
        if (isOver()) return undefined;
        resumeIfEmpty();
        if (queued > 0) continue;
        const woken = Promise.withResolvers<void>();
        wake = woken.resolve;
        await woken.promise;
        wake = undefined;
      }
    },
    nudge: () => wake?.(),
    drop,
    goOn: resumeIfEmpty,
    expect() {
      drop();
      resumeIfEmpty();
      lastByteAt = clock.monotonic();
      pausedFor = 0;
    },
    check() {
      if (!paused) return;
      let pieces = 0;
      for (const piece of (stream as Holding).readBuffer ?? []) if (piece.length > 0) pieces++;
      if (pieces > CRUMBS && stream.readBufferLength < pieces * CRUMB_BYTES)
        violated?.(new ProtocolViolation(`${stream.readBufferLength} bytes came in ${pieces} pieces`));
    },
    silence: (now) => (paused ? 0 : now - lastByteAt),
    get pausedFor() {
      return pausedFor;
    },
  };
}
