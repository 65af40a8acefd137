import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createFactEmitter } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import { createLibp2pIndex, type Libp2pIndexDeps } from '../../src/network/libp2p/index-channel.ts';
import { createFakeClock } from '../support/fake-clock.ts';

it('mends gossip with each peer that takes part over its first open connection that is no relayed one', async () => {
  const clock = createFakeClock();
  const on = (peer: string, id: string, more: object = {}) => ({
    remotePeer: peer,
    id,
    status: 'open',
    ...more,
  });
  const connections = [
    on('closed', 'c1', { status: 'closing' }),
    on('relayed', 'r1', { limits: { seconds: 120 } }),
    on('twice', 't1', { limits: { seconds: 120 } }),
    on('twice', 't2'),
    on('twice', 't3'),
    on('stranger', 's1'),
    ...Array.from({ length: 200 }, (_, i) => on(`p${i}`, `p${i}`)),
  ];
  const known = ['closed', 'relayed', 'twice', 'gone', ...Array.from({ length: 200 }, (_, i) => `p${i}`)];
  let topology: { onConnect(peer: string): void } | undefined;
  let lists = 0;
  const mended: string[] = [];
  const node = {
    services: { dht: {} },
    getConnections: (peer?: string) => {
      if (peer !== undefined) return [connections[0]];
      lists++;
      return connections;
    },
    handle: async () => undefined,
    unhandle: async () => undefined,
    register: async (_protocol: string, given: typeof topology) => void (topology = given),
    addEventListener: () => undefined,
  };
  const pubsub = {
    topicValidators: new Map(),
    subscribe: () => undefined,
    streamsOutbound: new Map([['p7', {}]]),
    onPeerConnected: (_peer: string, { id }: { id: string }) => void mended.push(id),
  };
  await using index = createLibp2pIndex({
    clock,
    node,
    pubsub,
    rules: {},
    facts: createFactEmitter(),
    gate: undefined,
    isBanned: () => false,
    ban: () => undefined,
  } as unknown as Libp2pIndexDeps);
  await index.register();
  for (const peer of known) topology?.onConnect(peer);
  index.start();
  await clock.advance(limits.indexChannel.gossipMend);
  const others = Array.from({ length: 200 }, (_, i) => `p${i}`).filter((id) => id !== 'p7');
  assert.deepEqual(mended, ['t2', ...others]);
  assert.equal(lists, 1, 'one look at all connections, not one a peer');
});
