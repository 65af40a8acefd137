/** libp2p nodes on loopback that take part in the index, connected as a test says and in no other way. */
import type { Facts } from '../../src/core/facts.ts';
import type { IndexNode, IndexWorld } from '../contracts/index-channel.ts';
import { testValueRules } from './index-values.ts';
import { createLibp2pWorld, type TestNode } from './libp2p-world.ts';

export interface Libp2pIndexWorld extends IndexWorld {
  node(to?: readonly IndexNode[]): Promise<IndexNode & { readonly inner: TestNode }>;
}

export function createLibp2pIndexWorld(): Libp2pIndexWorld {
  const world = createLibp2pWorld();
  const made: TestNode[] = [];
  return {
    async node(to = []) {
      const wanted = made.filter(({ peerId }) => to.some((one) => one.peerId === peerId));
      const messages: Facts['index:message-received'][] = [];
      const inner = await world.node({
        bootstrap: wanted.map(({ address }) => address),
        config: { index: true },
        deps: { headValues: testValueRules },
      });
      inner.facts.on('index:message-received', (fact) => messages.push(fact));
      const others = made.filter((one) => !wanted.includes(one));
      world.cut([inner], others);
      made.push(inner);
      // Configured bootstraps are dialled one a round: the rounds are hurried until all are met.
      await world.hurry(600_000, () => wanted.every(({ peerId }) => inner.index.peers().includes(peerId)));
      await world.hurry(60_000, () => wanted.every((one) => one.index.peers().includes(inner.peerId)));
      return {
        peerId: inner.peerId,
        index: inner.index,
        messages,
        inner,
        close: () => inner[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}
