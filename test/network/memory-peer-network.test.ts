import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryWorld, type PeerBehaviour } from '../../src/network/memory-peer-network.ts';
import { systemClock } from '../../src/system-clock.ts';
import { bytesOf, holdersOf, peerFailure, testPeerNetwork } from '../contracts/peer-network.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createMemoryShelf, digestOf, someBytes } from '../support/memory-shelf.ts';

testPeerNetwork('memory peer network', async () => {
  const world = createMemoryWorld({ clock: systemClock });
  let made = 0;
  return {
    node: async (shelf) => world.node({ peerId: `peer-${++made}`, shelf, lan: true }),
    async [Symbol.asyncDispose]() {},
  };
});

describe('a scripted peer', () => {
  const bytes = someBytes(300_000);
  const digest = digestOf(bytes);
  const pair = (behaviour: PeerBehaviour) => {
    const clock = createFakeClock();
    const world = createMemoryWorld({ clock });
    const shelf = createMemoryShelf();
    shelf.put(bytes);
    const peer = world.node({ peerId: 'peer', shelf, behaviour });
    const asker = world.node({ peerId: 'asker', shelf: createMemoryShelf() });
    return { clock, world, peer, asker, shelf };
  };

  it('sends at the rate of its script, by the injected clock', async () => {
    const { clock, asker } = pair({ rate: 100_000 });
    const start = clock.monotonic();
    const answer = await asker.range('peer', { digest, offset: 0 });
    const done = bytesOf(answer.body);
    await clock.advance(10_000);
    assert.deepEqual(await done, bytes);
    let spent = -1;
    const again = await asker.range('peer', { digest, offset: 0 });
    const timed = bytesOf(again.body).then(() => (spent = clock.monotonic() - start - 10_000));
    await clock.advance(10_000);
    await timed;
    assert.ok(Math.abs(spent - 3000) < 1, `${spent} ms`);
  });

  it('is skipped when it misses its deadline', async () => {
    const { clock, asker } = pair({ deaf: true });
    const found = holdersOf(asker.ask(digest));
    await clock.advance(150);
    assert.deepEqual(await found, []);
  });

  it('gives one byte and then drips', async () => {
    const { clock, asker } = pair({ drip: { bytes: 1, every: 1000 } });
    const answer = await asker.range('peer', { digest, offset: 0 });
    let got = 0;
    const reading = (async () => {
      for await (const part of answer.body) if ((got += part.length) === 5) break;
    })();
    await clock.advance(2500);
    assert.equal(got, 3);
    await clock.advance(2500);
    await reading;
  });

  it('breaks off where it should, sends wrong bytes, is busy, forgets, and stalls', async () => {
    const { clock, asker, peer } = pair({ cutAt: 100_000 });
    const cut = await asker.range('peer', { digest, offset: 0 });
    let got = 0;
    await assert.rejects(async () => {
      for await (const part of cut.body) got += part.length;
    }, peerFailure('reset'));
    assert.equal(got, 100_000);

    peer.behave({ wrongBytes: true });
    const wrong = await bytesOf((await asker.range('peer', { digest, offset: 0 })).body);
    assert.equal(wrong.length, bytes.length);
    assert.notEqual(digestOf(wrong), digest);

    peer.behave({ busy: 700 });
    await assert.rejects(asker.range('peer', { digest, offset: 0 }), (error: { retryAfter?: number }) => {
      assert.equal(error.retryAfter, 700);
      return peerFailure('busy')(error);
    });

    peer.behave({ notFoundAfterHave: true });
    assert.equal((await holdersOf(asker.ask(digest))).length, 1);
    await assert.rejects(asker.range('peer', { digest, offset: 0 }), peerFailure('not-found'));

    peer.behave({ stallAt: 65_536 });
    const stalled = await asker.range('peer', { digest, offset: 0 });
    const failed = assert.rejects(bytesOf(stalled.body), peerFailure('deadline'));
    await clock.advance(60_000);
    await failed;
  });

  it('claims a size it has not', async () => {
    const { asker } = pair({ claimedSize: 300_010 });
    const [holder] = await holdersOf(asker.ask(digest));
    assert.equal(holder?.size, 300_010);
    const answer = await asker.range('peer', { digest, offset: 0 });
    assert.equal((await bytesOf(answer.body)).length, 300_010);
  });

  it('is found through its record when it is not connected', async () => {
    const clock = createFakeClock();
    const world = createMemoryWorld({ clock });
    const shelf = createMemoryShelf();
    shelf.put(bytes);
    const asker = world.node({ peerId: 'asker', shelf: createMemoryShelf() });
    const far = world.node({ peerId: 'far', shelf, connected: false });
    assert.deepEqual(await holdersOf(asker.ask(digest)), []);
    assert.deepEqual(await holdersOf(asker.find(digest)), []);
    far.advertise(digest);
    assert.deepEqual(await holdersOf(asker.find(digest)), [], 'nobody is remembered for 60 s');
    await clock.advance(60_001);
    const found = await holdersOf(asker.find(digest));
    assert.deepEqual(
      found.map((holder) => holder.peerId),
      ['far'],
    );
  });
});
