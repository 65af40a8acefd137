/**
 * Dialling back on the running node. The second connection is closed as soon as the peer has answered over it: the first
 * one, its streams and gossip stay as they are, and both end before duplicates are looked for (connection-limits.ts).
 */
import type { Connection, IdentifyResult } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Clock, Randomness } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { BLOB_PROTOCOL } from '../blob-protocol/frames.ts';
import type { BuiltNode } from './build-node.ts';
import { createDialBack } from './dial-back.ts';
import type { DialBack } from './dial-back.ts';
import { withoutPeerId } from './node-calls.ts';
import type { NodeCalls } from './node-calls.ts';
import { orAborted } from './or-aborted.ts';
import { kadProtocol } from './protocol-names.ts';

export function createNodeDialBack(
  { clock, randomness }: { clock: Clock; randomness: Randomness },
  { built, calls }: { built: BuiltNode; calls: NodeCalls },
): DialBack {
  const { node } = built;
  const openedAt = new WeakMap<Connection, number>();
  const isRecent = (connection: Connection): boolean =>
    connection.direction === 'outbound' &&
    clock.monotonic() - (openedAt.get(connection) ?? 0) < limits.network.dialBackRenew;
  const dialBack = createDialBack({
    clock,
    randomness,
    accepts: (address) => built.accepts(address),
    dialledLately: (peerId) =>
      calls.connectionsTo(peerId).some(isRecent) ||
      // It would be joined, and what came of it is not ours to close.
      node.getDialQueue().some((dial) => dial.peerId?.toString() === peerId),
    async dial({ peerId, address }, signal) {
      const heard = Promise.withResolvers<void>();
      let opened: Connection | undefined;
      const identified: Connection[] = [];
      const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
        identified.push(detail.connection);
        if (detail.connection === opened) heard.resolve();
      };
      node.addEventListener('peer:identify', onIdentify);
      try {
        opened = await node.dial(multiaddr(`${address}/p2p/${peerId}`), { force: true, signal });
        if (identified.includes(opened)) heard.resolve();
        await orAborted(heard.promise, signal);
      } finally {
        node.removeEventListener('peer:identify', onIdentify);
        // The only one that is left is worth keeping.
        if (opened && calls.connectionsTo(peerId).length > 1) await close(opened);
      }
    },
  });
  node.addEventListener('peer:identify', ({ detail }) => {
    const { connection, peerId, listenAddrs, protocols } = detail;
    if (connection.status !== 'open' || !protocols.includes(BLOB_PROTOCOL)) return;
    const peer = { peerId: peerId.toString(), server: protocols.includes(kadProtocol) };
    const address = withoutPeerId(connection.remoteAddr.toString());
    if (connection.direction === 'outbound') dialBack.reached(connection.id, { ...peer, address });
    else {
      const listens = listenAddrs.map((ma) => ma.toString());
      dialBack.called(connection.id, { ...peer, from: address, listens });
    }
  });
  node.addEventListener('connection:open', ({ detail }) => openedAt.set(detail, clock.monotonic()));
  node.addEventListener('connection:close', ({ detail }) => dialBack.left(detail.id));
  return dialBack;
}

async function close(connection: Connection): Promise<void> {
  await connection.close().catch((error: Error) => connection.abort(error));
}
