/**
 * What happens to live connections: who is let in, who gives way, which of two connections to one peer stays, and which are
 * dead. The rules are in connection-quota.ts and handshake-limits.ts; here they meet libp2p's connections.
 */
import type { Connection, Libp2p } from '@libp2p/interface';
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { ConnectionActivity } from './connection-activity.ts';
import { admitInbound, surplus } from './connection-quota.ts';
import type { ConnectionView } from './connection-quota.ts';
import { duplicates } from './duplicate-connections.ts';
import type { HandshakeLimits } from './handshake-limits.ts';
import { parsePeerAddress, subnetOf, zoneOf } from './peer-address.ts';

export interface ConnectionLimitsDeps {
  readonly clock: Clock;
  readonly activity: ConnectionActivity;
  readonly handshakes: HandshakeLimits;
  readonly max: number;
  isLanAddress(address: string): boolean;
  /** A remembered peer lives there. */
  isKnownHost(host: string): boolean;
  /** LAN, remembered, bootstrap: never closed for another one. */
  isProtected(peerId: string, address: string): boolean;
}

export interface ConnectionLimits extends Disposable {
  /** For the gater: may this inbound connection begin its handshake? */
  admitInbound(address: string): boolean;
  start(libp2p: Libp2p): void;
}

export function createConnectionLimits(deps: ConnectionLimitsDeps): ConnectionLimits {
  const { clock, activity } = deps;
  let libp2p: Libp2p | undefined;
  let timer: Timer | undefined;
  const openedAt = new WeakMap<Connection, number>();

  const views = (): (ConnectionView & { readonly alone: boolean })[] =>
    (libp2p?.getConnections() ?? []).map((connection) => {
      const address = connection.remoteAddr.toString();
      return {
        id: connection.id,
        direction: connection.direction,
        alone: (libp2p?.getConnections(connection.remotePeer).length ?? 0) < 2,
        publicSubnet: publicSubnetOf(address),
        protected: deps.isProtected(connection.remotePeer.toString(), address),
        idleFor: activity.idleFor(connection),
      };
    });
  const close = (id: string, why: string): void => {
    const connection = libp2p?.getConnections().find((one) => one.id === id);
    // An abort, not a close: the place is needed now, and nothing is in flight on an idle connection.
    connection?.abort(new Error(why));
  };
  /** Many can be in their handshakes at once, and none of those was counted when the others were let in. */
  const admitOpened = (connection: Connection): void => {
    const others = views().filter(({ id }) => id !== connection.id);
    const publicSubnet = publicSubnetOf(connection.remoteAddr.toString());
    const admission = admitInbound(others, { publicSubnet }, deps.max);
    if (admission.kind === 'refuse') connection.abort(new Error(`not let in: ${admission.reason}`));
    else if (admission.kind === 'replace') close(admission.id, 'its place is given to another peer');
  };
  const trim = (): void => {
    if ((libp2p?.getConnections().length ?? 0) <= deps.max) return;
    // A second connection that we opened to a peer dials back, and ends soon: nobody goes for it.
    const counted = views().filter(({ direction, alone }) => alone || direction === 'inbound');
    const victim = surplus(counted, deps.max);
    if (victim !== undefined) close(victim, 'more connections than wanted');
  };
  const closeDuplicates = (peer: Connection['remotePeer']): void => {
    if (libp2p === undefined) return;
    const connections = libp2p.getConnections(peer);
    const now = clock.monotonic();
    if (connections.some((one) => now - (openedAt.get(one) ?? now) < limits.network.duplicateAge)) return;
    for (const loser of duplicates(libp2p.peerId.toString(), peer.toString(), connections)) {
      // One that is busy is looked at again by the housekeeping.
      if (activity.idleFor(loser) >= limits.network.duplicateGrace) {
        loser.close().catch((error: Error) => loser.abort(error));
      }
    }
  };
  const keepHouse = (): void => {
    timer = clock.setTimer(keepHouse, limits.network.housekeeping);
    for (const connection of libp2p?.getConnections() ?? []) {
      // yamux pings both ways every 60 s: silence beyond two of them is a dead or black-holed peer.
      if (activity.idleFor(connection) > limits.network.deadAfter)
        connection.abort(new Error('nothing came'));
      else closeDuplicates(connection.remotePeer);
    }
    trim();
  };

  return {
    admitInbound(text) {
      const address = parsePeerAddress(text);
      if (address?.kind !== 'ip') return false;
      const lan = deps.isLanAddress(text);
      const known = lan || deps.isKnownHost(address.host);
      if (!deps.handshakes.admit(address.host, { lan, known })) return false;
      const admission = admitInbound(views(), { publicSubnet: publicSubnetOf(text) }, deps.max);
      if (admission.kind === 'replace') close(admission.id, 'its place is given to another peer');
      return admission.kind !== 'refuse';
    },
    start(node) {
      libp2p = node;
      node.addEventListener('connection:open', ({ detail }) => {
        openedAt.set(detail, clock.monotonic());
        if (detail.direction === 'inbound') admitOpened(detail);
        trim();
        if (node.getConnections(detail.remotePeer).length < 2) return;
        clock.setTimer(() => closeDuplicates(detail.remotePeer), limits.network.duplicateAge);
      });
      keepHouse();
    },
    [Symbol.dispose]() {
      timer?.cancel();
    },
  };
}

function publicSubnetOf(text: string): string | undefined {
  const address = parsePeerAddress(text);
  if (address?.kind !== 'ip' || zoneOf(address.host) !== 'public') return undefined;
  return subnetOf(address.host);
}
