import { createFactEmitter, type Facts } from '../../src/core/facts.ts';
import { createMemoryWorld } from '../../src/network/memory-peer-network.ts';
import { systemClock } from '../../src/system-clock.ts';
import { testIndexChannel } from '../contracts/index-channel.ts';
import { testValueRules } from '../support/index-values.ts';
import { createMemoryShelf } from '../support/memory-shelf.ts';

testIndexChannel('the index channel in memory', async () => {
  const world = createMemoryWorld({ clock: systemClock });
  let made = 0;
  return {
    async node(to = []) {
      const facts = createFactEmitter();
      const messages: Facts['index:message-received'][] = [];
      facts.on('index:message-received', (fact) => messages.push(fact));
      const peerId = `node-${++made}`;
      const network = world.node({
        peerId,
        facts,
        shelf: createMemoryShelf(),
        connected: false,
        headValues: testValueRules,
      });
      for (const other of to) world.connect(peerId, other.peerId);
      return { peerId, messages, index: network.index, close: () => network[Symbol.asyncDispose]() };
    },
    async [Symbol.asyncDispose]() {},
  };
});
