/**
 * Questions to one peer about the index, typed. Answers are checked in their form only. Own sources are asked in the same
 * way, under the peer id {@link SELF}, without a network.
 */
import { type Clock, deadline } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { InvalidLogError, PeerError } from '../../core/errors.ts';
import { readPartsAtOnce } from '../../core/index-messages/answer-parts.ts';
import {
  type Bundle,
  decodeBundle,
  decodeHashes,
  decodeLeafProof,
  decodeNumberedBin,
  type LeafProof,
  type NumberedBin,
  partLimits,
} from '../../core/index-messages/index-answers.ts';
import {
  type BinRun,
  encodeIndexRequest,
  type IndexRequest,
} from '../../core/index-messages/index-request.ts';
import { limits } from '../../core/limits.ts';
import type { TreeProof } from '../../core/log/tree-proofs.ts';
import type { IndexChannel, IndexHandler } from '../../network/index-channel.ts';

export const SELF = 'self';

export interface RangeItem {
  readonly record: Uint8Array;
  /** Undefined: not to be had from this peer, or there is none. */
  readonly delta: Uint8Array | undefined;
}

/** All throw PeerError, and InvalidLogError MESSAGE_* for what is not an answer. Undefined: the peer does not have it. */
export interface IndexAsker {
  heads(peer: string, sizes: ReadonlyMap<string, number>, signal: AbortSignal): AsyncIterable<Uint8Array>;
  range(
    peer: string,
    origin: string,
    from: number,
    to: number,
    signal: AbortSignal,
  ): AsyncIterable<RangeItem>;
  inclusion(
    peer: string,
    origin: string,
    index: number,
    size: number,
    signal: AbortSignal,
  ): Promise<LeafProof | undefined>;
  consistency(
    peer: string,
    origin: string,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<TreeProof | undefined>;
  object(peer: string, digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Some at once, there until the next are asked for. */
  bins(
    peer: string,
    leaves: Digest,
    runs: readonly BinRun[],
    signal: AbortSignal,
  ): AsyncIterable<readonly NumberedBin[]>;
  bundles(peer: string, bin: number, signal: AbortSignal): AsyncIterable<Bundle>;
}

export function createIndexAsker(deps: {
  readonly channel: Pick<IndexChannel, 'request'>;
  readonly clock: Clock;
  /** Answers for {@link SELF}. */
  readonly self: IndexHandler;
}): IndexAsker {
  const { channel, clock, self } = deps;

  async function* ask(peer: string, request: IndexRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for await (const parts of askForParts(peer, request, signal)) yield* parts;
  }

  async function* askForParts(
    peer: string,
    request: IndexRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Uint8Array[]> {
    signal.throwIfAborted();
    using idle = deadline(clock, limits.follow.answerFirst, signal);
    const bytes = encodeIndexRequest(request);
    const chunks =
      peer === SELF
        ? self(SELF, bytes, idle.signal)
        : channel.request(peer, bytes, {
            signal: idle.signal,
            limit: answerLimit(request),
            passing: request.q === 'bins',
          });
    try {
      const begun = onFirst(chunks, () => idle.restart(limits.follow.answerIdle));
      for await (const parts of readPartsAtOnce(begun, partLimits[request.q])) {
        idle.restart(limits.follow.answerIdle);
        yield parts;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (idle.signal.aborted)
        throw new PeerError({ peerId: peer, failure: 'deadline' }, `${peer} stopped answering`, {
          cause: error,
        });
      throw error;
    }
  }

  async function one(
    peer: string,
    request: IndexRequest,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    let only: Uint8Array | undefined;
    for await (const part of ask(peer, request, signal)) {
      if (only !== undefined)
        throw new InvalidLogError('MESSAGE_MALFORMED', `an answer to "${request.q}" has more than one part`);
      only = part;
    }
    return only;
  }

  return {
    heads: (peer, sizes, signal) => ask(peer, { q: 'heads', sizes }, signal),
    async *range(peer, origin, from, to, signal) {
      let record: Uint8Array | undefined;
      for await (const part of ask(peer, { q: 'range', origin, from, to }, signal)) {
        if (record === undefined) record = part;
        else {
          yield { record, delta: part.length > 0 ? part : undefined };
          record = undefined;
        }
      }
      if (record !== undefined)
        throw new InvalidLogError('MESSAGE_MALFORMED', 'an answer to "range" ends without a delta');
    },
    async inclusion(peer, origin, index, size, signal) {
      const part = await one(peer, { q: 'inclusion', origin, index, size }, signal);
      return part && decodeLeafProof(part);
    },
    async consistency(peer, origin, from, to, signal) {
      const part = await one(peer, { q: 'consistency', origin, from, to }, signal);
      return part && decodeHashes(part);
    },
    object: (peer, digest, signal) => one(peer, { q: 'object', digest }, signal),
    async *bins(peer, leaves, runs, signal) {
      for await (const parts of askForParts(peer, { q: 'bins', leaves, runs }, signal))
        yield parts.map(decodeNumberedBin);
    },
    async *bundles(peer, bin, signal) {
      for await (const part of ask(peer, { q: 'bundles', bin }, signal)) yield decodeBundle(part);
    },
  };
}

function answerLimit(request: IndexRequest): number {
  switch (request.q) {
    case 'bins':
    case 'range':
      return limits.indexChannel.answerBytes;
    case 'object':
      return partLimits.object + 4;
    case 'heads':
      return limits.log.policyItems * (partLimits.heads + 4);
    case 'bundles':
      return limits.follow.bundles * (partLimits.bundles + 4);
    default:
      return partLimits[request.q] + 4;
  }
}

async function* onFirst<T>(items: AsyncIterable<T>, act: () => void): AsyncGenerator<T> {
  let isFirst = true;
  for await (const item of items) {
    if (isFirst) act();
    isFirst = false;
    yield item;
  }
}
