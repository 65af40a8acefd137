/** What is done every minute and every hour: the role in the DHT, whom to remember, our own addresses, expired records. */
import type { Connection } from '@libp2p/interface';
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { BoundedDatastore } from './bounded-datastore.ts';
import type { DhtRole } from './dht-role.ts';
import type { Node } from './libp2p-node.ts';
import { withoutPeerId } from './node-calls.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { RememberedPeers } from './remembered-peers.ts';

export interface UpkeepDeps {
  readonly clock: Clock;
  readonly node: Node;
  readonly directory: PeerDirectory;
  readonly remembered: RememberedPeers;
  readonly role: DhtRole;
  readonly datastore: BoundedDatastore;
  onError(error: Error): void;
}

export interface Upkeep extends AsyncDisposable {
  start(): void;
  /** Addresses of all peers that we know of. */
  known(): readonly string[];
  /** A peer of ours gave verified bytes. */
  verified(peerId: string): void;
}

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { clock, node, directory, remembered, role } = deps;
  const connectedAt = new WeakMap<Connection, number>();
  let minute: Timer | undefined;
  let hour: Timer | undefined;
  let working: Promise<void> = Promise.resolve();
  let closed = false;

  const known = (): readonly string[] => [
    ...node.getConnections().map(({ remoteAddr }) => remoteAddr.toString()),
    ...remembered.list().map(({ address }) => address),
  ];
  const remember = (connection: Connection, why: 'verified' | 'lasting'): void => {
    const peerId = connection.remotePeer.toString();
    const peer = directory.get(peerId);
    // Only who was dialled by us: an attacker chooses who dials us, but not whom we dial.
    if (connection.direction !== 'outbound' || peer === undefined) return;
    const { lan } = peer;
    remembered.enter({ peerId, address: withoutPeerId(connection.remoteAddr.toString()), lan, why });
  };
  const setRole = async (): Promise<void> => {
    const mode = role.isServer(known()) ? 'server' : 'client';
    if (!closed && mode !== node.services.dht.getMode()) await node.services.dht.setMode(mode);
  };
  const everyMinute = (): void => {
    minute = clock.setTimer(everyMinute, limits.network.upkeepEvery);
    node.services.ownAddresses.confirm();
    for (const connection of node.getConnections()) {
      const age = clock.monotonic() - (connectedAt.get(connection) ?? clock.monotonic());
      const isNew = !remembered.has(connection.remotePeer.toString());
      if (isNew && age >= limits.network.rememberAfter) remember(connection, 'lasting');
    }
    inTurn(setRole);
  };
  const everyHour = (): void => {
    hour = clock.setTimer(everyHour, limits.network.recordSweep);
    inTurn(() => deps.datastore.sweep());
  };
  const inTurn = (work: () => Promise<void>): void => {
    working = (async () => {
      await working;
      await work().catch((error: Error) => deps.onError(error));
    })();
  };

  return {
    known,
    start() {
      node.addEventListener('connection:open', ({ detail }) => {
        connectedAt.set(detail, clock.monotonic());
        if (detail.direction === 'inbound') {
          const own = node.getMultiaddrs().map((ma) => ma.toString());
          role.inboundFrom(detail.remoteAddr.toString(), own);
        }
        inTurn(setRole);
      });
      everyMinute();
      everyHour();
    },
    verified(peerId) {
      for (const connection of node.getConnections()) {
        if (connection.remotePeer.toString() === peerId) remember(connection, 'verified');
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      minute?.cancel();
      hour?.cancel();
      await working;
    },
  };
}
