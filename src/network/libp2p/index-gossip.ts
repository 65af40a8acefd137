/**
 * The index's topic. What must always hold: a message is relayed only after our validator accepted it; what waits for a verdict
 * is bounded in number, bytes and time, for each peer and in all; who sends what is rejected is left by peer id, for a while.
 */
import type { GossipSub, PublishResult, TopicValidatorFn, TopicValidatorResult } from '@libp2p/gossipsub';
import { deadline, type Clock } from '../../core/clock.ts';
import { InvalidContentError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { IndexValidator, IndexVerdict } from '../index-channel.ts';
import { createRecentCount } from './recent-count.ts';
import { orAborted } from './or-aborted.ts';
import { indexTopic } from './protocol-names.ts';
import { createKeyedBuckets, createRateBucket } from './rate-bucket.ts';

export interface IndexGossipDeps {
  readonly clock: Clock;
  readonly facts: FactEmitter;
  readonly pubsub: Pick<GossipSub, 'subscribe' | 'publish' | 'getSubscribers' | 'topicValidators'>;
  /** Leaves a peer and keeps it out. */
  leave(peerId: string, ms: number): void;
}

export interface IndexGossip {
  /** libp2p has started. */
  start(): void;
  publish(message: Uint8Array): Promise<void>;
  onMessage(validate: IndexValidator): void;
}

export function createIndexGossip(deps: IndexGossipDeps): IndexGossip {
  const { clock, facts, pubsub } = deps;
  const { messageBytes, messageRate, messageBurst, peersKept, floodPeers } = limits.indexChannel;
  const rates = createKeyedBuckets(peersKept, () => createRateBucket(clock, messageRate, messageBurst));
  const rejects = createRecentCount(limits.indexChannel.rejectsWithin, peersKept);
  /** Verdicts that are waited for, by peer. */
  const pending = new Map<string, number>();
  let pendingAll = 0;
  let pendingBytes = 0;
  let validator: IndexValidator | undefined;
  let started = false;

  const ask = async (validate: IndexValidator, peerId: string, bytes: Uint8Array): Promise<IndexVerdict> => {
    using limit = deadline(clock, limits.indexChannel.validationTime);
    try {
      // A copy: libp2p relays the one it has, and ours goes to another thread.
      return await orAborted(validate(peerId, bytes.slice()), limit.signal);
    } catch (error) {
      const why = limit.signal.aborted ? 'no verdict in time' : String(error);
      facts.emit('network:noted', { message: `a message of the index was not judged: ${why}` });
      return 'ignore';
    }
  };
  const judge = async (peerId: string, bytes: Uint8Array): Promise<IndexVerdict> => {
    if (bytes.length === 0 || bytes.length > messageBytes || !rates.take(peerId)) return 'reject';
    const own = pending.get(peerId) ?? 0;
    const { validations, validationsPerPeer, validationBytes } = limits.indexChannel;
    const full = own >= validationsPerPeer || pendingAll >= validations;
    if (!validator || full || pendingBytes + bytes.length > validationBytes) return 'ignore';
    pending.set(peerId, own + 1);
    pendingAll++;
    pendingBytes += bytes.length;
    try {
      return await ask(validator, peerId, bytes);
    } finally {
      const left = (pending.get(peerId) ?? 1) - 1;
      if (left > 0) pending.set(peerId, left);
      else pending.delete(peerId);
      pendingAll--;
      pendingBytes -= bytes.length;
    }
  };
  const listen = (): void => {
    if (started && validator) pubsub.subscribe(indexTopic);
  };
  const validate: TopicValidatorFn = async (peer, { data }) => {
    const peerId = peer.toString();
    const verdict = await judge(peerId, data);
    facts.emit('index:message-received', { peerId, bytes: data.length, verdict });
    if (verdict === 'reject' && rejects.note(peerId, clock.monotonic()) >= limits.indexChannel.rejects)
      deps.leave(peerId, limits.indexChannel.rejectBan);
    // gossipsub's enum has these values; importing it would cost every node that takes no part 30 ms at its start.
    return verdict as TopicValidatorResult;
  };
  pubsub.topicValidators.set(indexTopic, validate);

  return {
    start() {
      started = true;
      listen();
    },
    onMessage(given) {
      validator = given;
      listen();
    },
    async publish(message) {
      if (message.length === 0 || message.length > messageBytes)
        throw new InvalidContentError(
          `a message of ${message.length} bytes: 1 to ${messageBytes} are allowed`,
        );
      // In a small network everybody hears of it from us; in a large one our own upload would be what limits it.
      const floodPublish = pubsub.getSubscribers(indexTopic).length <= floodPeers;
      await (pubsub as unknown as Publisher).publish(indexTopic, message.slice(), { floodPublish });
    },
  };
}

/** The options are public in gossipsub's class, though its interface shows nothing of them. */
interface Publisher {
  publish(topic: string, data: Uint8Array, options: { floodPublish: boolean }): Promise<PublishResult>;
}
