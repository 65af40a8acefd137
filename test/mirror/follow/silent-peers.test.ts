import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeIndexRequest } from '../../../src/core/index-messages/index-request.ts';
import type { IndexHandler } from '../../../src/network/index-channel.ts';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import type { IndexAsker } from '../../../src/mirror/follow/ask-index.ts';
import { fetchMap } from '../../../src/mirror/follow/fetch-map.ts';
import { Refusals } from '../../../src/mirror/follow/refusals.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFollowWorld, policyOf, serialOf, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

/** As one behind a cut: it takes the question about records and says nothing. */
const silent =
  (isCut: () => boolean) =>
  (handler: IndexHandler): IndexHandler =>
    async function* (peer, request, signal) {
      if (!isCut() || decodeIndexRequest(request).q !== 'range') return yield* handler(peer, request, signal);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
    };

/** Three peers that will be cut off, one that tells of each head before it has its record, and one that has none yet. */
async function create(answers: (asked: number) => boolean) {
  const world = createFollowWorld();
  const { doubles } = await threePublishers(world, { foo: pair(1) });
  const [double] = doubles;
  let cut = false;
  let asked = 0;
  const others = ['x', 'y', 'z'].map((name) =>
    world.serve(
      double,
      name,
      silent(() => cut),
    ),
  );
  const giver = world.serve(
    double,
    'giver',
    (handler) =>
      async function* (peer, request, signal) {
        if (decodeIndexRequest(request).q === 'range' && !answers(++asked)) return;
        yield* handler(peer, request, signal);
      },
  );
  let lastAnswers = false;
  const last = world.serve(
    double,
    'last',
    (handler) =>
      async function* (peer, request, signal) {
        if (decodeIndexRequest(request).q !== 'range' || lastAnswers) yield* handler(peer, request, signal);
      },
  );
  const connected = [...others, giver, last].map(({ peerId }) => peerId);
  const one = await world.follower(policyOf(1, [double]), { connected });
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 1);
  asked = 0;
  return {
    world,
    one,
    async saysInTheCut(serial: number): Promise<void> {
      cut = true;
      await giver.says({ set: { foo: pair(serial) } });
      await world.settle();
    },
    asked: () => asked,
    lastHasIt(): void {
      lastAnswers = true;
    },
  };
}

test('who tells of a head before it has its record is asked again while others are silent', async () => {
  const { world, one, saysInTheCut } = await create((asked) => asked > 1);
  await saysInTheCut(2);
  assert.equal(serialOf(await one.believes('foo')), 1);
  await world.clock.advance(1100);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('beside a silent peer the next is asked, and all of them after the others from then on', async () => {
  const { world, one, saysInTheCut, asked, lastHasIt } = await create((count) => count === 4);
  await saysInTheCut(2);
  await world.clock.advance(3100);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  assert.equal(asked(), 4);
  lastHasIt();
  await saysInTheCut(3);
  assert.equal(serialOf(await one.believes('foo')), 3);
  await one.close();
});

test('where everybody is silent it is tried again once they speak', async () => {
  let heard = false;
  const { world, one, saysInTheCut } = await create(() => heard);
  await saysInTheCut(2);
  await world.clock.advance(10_000);
  assert.equal(serialOf(await one.believes('foo')), 1);
  heard = true;
  await world.clock.advance(10_000);
  await world.settle();
  assert.equal(serialOf(await one.believes('foo')), 2);
  await one.close();
});

test('who drips the bins of a map is asked after the others from then on', async () => {
  const clock = createFakeClock();
  const refusals = new Refusals(clock, createFactEmitter());
  const asked: string[] = [];
  const asker = {
    async *bins(peer: string, _leaves: unknown, _runs: unknown, signal: AbortSignal) {
      asked.push(peer);
      yield [];
      if (peer === 'drips')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
    },
  } as unknown as IndexAsker;
  const maps = { missing: () => [1], add: async () => undefined };
  const peers = (): string[] => refusals.inOrder(['drips', 'other']);
  const record = { leaves: '0'.repeat(64), mapRoot: '0'.repeat(64) } as never;
  const known = new Uint8Array(2 ** 21);
  const fetching = fetchMap(
    { clock, asker, refusals, maps, peers },
    'a.example',
    record,
    new AbortController().signal,
    {
      known,
    },
  );
  await clock.advance(limits.follow.mapTime);
  assert.equal(await fetching, undefined);
  assert.deepEqual(asked, ['drips', 'other']);
  assert.deepEqual(peers(), ['other', 'drips']);
});

test('who leaves while peers are asked about a name takes the answer from nobody who waits for it too', async () => {
  const world = createFollowWorld();
  const double = await world.publisher('a.example');
  await double.sign({ at: world.clock.now(), set: { foo: pair(1) } });
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const node = world.serve(
    double,
    'a.example',
    (handler) =>
      async function* (peer, request, signal) {
        const { q } = decodeIndexRequest(request);
        if (q === 'object') return;
        if (q === 'bundles') await released;
        yield* handler(peer, request, signal);
      },
  );
  const one = await world.follower(policyOf(1, [double]), { connected: [node.peerId] });
  await world.settle();
  const leaving = new AbortController();
  const foo = parseProjectName('foo');
  const first = one.follower.believe(foo, leaving.signal);
  const second = one.follower.believe(foo);
  await world.settle();
  leaving.abort();
  await world.settle();
  release();
  await world.settle();
  assert.equal(serialOf(await second), 1);
  await first;
  await one.close();
});
