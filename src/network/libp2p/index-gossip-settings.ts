/**
 * gossipsub, as the index needs it, with the reason for what its defaults get wrong. What must always hold: one topic, no
 * signatures of its own (the payload is signed), nothing is relayed before the topic's validator said yes.
 */
import { createHash } from 'node:crypto';
import { gossipsub, type GossipSub, type GossipSubComponents } from '@libp2p/gossipsub';
import { limits } from '../../core/limits.ts';
import { indexTopic } from './protocol-names.ts';

const { heartbeat, rpcBytes, outboundBytes, rejectsWithin } = limits.indexChannel;
const DECAY_EVERY = 10_000;
/** What is left of a counter after one interval when half of it is left after ten minutes. */
const HALF_IN_TEN_MINUTES = 0.5 ** (DECAY_EVERY / 600_000);

export interface GossipFactory {
  (components: GossipSubComponents): GossipSub;
}

/** `isLanHost`: many peers behind one address are a LAN or one machine there, not an attack. */
export function createGossipFactory(isLanHost: (host: string) => boolean): GossipFactory {
  return gossipsub({
    allowedTopics: [indexTopic],
    fallbackToFloodsub: false,
    globalSignaturePolicy: 'StrictNoSign',
    msgIdFn: (message) => createHash('sha256').update(message.data).digest().subarray(0, 20),
    doPX: false,
    emitSelf: false,
    // A tag is a write to the peer store.
    tagMeshPeers: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    runOnLimitedConnection: false,
    heartbeatInterval: heartbeat,
    // A message of 4 KB costs a node with 16 connections 31 KB in and out with these and 56 KB with the defaults (6, 4, 12),
    // delivered to all either way; silent, gossip costs 0.03 MB an hour. Who is not in a mesh hears of it by IHAVE.
    D: 3,
    Dlo: 2,
    Dhi: 6,
    Dout: 1,
    Dlazy: 6,
    // It bounds the RPC, not the message: an honest answer to IWANT of several large ones would end the peer's gossip for good.
    maxInboundDataLength: rpcBytes,
    // Otherwise a peer that does not read is sent everything into memory.
    maxOutboundBufferSize: outboundBytes,
    maxTopicBytesPerPeer: 16 * 1024,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 256,
      maxIhaveMessageIDs: 1024,
      maxIwantMessageIDs: 1024,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
    scoreParams: {
      decayInterval: DECAY_EVERY,
      decayToZero: 0.01,
      retainScore: rejectsWithin,
      appSpecificScore: () => 0,
      IPColocationFactorWeight: -5,
      IPColocationFactorThreshold: limits.network.inboundPerSubnet,
      IPColocationFactorWhitelist: hostsWhere(isLanHost),
      behaviourPenaltyWeight: -1,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: HALF_IN_TEN_MINUTES,
      topicScoreCap: 20,
      topics: {
        [indexTopic]: {
          topicWeight: 1,
          timeInMeshWeight: 0,
          timeInMeshQuantum: 1000,
          timeInMeshCap: 1,
          firstMessageDeliveriesWeight: 1,
          firstMessageDeliveriesDecay: HALF_IN_TEN_MINUTES,
          firstMessageDeliveriesCap: 10,
          // Few messages come: who delivers none is not to blame.
          meshMessageDeliveriesWeight: 0,
          meshMessageDeliveriesDecay: HALF_IN_TEN_MINUTES,
          meshMessageDeliveriesCap: 1,
          meshMessageDeliveriesThreshold: 1,
          meshMessageDeliveriesWindow: 10,
          meshMessageDeliveriesActivation: 1000,
          meshFailurePenaltyWeight: 0,
          meshFailurePenaltyDecay: HALF_IN_TEN_MINUTES,
          invalidMessageDeliveriesWeight: -5,
          invalidMessageDeliveriesDecay: HALF_IN_TEN_MINUTES,
        },
      },
    },
    // Rejected messages cost 5 n^2: below these from the second (no gossip), the fourth and the fifth on.
    scoreThresholds: {
      gossipThreshold: -10,
      publishThreshold: -50,
      graylistThreshold: -80,
      // Never: `doPX` is about giving only. A peer with a good score (10 by default) would choose whom we dial.
      acceptPXThreshold: Number.MAX_SAFE_INTEGER,
    },
  });
}

/** gossipsub asks a set whether it has an address; which ones are ours changes with the machine's interfaces. */
function hostsWhere(holds: (host: string) => boolean): Set<string> {
  const hosts = new Set<string>();
  hosts.has = holds;
  return hosts;
}
