import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PeerError } from '../../src/core/errors.ts';
import { createFactEmitter, type Facts } from '../../src/core/facts.ts';
import { createMemoryWorld } from '../../src/network/memory-peer-network.ts';
import { createThreadedPeerNetwork } from '../../src/network/thread/threaded-peer-network.ts';
import { systemClock } from '../../src/system-clock.ts';
import { answerOf, testIndexChannel } from '../contracts/index-channel.ts';
import { type ChannelThread, channelThread } from '../support/channel-thread.ts';
import { eventually } from '../support/eventually.ts';
import { testValueRules } from '../support/index-values.ts';
import { createMemoryShelf } from '../support/memory-shelf.ts';
import { createSkippingClock } from '../support/skipping-clock.ts';

testIndexChannel("the index channel behind the thread's messages", async () => {
  const world = createMemoryWorld({ clock: systemClock });
  const open: AsyncDisposable[] = [];
  let made = 0;
  return {
    async node(to = []) {
      const facts = createFactEmitter();
      const messages: Facts['index:message-received'][] = [];
      facts.on('index:message-received', (fact) => messages.push(fact));
      const peerId = `node-${++made}`;
      const start = () =>
        channelThread(systemClock, async (deps) =>
          world.node({ ...deps, peerId, connected: false, headValues: testValueRules }),
        );
      const network = await createThreadedPeerNetwork({
        first: start(),
        start,
        clock: systemClock,
        shelf: createMemoryShelf(),
        facts,
      });
      open.push(network);
      for (const other of to) world.connect(peerId, other.peerId);
      return { peerId, messages, index: network.index, close: () => network[Symbol.asyncDispose]() };
    },
    async [Symbol.asyncDispose]() {
      for (const network of open) await network[Symbol.asyncDispose]();
    },
  };
});

it('a thread that begins anew serves and listens as the one before it did, and its requests had ended', async () => {
  const world = createMemoryWorld({ clock: systemClock });
  const shelf = createMemoryShelf();
  const other = world.node({ peerId: 'other', shelf, headValues: testValueRules });
  const threads: ChannelThread[] = [];
  const clock = createSkippingClock();
  const start = (): ChannelThread => {
    const peerId = `life-${threads.length}`;
    const thread = channelThread(clock, async (deps) => world.node({ ...deps, peerId }));
    threads.push(thread);
    return thread;
  };
  const facts = createFactEmitter();
  await using network = await createThreadedPeerNetwork({ first: start(), start, clock, shelf, facts });
  const heard: string[] = [];
  const came: string[] = [];
  network.index.onPeer((peerId) => came.push(peerId));
  network.index.serve(async function* (from, request) {
    yield Buffer.from(`${from} asked ${Buffer.from(request).toString()}`);
  });
  network.index.onMessage(async (_from, message) => {
    heard.push(Buffer.from(message).toString());
    return 'accept';
  });
  const answers = async (life: string): Promise<boolean> => {
    try {
      const answer = await answerOf(other.index.request(life, Buffer.from('a')));
      return answer.toString() === 'other asked a';
    } catch {
      return false;
    }
  };
  await eventually('the first life answers', () => answers('life-0'));
  other.index.serve(async function* (_from, _request, signal) {
    yield Buffer.from('begun');
    await new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
  });
  const reading = network.index.request('other', Buffer.from('b'))[Symbol.asyncIterator]();
  assert.equal(Buffer.from((await reading.next()).value ?? []).toString(), 'begun');
  const next = reading.next();
  threads[0]?.crash(new Error('a bug'));
  await assert.rejects(Promise.resolve(next), PeerError);
  await eventually('the channel is empty', () => network.index.peers().length === 0);
  await eventually('the second life answers', () => {
    clock.skip(1000);
    return answers('life-1');
  });
  await other.index.publish(Buffer.from('news'));
  await eventually('and listens', () => heard.includes('news'));
  world.node({ peerId: 'third', shelf });
  await eventually('and tells who comes', () => came.includes('third'));
});
