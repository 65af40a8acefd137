/** Answers peers' requests about the index: their streams, their shares of our work, and the memory that they may hold. */
import type { Connection, Stream } from '@libp2p/interface';
import type { Clock } from '../../core/clock.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProtocolViolation } from '../blob-protocol/frames.ts';
import type { IndexHandler } from '../index-channel.ts';
import type { UploadGate } from './blob-upload-gate.ts';
import { createConnectionWriters, type ConnectionWriters } from './blob-writers.ts';
import { createBudget, type Budget } from './byte-budget.ts';
import { acceptIndexStream, type IndexAcceptor } from './index-acceptor.ts';
import { createKeyedBuckets, createRateBucket } from './rate-bucket.ts';
import { createSendBuffers } from './send-buffers.ts';
import type { Sweeper } from './sweeper.ts';

export interface IndexServerDeps {
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly sweeper: Sweeper;
  /** The user's upload limit. */
  readonly gate: UploadGate | undefined;
  isBanned(peerId: string): boolean;
  onViolation(peerId: string, violation: ProtocolViolation): void;
}

export interface IndexServer extends Disposable {
  accept(stream: Stream, connection: Connection): void;
  serve(handler: IndexHandler): void;
}

const { requestRate, requestBurst, peersKept, receivedBytes, receivedBytesPerPeer } = limits.indexChannel;

export function createIndexServer(deps: IndexServerDeps): IndexServer {
  const { clock, facts } = deps;
  const budget = createBudget(receivedBytes);
  const buffers = createSendBuffers();
  const links = new Map<Connection, { readonly writers: ConnectionWriters; streams: number }>();
  const acceptors = new Set<IndexAcceptor>();
  /** By peer, not by connection: reconnecting gives no new burst. */
  const requests = createKeyedBuckets(peersKept, () => createRateBucket(clock, requestRate, requestBurst));
  const answering = new Map<string, number>();
  const receiving = new Map<string, number>();
  let answers = 0;
  let handler: IndexHandler | undefined;

  const enter = (peerId: string): { handler: IndexHandler; leave: () => void } | undefined => {
    const own = answering.get(peerId) ?? 0;
    if (!requests.take(peerId) || !handler) return undefined;
    if (own >= limits.indexChannel.answersPerPeer || answers >= limits.indexChannel.answers) return undefined;
    answering.set(peerId, own + 1);
    answers++;
    const leave = (): void => {
      answers--;
      const left = (answering.get(peerId) ?? 1) - 1;
      if (left > 0) answering.set(peerId, left);
      else answering.delete(peerId);
    };
    return { handler, leave };
  };
  /** A head of 4 bytes takes the room of its request: without a share of its own one host could take all that there is. */
  const shareOf = (peerId: string): Pick<Budget, 'take' | 'give'> => ({
    take(bytes) {
      const own = receiving.get(peerId) ?? 0;
      if (own + bytes > receivedBytesPerPeer || !budget.take(bytes)) return false;
      receiving.set(peerId, own + bytes);
      return true;
    },
    give(bytes) {
      budget.give(bytes);
      const left = (receiving.get(peerId) ?? 0) - bytes;
      if (left > 0) receiving.set(peerId, left);
      else receiving.delete(peerId);
    },
  });
  const stopWatching = deps.sweeper.watch((now) => {
    for (const acceptor of acceptors) acceptor.check(now);
  });

  return {
    serve: (given) => void (handler = given),
    accept(stream, connection) {
      const peerId = connection.remotePeer.toString();
      // A relayed connection is for signalling: no bulk over it.
      if (deps.isBanned(peerId) || connection.limits) {
        stream.abort(new Error(connection.limits ? 'not over a relay' : `${peerId} is banned`));
        return;
      }
      const link = links.get(connection) ?? { writers: createConnectionWriters(deps.gate), streams: 0 };
      links.set(connection, link);
      link.streams++;
      let sent = 0;
      const acceptor = acceptIndexStream(
        {
          clock,
          buffers,
          budget: shareOf(peerId),
          writer: link.writers.writer(stream),
          enter() {
            const place = enter(peerId);
            if (!place) return undefined;
            return {
              answer: (request, signal) => place.handler(peerId, request, signal),
              leave: place.leave,
            };
          },
          onSent: (bytes) => void (sent += bytes),
          onViolation: (violation) => deps.onViolation(peerId, violation),
          onFailed: (error) =>
            facts.emit('network:noted', {
              message: `a question about the index had no answer: ${String(error)}`,
            }),
          onClose() {
            acceptors.delete(acceptor);
            if (--link.streams === 0) links.delete(connection);
            if (sent > 0) facts.emit('index:answer-sent', { peerId, bytes: sent });
          },
        },
        stream,
      );
      acceptors.add(acceptor);
    },
    [Symbol.dispose]() {
      stopWatching();
      for (const acceptor of acceptors) acceptor.close('this node stops');
    },
  };
}
