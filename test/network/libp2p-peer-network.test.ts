import { testPeerNetwork } from '../contracts/peer-network.ts';
import { createLibp2pWorld } from '../support/libp2p-world.ts';
import type { TestNode } from '../support/libp2p-world.ts';

testPeerNetwork('libp2p peer network', async () => {
  const world = createLibp2pWorld();
  const made: TestNode[] = [];
  return {
    async node(shelf) {
      const node = await world.node({ shelf, bootstrap: made.map(({ address }) => address) });
      // Configured bootstraps are dialled one a round: the rounds are hurried until all are met.
      await world.hurry(600_000, () => node.status().peers.length >= made.length);
      await world.hurry(60_000, () =>
        made.every((one) => one.status().peers.some(({ peerId }) => peerId === node.peerId)),
      );
      made.push(node);
      return node;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
});
