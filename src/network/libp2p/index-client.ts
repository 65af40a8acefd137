/**
 * Asks peers about the index. A stream for each request: against a kept one that is 1.5 ms more of CPU for both ends together,
 * 0.1 % of a core with 16 peers asked every 30 s, and there is no state between requests that could be wrong.
 */
import type { Libp2p, Stream } from '@libp2p/interface';
import { deadline, type Clock } from '../../core/clock.ts';
import { InvalidContentError, PeerError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProtocolViolation } from '../blob-protocol/frames.ts';
import type { IndexRequestOptions } from '../index-channel.ts';
import { encodeIndexRequest, INDEX_PROTOCOL } from './index-frames.ts';
import { receiveIndexAnswer, type IndexAnswer } from './index-opener.ts';
import type { Sweeper } from './sweeper.ts';

export interface IndexClientDeps {
  readonly libp2p: Pick<Libp2p, 'getConnections'>;
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly sweeper: Sweeper;
  isBanned(peerId: string): boolean;
  onViolation(peerId: string, violation: ProtocolViolation): void;
}

export interface IndexClient extends Disposable {
  request(peerId: string, request: Uint8Array, options?: IndexRequestOptions): AsyncGenerator<Uint8Array>;
}

export function createIndexClient(deps: IndexClientDeps): IndexClient {
  const { clock } = deps;
  const { requestBytes, answerBytes, openTime } = limits.indexChannel;
  const answers = new Set<IndexAnswer>();

  const open = async (peerId: string, parent: AbortSignal | undefined): Promise<Stream> => {
    const unreachable = (message: string, cause?: unknown): PeerError =>
      new PeerError({ peerId, failure: 'unreachable' }, `${peerId} ${message}`, { cause });
    if (deps.isBanned(peerId)) throw unreachable('is banned');
    const connection = deps.libp2p
      .getConnections()
      // A relayed connection is for signalling: no bulk over it.
      .find((one) => one.status === 'open' && !one.limits && one.remotePeer.toString() === peerId);
    if (!connection) throw unreachable('is not connected');
    using limit = deadline(clock, openTime, parent);
    try {
      const { streamsPerConnection: maxOutboundStreams } = limits.indexChannel;
      const stream = await connection.newStream(INDEX_PROTOCOL, { signal: limit.signal, maxOutboundStreams });
      if (stream.status === 'open') return stream;
    } catch (error) {
      parent?.throwIfAborted();
      throw unreachable('opens no stream for the index', error);
    }
    // Beyond the peer's limit of streams `newStream()` gives one that is reset already and tells nobody.
    throw new PeerError({ peerId, failure: 'busy' }, `${peerId} takes no more streams`);
  };

  return {
    async *request(peerId, request, { signal, limit = answerBytes } = {}) {
      signal?.throwIfAborted();
      if (request.length === 0 || request.length > requestBytes)
        throw new InvalidContentError(
          `a request of ${request.length} bytes: 1 to ${requestBytes} are allowed`,
        );
      const stream = await open(peerId, signal);
      const onViolation = (violation: ProtocolViolation): void => deps.onViolation(peerId, violation);
      const answer = receiveIndexAnswer({ clock, peerId, limit, onViolation }, stream);
      const stop = deps.sweeper.watch((now) => answer.check(now));
      const onAbort = (): void => answer.cancel(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      answers.add(answer);
      try {
        stream.send(encodeIndexRequest(request));
        for (let bytes = await answer.next(); bytes; bytes = await answer.next()) yield bytes;
      } finally {
        stop();
        answers.delete(answer);
        signal?.removeEventListener('abort', onAbort);
        answer.cancel(new Error('was cancelled'));
        if (answer.received > 0) deps.facts.emit('index:answer-received', { peerId, bytes: answer.received });
      }
    },
    [Symbol.dispose]() {
      for (const answer of answers) answer.cancel(new Error('this node stops'));
    },
  };
}
