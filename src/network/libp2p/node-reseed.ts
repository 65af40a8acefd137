/** The re-seed loop on the running node: whom it may dial, and how it learns that it was right. */
import { deadline } from '../../core/clock.ts';
import type { Clock, Randomness } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { BuiltNode } from './build-node.ts';
import { NotDialledError } from './guarded-transport.ts';
import { withoutPeerId } from './node-calls.ts';
import type { NodeCalls } from './node-calls.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { RememberedPeers } from './remembered-peers.ts';
import { createReseed } from './reseed.ts';
import type { Reseed, ReseedTarget } from './reseed.ts';

export function createNodeReseed(
  { clock, randomness }: { clock: Clock; randomness: Randomness },
  parts: {
    built: BuiltNode;
    calls: NodeCalls;
    remembered: RememberedPeers;
    directory: PeerDirectory;
  },
): Reseed {
  const { built, calls, remembered, directory } = parts;
  const { node } = built;
  const seeds = (): readonly { peerId: string }[] =>
    directory.list().filter(({ address }) => built.isBootstrapAddress(address));
  return createReseed({
    clock,
    randomness,
    bootstraps: built.bootstraps.map(({ text, address }) => ({
      peerId: address.peerId,
      address: withoutPeerId(text),
    })),
    remembered: () => remembered.pick(({ peerId }) => !calls.isConnected(peerId)),
    connected: () => ({ all: directory.list().length, bootstraps: seeds().length }),
    isConnectedTo: ({ peerId, address }) =>
      peerId === undefined
        ? node.getConnections().some(({ remoteAddr }) => withoutPeerId(remoteAddr.toString()) === address)
        : peerId === node.peerId.toString() || calls.isConnected(peerId),
    async dial(target: ReseedTarget, signal) {
      using limit = deadline(clock, limits.network.reseedDialTime, signal);
      const { peerId, address } = target;
      try {
        const connection = await calls.dial({ peerId, addresses: [address] }, limit.signal);
        if (peerId !== undefined) remembered.reached(peerId);
        await calls.routed(connection.remotePeer, signal);
        return true;
      } catch (error) {
        const isPeers = !(error instanceof NotDialledError) && !signal.aborted;
        if (peerId !== undefined && isPeers) remembered.failed(peerId);
        return false;
      }
    },
    lookUpRandomKey: (signal) => calls.lookUpRandomKey(signal),
    async leaveBootstraps() {
      const open = seeds().flatMap(({ peerId }) => calls.connectionsTo(peerId));
      await Promise.all(
        open.map((connection) => connection.close().catch((error: Error) => connection.abort(error))),
      );
    },
    networks: () => built.networks().join(' '),
  });
}
