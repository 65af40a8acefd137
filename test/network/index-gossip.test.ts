import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noise } from '@chainsafe/libp2p-noise';
import {
  gossipsub,
  TopicValidatorResult,
  type GossipSub,
  type GossipSubComponents,
  type TopicValidatorFn,
} from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { PeerId } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createFactEmitter, type Facts } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import type { IndexVerdict } from '../../src/network/index-channel.ts';
import { createGossipMender } from '../../src/network/libp2p/index-gossip-mend.ts';
import { createGossipFactory } from '../../src/network/libp2p/index-gossip-settings.ts';
import { createIndexGossip } from '../../src/network/libp2p/index-gossip.ts';
import { indexTopic } from '../../src/network/libp2p/protocol-names.ts';
import { stopNow } from '../support/blob-pair.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createLibp2pIndexWorld } from '../support/index-world.ts';
import { createSkippingClock } from '../support/skipping-clock.ts';

const { indexChannel } = limits;
const { Accept, Ignore, Reject } = TopicValidatorResult;

/** Our rules around gossipsub's calls of the validator. */
function judged() {
  const clock = createFakeClock();
  const facts = createFactEmitter();
  const messages: Facts['index:message-received'][] = [];
  facts.on('index:message-received', (fact) => messages.push(fact));
  const left: { peerId: string; ms: number }[] = [];
  const subscribed: string[] = [];
  const topicValidators = new Map<string, TopicValidatorFn>();
  const gossip = createIndexGossip({
    clock,
    facts,
    pubsub: {
      topicValidators,
      subscribe: (topic) => void subscribed.push(topic),
      publish: async () => ({ recipients: [] }),
      getSubscribers: () => [],
    },
    leave: (peerId, ms) => void left.push({ peerId, ms }),
  });
  const validate = topicValidators.get(indexTopic) as TopicValidatorFn;
  const receive = async (peerId: string, data: Uint8Array): Promise<TopicValidatorResult> =>
    validate({ toString: () => peerId } as PeerId, { type: 'unsigned', topic: indexTopic, data });
  return { clock, gossip, messages, left, subscribed, receive };
}

describe('a message of the index', () => {
  it('is rejected without being looked at when it is empty or longer than 64 KiB', async () => {
    const { gossip, receive, messages } = judged();
    let looked = 0;
    gossip.onMessage(async () => {
      looked++;
      return 'accept';
    });
    assert.equal(await receive('a', new Uint8Array(65_536)), Accept);
    assert.equal(await receive('a', new Uint8Array(65_537)), Reject);
    assert.equal(await receive('a', new Uint8Array(0)), Reject);
    assert.equal(looked, 1);
    assert.deepEqual(messages.at(0), { peerId: 'a', bytes: 65_536, verdict: 'accept' });
  });

  it('is ignored when its verdict takes 5 s, when judging fails, and before anybody judges', async () => {
    const { clock, gossip, receive } = judged();
    assert.equal(await receive('a', Uint8Array.of(1)), Ignore);
    gossip.onMessage(() => new Promise(() => undefined));
    const slow = receive('a', Uint8Array.of(2));
    await clock.advance(indexChannel.validationTime - 1);
    assert.equal(await Promise.race([slow, Promise.resolve('waits')]), 'waits');
    await clock.advance(1);
    assert.equal(await slow, Ignore);
    gossip.onMessage(async () => {
      throw new Error('the map is gone');
    });
    assert.equal(await receive('a', Uint8Array.of(3)), Ignore);
  });

  it('waits for its verdict beside 31 others of its peer and 255 of all, and the rest is ignored', async () => {
    const { gossip, receive } = judged();
    const waiting: ((verdict: IndexVerdict) => void)[] = [];
    gossip.onMessage(() => new Promise((resolve) => waiting.push(resolve)));
    const results = [];
    for (let peer = 0; peer < 10; peer++) {
      for (let i = 0; i < 40; i++) results.push(receive(`peer-${peer}`, Uint8Array.of(peer, i)));
    }
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(waiting.length, indexChannel.validations);
    for (const resolve of waiting) resolve('accept');
    const done = await Promise.all(results);
    assert.equal(
      done.slice(0, 40).filter((result) => result === Accept).length,
      indexChannel.validationsPerPeer,
    );
    assert.equal(done.filter((result) => result === Ignore).length, 400 - indexChannel.validations);
    const again = receive('peer-0', Uint8Array.of(1));
    waiting.at(-1)?.('accept');
    assert.equal(await again, Accept);
  });

  it('waits for its verdict beside 4 MiB of others at most', async () => {
    const { gossip, receive } = judged();
    let asked = 0;
    gossip.onMessage(() => {
      asked++;
      return new Promise(() => undefined);
    });
    for (let i = 0; i < 80; i++) void receive(`peer-${i}`, new Uint8Array(65_536));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(asked, indexChannel.validationBytes / 65_536);
  });

  it('is rejected when its peer sends hundreds a second', async () => {
    const { clock, gossip, receive } = judged();
    gossip.onMessage(async () => 'accept');
    const results: TopicValidatorResult[] = [];
    for (let i = 0; i <= indexChannel.messageBurst; i++)
      results.push(await receive('a', Uint8Array.of(i & 255, i >> 8)));
    assert.equal(results.filter((result) => result === Reject).length, 1);
    assert.equal(await receive('b', Uint8Array.of(1)), Accept);
    await clock.advance(1000);
    assert.equal(await receive('a', Uint8Array.of(1)), Accept);
  });

  it('costs its peer the connection when it is the fifth that was rejected within an hour', async () => {
    const { clock, gossip, receive, left } = judged();
    gossip.onMessage(async () => 'reject');
    for (let i = 0; i < indexChannel.rejects - 1; i++) await receive('a', Uint8Array.of(i));
    await receive('b', Uint8Array.of(9));
    assert.deepEqual(left, []);
    await clock.advance(indexChannel.rejectsWithin + 1);
    await receive('a', Uint8Array.of(10));
    assert.deepEqual(left, []);
    for (let i = 1; i < indexChannel.rejects; i++) await receive('a', Uint8Array.of(20 + i));
    assert.deepEqual(left, [{ peerId: 'a', ms: indexChannel.rejectBan }]);
  });

  it('is listened for when somebody judges and libp2p has started, not before', () => {
    const one = judged();
    one.gossip.start();
    assert.deepEqual(one.subscribed, []);
    one.gossip.onMessage(async () => 'accept');
    assert.deepEqual(one.subscribed, [indexTopic]);
    const other = judged();
    other.gossip.onMessage(async () => 'accept');
    assert.deepEqual(other.subscribed, []);
    other.gossip.start();
    assert.deepEqual(other.subscribed, [indexTopic]);
  });
});

describe('gossip', () => {
  it('reaches all of six nodes in a line', async () => {
    await using world = createLibp2pIndexWorld();
    const nodes = [await world.node()];
    for (let i = 1; i < 6; i++) nodes.push(await world.node([nodes.at(-1) as (typeof nodes)[0]]));
    const heard = nodes.map(() => new Set<number>());
    for (const [i, node] of nodes.entries()) {
      node.index.onMessage(async (_from, message) => {
        heard[i]?.add(message[0] ?? 0);
        return 'accept';
      });
    }
    let probe = 100;
    await eventually('the line is up', async () => {
      await nodes[0]?.index.publish(Uint8Array.of(++probe));
      return (heard[5]?.size ?? 0) > 0;
    });
    await nodes[2]?.index.publish(Uint8Array.of(7));
    await eventually('all have it', () => heard.every((set, i) => i === 2 || set.has(7)));
  });

  it('comes back when the connection that carried it is closed and another stays', async () => {
    const make = () =>
      createLibp2p({
        addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionMonitor: { enabled: false },
        services: { identify: identify(), pubsub: createGossipFactory(() => true) },
      });
    const [one, other] = [await make(), await make()];
    const clocks = [createSkippingClock(), createSkippingClock()];
    const menders = [one, other].map((node, i) =>
      createGossipMender({
        clock: clocks[i] as (typeof clocks)[0],
        pubsub: node.services.pubsub,
        connections: () => node.getConnections().slice(0, 1),
      }),
    );
    try {
      let heard = 0;
      other.services.pubsub.addEventListener('message', () => heard++);
      for (const node of [one, other]) node.services.pubsub.subscribe(indexTopic);
      const first = await one.dial(other.getMultiaddrs());
      let probe = 0;
      const comes = async (): Promise<boolean> => {
        await one.services.pubsub.publish(indexTopic, Uint8Array.of(1, ++probe));
        await new Promise((resolve) => setTimeout(resolve, 20));
        return heard > 0;
      };
      await eventually('gossip flows', comes);
      await one.dial(other.getMultiaddrs(), { force: true });
      await eventually('two connections', () => other.getConnections().length === 2);
      await first.close();
      await eventually(
        'one is left',
        () => one.getConnections().length + other.getConnections().length === 2,
      );
      heard = 0;
      for (let i = 0; i < 10; i++) await comes();
      assert.equal(heard, 0, 'libp2p mends it by itself now: the mender can go');
      for (const mender of menders) mender.start();
      await eventually('gossip flows again', () => {
        for (const clock of clocks) clock.skip(1000);
        return comes();
      });
    } finally {
      for (const mender of menders) mender[Symbol.dispose]();
      await Promise.all([one, other].map(stopNow));
    }
  });

  it('of a peer that signs its messages or speaks of other topics is not passed on', async () => {
    await using world = createLibp2pIndexWorld();
    const node = await world.node();
    const heard: Buffer[] = [];
    node.index.onMessage(async (_from, message) => {
      heard.push(Buffer.from(message));
      return 'accept';
    });
    const make = (globalSignaturePolicy: 'StrictSign' | 'StrictNoSign') =>
      createLibp2p({
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        services: {
          identify: identify(),
          pubsub: gossipsub({ globalSignaturePolicy, allowPublishToZeroTopicPeers: true }),
        },
      });
    const [signing, plain] = [await make('StrictSign'), await make('StrictNoSign')];
    try {
      for (const [i, peer] of [signing, plain].entries()) {
        const { pubsub }: { pubsub: GossipSub } = peer.services;
        await peer.dial(node.inner.multiaddrs().map((text) => multiaddr(text)));
        await eventually('it knows that we listen', () => pubsub.getSubscribers(indexTopic).length > 0);
        await pubsub.publish(indexTopic, Uint8Array.of(i));
        await pubsub.publish('/another', Uint8Array.of(9));
      }
      await eventually('the plain one came', () => heard.length > 0);
      assert.deepEqual(
        heard.map((message) => message.toString('hex')),
        ['01'],
      );
    } finally {
      await Promise.all([signing, plain].map(stopNow));
    }
  });

  it('keeps nothing of what peers subscribe to but our topic, and is not carried over relayed connections', async () => {
    const options: unknown[] = [];
    const ours = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: {
        identify: identify(),
        pubsub: (components: GossipSubComponents) => {
          const { registrar } = components;
          const handle = registrar.handle.bind(registrar);
          registrar.handle = (protocol, handler, given) => {
            if (protocol.startsWith('/meshsub/')) options.push(given?.runOnLimitedConnection);
            return handle(protocol, handler, given);
          };
          return createGossipFactory(() => true)(components);
        },
      },
    });
    const peer = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), pubsub: gossipsub() },
    });
    try {
      for (const topic of ['/another', indexTopic]) peer.services.pubsub.subscribe(topic);
      await peer.dial(ours.getMultiaddrs());
      await eventually('it is known', () => ours.services.pubsub.getSubscribers(indexTopic).length === 1);
      assert.deepEqual(ours.services.pubsub.getSubscribers('/another'), []);
      assert.ok(options.length > 0);
      assert.ok(options.every((option) => option === false));
    } finally {
      await Promise.all([ours, peer].map(stopNow));
    }
  });
});
