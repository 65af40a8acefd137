/**
 * One stream that we opened to a peer: one request, its whole answer, the next. What must always hold: what the peer sends
 * and nobody takes is bounded (`stream-inflow.ts`); an answer that stops is given up; every break of the protocol resets the
 * stream.
 */
import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import { PeerError, type PeerFailure } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { BlobAnswer } from '../blob-protocol/answers.ts';
import { peerErrorOf } from './blob-refusal.ts';
import type { ProtocolViolation } from '../blob-protocol/frames.ts';
import { createOpenerExchange } from '../blob-protocol/opener-exchange.ts';
import { encodeRequest, type BlobRequest } from '../blob-protocol/requests.ts';
import { createStreamInflow } from './stream-inflow.ts';

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
  /** Gives up an answer that brings nothing for `idle` ms, or crumbs. */
  check(now: number, idle: number): void;
  onFree(listener: () => void): void;
  abort(reason: Error): void;
}

/** Thrown when the stream broke before any byte of an answer: worth one more try on a new stream. */
export class UnansweredError extends PeerError {}

export function createOpener(deps: OpenerDeps, stream: Stream): Opener {
  const { clock, peerId } = deps;
  const inflow = createStreamInflow(clock, stream);
  let asked: PromiseWithResolvers<BlobAnswer> | undefined;
  let onEnd: ((facts: { bytes: number; ms: number }) => void) | undefined;
  let free: (() => void) | undefined;
  let broken: PeerError | undefined;
  /** The peer ended its answer before the last byte. */
  let refusal: PeerError | undefined;
  let discarding = false;
  let received = 0;
  let begunAt = 0;
  /** A request was outstanding when the bytes came that are being received. */
  let busy = false;

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
      if (!discarding) inflow.keep(bytes);
    },
    end() {
      onEnd?.({ bytes: received, ms: clock.monotonic() - begunAt - inflow.pausedFor });
      onEnd = undefined;
    },
  });

  const fail = (failure: PeerFailure, message: string): void => {
    if (broken) return;
    const unanswered = failure === 'reset' && !exchange.answered;
    broken = new (unanswered ? UnansweredError : PeerError)({ peerId, failure }, `${peerId} ${message}`);
    asked?.reject(broken);
    asked = undefined;
    inflow.drop();
    inflow.nudge();
  };
  const abort = (reason: Error): void => {
    fail('reset', reason.message);
    stream.abort(reason);
  };

  inflow.begin({
    receive(bytes) {
      if (broken) return;
      busy ||= !exchange.idle;
      exchange.push(bytes);
    },
    received() {
      if (exchange.idle) inflow.nudge();
      if (busy && exchange.idle) free?.();
      busy = false;
    },
    ended() {
      fail('reset', 'ended the stream');
      stream.close().catch(() => undefined);
    },
    closed() {
      fail('reset', 'reset the stream');
      free?.();
    },
    onViolation(violation) {
      fail('protocol', `broke the protocol: ${violation.message}`);
      stream.abort(violation);
      deps.onViolation(violation);
    },
  });

  const incoming: Incoming = {
    next: () =>
      inflow.next(() => {
        if (refusal) throw refusal;
        if (exchange.idle || discarding) return true;
        if (broken) throw broken;
        return false;
      }),
    cancel() {
      inflow.drop();
      if (exchange.idle || broken) return;
      discarding = true;
      inflow.nudge();
      if (exchange.left <= limits.blob.readOut) inflow.goOn();
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
      inflow.expect();
      received = 0;
      discarding = false;
      refusal = undefined;
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
      inflow.check();
      if (exchange.idle || broken || inflow.silence(now) < idle) return;
      fail('deadline', `sent nothing for ${idle} ms`);
      stream.abort(new Error('no answer in time'));
    },
    onFree: (listener) => void (free = listener),
    abort,
  };
}
