import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { limits } from '../../../src/core/limits.ts';
import { FollowLoop } from '../../../src/mirror/follow/follow-loop.ts';
import { Refusals } from '../../../src/mirror/follow/refusals.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function createLoop(outcome: () => 'met' | 'busy') {
  const clock = createFakeClock(0);
  const facts = createFactEmitter();
  const peers: string[] = [];
  const met: number[] = [];
  let contact = (_peer: string): void => undefined;
  const nothing = async (): Promise<void> => undefined;
  const loop = new FollowLoop({
    clock,
    randomness: { bytes: (length) => new Uint8Array(length), float: () => 0 },
    facts,
    channel: {
      peers: () => peers,
      onPeer(listener) {
        contact = listener;
        return () => undefined;
      },
      request: () => assert.fail(),
      serve: () => assert.fail(),
      publish: () => assert.fail(),
      onMessage: () => assert.fail(),
      putValue: () => assert.fail(),
      getValue: () => assert.fail(),
    },
    refusals: new Refusals(clock, facts),
    voters: [],
    now: () => clock.now(),
    async exchange() {
      met.push(clock.monotonic());
      return outcome();
    },
    putHeads: nothing,
    getHeads: nothing,
    upkeep: nothing,
  });
  loop.start();
  const connect = (peer: string): void => {
    peers.push(peer);
    contact(peer);
  };
  return { clock, loop, peers, met, connect };
}

test('a peer that is busy on contact is asked again soon, not with the next round', async () => {
  let left = 2;
  const { clock, loop, met, connect } = createLoop(() => (left-- > 0 ? 'busy' : 'met'));
  const { retryFirst } = limits.follow;
  connect('new');
  for (let ms = 0; ms < 20 * retryFirst; ms += retryFirst) await clock.advance(retryFirst);
  const [first = 0] = met;
  assert.deepEqual(
    met.map((at) => at - first),
    [0, retryFirst, 3 * retryFirst],
  );
  await loop[Symbol.asyncDispose]();
});

test('one that stays busy is left to the rounds, and one that went is not asked', async () => {
  const { clock, loop, peers, met, connect } = createLoop(() => 'busy');
  connect('busy');
  const step = 500;
  for (let ms = 0; ms < limits.follow.antiEntropyEvery - step; ms += step) await clock.advance(step);
  assert.ok(met.length > 2 && met.length < 8, `${met.length} times`);
  peers.length = 0;
  connect('gone');
  await clock.advance(0);
  const before = met.length;
  peers.length = 0;
  for (let ms = 0; ms < limits.follow.antiEntropyEvery; ms += step) await clock.advance(step);
  assert.equal(met.length, before);
  await loop[Symbol.asyncDispose]();
});
