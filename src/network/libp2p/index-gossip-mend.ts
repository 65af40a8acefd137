/**
 * Mends gossipsub's streams. It opens one to a peer when that is identified, and never again: when two connections to a peer
 * become one, or a read fails, gossip with that peer is over for as long as it stays connected. Looked at every few seconds.
 */
import type { Connection, PeerId } from '@libp2p/interface';
import type { GossipSub } from '@libp2p/gossipsub';
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';

/** Public in gossipsub's class, though its interface shows nothing of it. */
interface Streams {
  readonly streamsOutbound: ReadonlyMap<string, unknown>;
  onPeerConnected(peerId: PeerId, connection: Connection): void;
}

export function createGossipMender(deps: {
  readonly clock: Clock;
  readonly pubsub: GossipSub;
  /** One connection to each peer that takes part. */
  connections(): Iterable<Connection>;
}): { start(): void } & Disposable {
  const { clock } = deps;
  const streams = deps.pubsub as unknown as Streams;
  let timer: Timer | undefined;
  const look = (): void => {
    for (const connection of deps.connections()) {
      if (!streams.streamsOutbound.has(connection.remotePeer.toString()))
        streams.onPeerConnected(connection.remotePeer, connection);
    }
    timer = clock.setTimer(look, limits.indexChannel.gossipMend);
  };
  return {
    start: () => void (timer = clock.setTimer(look, limits.indexChannel.gossipMend)),
    [Symbol.dispose]: () => timer?.cancel(),
  };
}
