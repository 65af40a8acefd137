/** The index channel over libp2p: requests on streams, gossip, values in the DHT, and the peers that take part. */
import type { Connection } from '@libp2p/interface';
import type { GossipSub } from '@libp2p/gossipsub';
import type { Clock } from '../../core/clock.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProtocolViolation } from '../blob-protocol/frames.ts';
import { createViolationCounter } from '../blob-protocol/violations.ts';
import type { IndexChannel } from '../index-channel.ts';
import type { UploadGate } from './blob-upload-gate.ts';
import { createIndexClient } from './index-client.ts';
import { INDEX_PROTOCOL } from './index-frames.ts';
import { createGossipMender } from './index-gossip-mend.ts';
import { createIndexGossip } from './index-gossip.ts';
import { createIndexServer } from './index-server.ts';
import type { ValueRules } from './index-value-rules.ts';
import { createIndexValues } from './index-values.ts';
import type { Node } from './libp2p-node.ts';
import { createSweeper } from './sweeper.ts';

export interface Libp2pIndexDeps {
  readonly node: Node;
  readonly pubsub: GossipSub;
  readonly rules: ValueRules;
  readonly clock: Clock;
  readonly facts: FactEmitter;
  /** The user's upload limit. */
  readonly gate: UploadGate | undefined;
  isBanned(peerId: string): boolean;
  ban(peerId: string, reason: string, ms: number): void;
}

export interface Libp2pIndex extends AsyncDisposable {
  readonly channel: IndexChannel;
  /** Before libp2p starts: from then on peers may ask. */
  register(): Promise<void>;
  /** When libp2p has started. */
  start(): void;
}

export function createLibp2pIndex(deps: Libp2pIndexDeps): Libp2pIndex {
  const { node, pubsub, clock, facts } = deps;
  const sweeper = createSweeper(clock);
  const violations = createViolationCounter();
  const peers = new Set<string>();
  const listeners = new Set<(peerId: string) => void>();
  const onViolation = (peerId: string, violation: ProtocolViolation): void => {
    facts.emit('network:noted', { message: `${peerId} broke the index protocol: ${violation.message}` });
    if (violations.note(peerId, clock.monotonic()))
      deps.ban(peerId, 'protocol', limits.indexChannel.violationBan);
  };
  const common = { clock, facts, sweeper, isBanned: (peerId: string) => deps.isBanned(peerId), onViolation };
  const server = createIndexServer({ ...common, gate: deps.gate });
  const client = createIndexClient({ ...common, libp2p: node });
  const values = createIndexValues({ clock, dht: node.services.dht, rules: deps.rules });
  const gossip = createIndexGossip({
    clock,
    facts,
    pubsub,
    leave: (peerId, ms) => deps.ban(peerId, 'gossip', ms),
  });
  const connections = (): Iterable<Connection> => {
    const usable = new Map<string, Connection>();
    for (const connection of node.getConnections()) {
      const peerId = connection.remotePeer.toString();
      // The first of two: the second may be a dial back, which is soon closed.
      if (connection.status !== 'open' || connection.limits || usable.has(peerId)) continue;
      if (peers.has(peerId)) usable.set(peerId, connection);
    }
    return usable.values();
  };
  const mender = createGossipMender({ clock, pubsub, connections });
  const arrived = (peerId: string): void => {
    if (peers.has(peerId)) return;
    peers.add(peerId);
    for (const listener of listeners) listener(peerId);
  };

  return {
    async register() {
      await node.handle(INDEX_PROTOCOL, (stream, connection) => server.accept(stream, connection), {
        maxInboundStreams: limits.indexChannel.streamsPerConnection,
        maxOutboundStreams: limits.indexChannel.streamsPerConnection,
      });
      await node.register(INDEX_PROTOCOL, {
        onConnect(peerId) {
          if (node.getConnections(peerId).length > 0) arrived(peerId.toString());
        },
        onDisconnect: (peerId) => void peers.delete(peerId.toString()),
      });
      node.addEventListener('peer:disconnect', ({ detail }) => void peers.delete(detail.toString()));
    },
    start() {
      gossip.start();
      mender.start();
    },
    channel: {
      peers: () => [...peers],
      onPeer(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      request: (peerId, request, options) => client.request(peerId, request, options),
      serve: (handler) => server.serve(handler),
      publish: (message) => gossip.publish(message),
      onMessage: (validate) => gossip.onMessage(validate),
      putValue: (key, value, options) => values.put(key, value, options),
      getValue: (key, options) => values.get(key, options),
    },
    async [Symbol.asyncDispose]() {
      await node.unhandle(INDEX_PROTOCOL);
      mender[Symbol.dispose]();
      client[Symbol.dispose]();
      server[Symbol.dispose]();
      sweeper[Symbol.dispose]();
    },
  };
}
