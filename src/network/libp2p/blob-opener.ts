/**
 * One stream that we opened to a peer: one request, its whole answer, the next. What must always hold: what the peer sends
 * and nobody takes costs at most 8 MiB (ours up to the mark, libp2p's while paused); an answer that stops is given up; every
 * break of the protocol resets the stream.
 */
import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { PeerError, type PeerFailure } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { BlobAnswer } from '../blob-protocol/answers.ts';
import { peerErrorOf } from './blob-refusal.ts';
import { ProtocolViolation } from '../blob-protocol/frames.ts';
import { createOpenerExchange } from '../blob-protocol/opener-exchange.ts';
import { encodeRequest, type BlobRequest } from '../blob-protocol/requests.ts';

export interface OpenerDeps {
  readonly clock: Clock;
  readonly peerId: string;
  onViolation(violation: ProtocolViolation): void;
  onReceived(bytes: number): void;
}

/** What comes after OK. */
export interface Incoming {
  /** The next bytes; undefined after the last and after `cancel`. Throws PeerError. */
  next(): Promise<Uint8Array | undefined>;
  /** Reads the rest out when it is small, resets the stream otherwise. */
  cancel(): void;
}

export interface Opener {
  /** Another request may be sent. */
  readonly usable: boolean;
  /** Closed or broken: never usable again. */
  readonly gone: boolean;
  /** The first answer; after OK the bytes come through `incoming`. Throws PeerError, or the signal's reason (and resets). */
  ask(
    request: BlobRequest,
    options: {
      readonly knownSize?: number | undefined;
      readonly signal?: AbortSignal | undefined;
      /** The answer is whole, with the ms that it took while we took its bytes as they came. */
      readonly onEnd?: (facts: { readonly bytes: number; readonly ms: number }) => void;
    },
  ): Promise<BlobAnswer>;
  readonly incoming: Incoming;
  /** Gives up an answer that brings nothing for `idle` ms. */
  check(now: number, idle: number): void;
  onFree(listener: () => void): void;
  abort(reason: Error): void;
}

/** Thrown when the stream broke before any byte of an answer: worth one more try on a new stream. */
export class UnansweredError extends PeerError {}

export function createOpener(deps: OpenerDeps, stream: Stream): Opener {
  const { clock, peerId } = deps;
  let asked: PromiseWithResolvers<BlobAnswer> | undefined;
  let onEnd: ((facts: { bytes: number; ms: number }) => void) | undefined;
  let free: (() => void) | undefined;
  let broken: PeerError | undefined;
  /** The peer ended its answer before the last byte. */
  let refusal: PeerError | undefined;
  /** Bytes of the present (or the last) answer that were not taken. */
  let queue: Uint8Array[] = [];
  let queued = 0;
  let wake: (() => void) | undefined;
  let discarding = false;
  let paused = false;
  let resuming = false;
  let received = 0;
  let lastByteAt = 0;
  let begunAt = 0;
  let pausedAt = 0;
  let pausedFor = 0;

  const exchange = createOpenerExchange({
    answer(answer) {
      begunAt = clock.monotonic();
      if (!asked) refusal = peerErrorOf(peerId, answer);
      asked?.resolve(answer);
      asked = undefined;
    },
    data(bytes) {
      received += bytes.length;
      deps.onReceived(bytes.length);
      if (discarding) return;
      queue.push(bytes);
      queued += bytes.length;
    },
    end() {
      onEnd?.({ bytes: received, ms: clock.monotonic() - begunAt - pausedFor });
      onEnd = undefined;
    },
  });

  const fail = (failure: PeerFailure, message: string): void => {
    if (broken) return;
    const unanswered = failure === 'reset' && !exchange.answered;
    broken = new (unanswered ? UnansweredError : PeerError)({ peerId, failure }, `${peerId} ${message}`);
    asked?.reject(broken);
    asked = undefined;
    queue = [];
    wake?.();
  };
  const abort = (reason: Error): void => {
    fail('reset', reason.message);
    stream.abort(reason);
  };
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
    const now = clock.monotonic();
    pausedFor += now - pausedAt;
    lastByteAt = now;
    resuming = true;
    stream.resume();
    resuming = false;
    pauseIfFull();
  };

  stream.addEventListener('message', ({ data }) => {
    if (broken) return;
    lastByteAt = clock.monotonic();
    try {
      const busy = !exchange.idle;
      for (const bytes of data instanceof Uint8Array ? [data] : data) exchange.push(bytes);
      if (queued > 0 || exchange.idle) wake?.();
      pauseIfFull();
      if (busy && exchange.idle) free?.();
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      fail('protocol', `broke the protocol: ${error.message}`);
      stream.abort(error);
      deps.onViolation(error);
    }
  });
  stream.addEventListener('end', () => {
    fail('reset', 'ended the stream');
    stream.close().catch(() => undefined);
  });
  stream.addEventListener('close', () => {
    fail('reset', 'reset the stream');
    free?.();
  });

  const incoming: Incoming = {
    async next() {
      for (;;) {
        const first = queue.shift();
        if (first) {
          queued -= first.length;
          resumeIfEmpty();
          return first;
        }
        if (refusal) throw refusal;
        if (exchange.idle || discarding) return undefined;
        if (broken) throw broken;
        resumeIfEmpty();
        if (queued > 0) continue;
        const woken = Promise.withResolvers<void>();
        wake = woken.resolve;
        await woken.promise;
        wake = undefined;
      }
    },
    cancel() {
      queue = [];
      queued = 0;
      if (exchange.idle || broken) return;
      discarding = true;
      wake?.();
      if (exchange.left <= limits.blob.readOut) resumeIfEmpty();
      else abort(new Error('was cancelled'));
    },
  };
  const gone = (): boolean =>
    broken !== undefined || stream.status !== 'open' || stream.writeStatus !== 'writable';
  return {
    get usable() {
      return !gone() && exchange.idle;
    },
    get gone() {
      return gone();
    },
    ask(request, options) {
      const first = Promise.withResolvers<BlobAnswer>();
      if (broken) return Promise.reject(new UnansweredError({ peerId, failure: 'reset' }, broken.message));
      const { signal } = options;
      if (signal?.aborted) return Promise.reject(signal.reason as Error);
      asked = first;
      onEnd = options.onEnd;
      queue = [];
      queued = 0;
      received = 0;
      pausedFor = 0;
      discarding = false;
      refusal = undefined;
      lastByteAt = clock.monotonic();
      const onAbort = (): void => {
        first.reject(signal?.reason as Error);
        abort(new Error('was cancelled'));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        exchange.begin(request, options.knownSize);
        stream.send(encodeRequest(request));
      } catch (error) {
        abort(error as Error);
      }
      return first.promise.finally(() => signal?.removeEventListener('abort', onAbort));
    },
    incoming,
    check(now, idle) {
      if (exchange.idle || broken || paused || now - lastByteAt < idle) return;
      fail('deadline', `sent nothing for ${idle} ms`);
      stream.abort(new Error('no answer in time'));
    },
    onFree: (listener) => void (free = listener),
    abort,
  };
}
