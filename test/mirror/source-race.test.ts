import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LaneView, nextMoves, peerWins, type RaceView } from '../../src/mirror/source-race.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

function lane(id: number, kind: LaneView['kind'], more: Partial<LaneView> = {}): LaneView {
  return { id, kind, position: 0, delivered: 0, rate: 0, age: 0, slow: false, stalled: false, ...more };
}

function view(more: Partial<RaceView> = {}): RaceView {
  return {
    elapsed: 0,
    size: 5 * MiB,
    here: 0,
    solo: false,
    lanes: [],
    asking: false,
    proven: 0,
    strangers: 0,
    upstream: 'ready',
    upstreamRate: undefined,
    budget: 300,
    mayHedge: false,
    ...more,
  };
}
const peers = { move: 'peers', hedge: false };

test('nothing known: the upstream at once', () => {
  assert.deepEqual(nextMoves(view()), [{ move: 'upstream' }]);
});

test('while connected peers are asked the upstream waits, 300 ms at most', () => {
  assert.deepEqual(nextMoves(view({ asking: true, elapsed: 299 })), []);
  assert.deepEqual(nextMoves(view({ asking: true, elapsed: 300 })), [{ move: 'upstream' }]);
  assert.deepEqual(nextMoves(view({ asking: true, budget: 0 })), [{ move: 'upstream' }]);
});

test('a known peer is started at once; the upstream beside it after 300 ms unless 256 KiB came', () => {
  assert.deepEqual(nextMoves(view({ proven: 1 })), [peers]);
  const trickle = lane(1, 'peers', { position: 1, delivered: 1, rate: 1000, age: 300 });
  assert.deepEqual(nextMoves(view({ elapsed: 300, lanes: [trickle] })), [{ move: 'upstream' }]);
  const good = lane(1, 'peers', { position: 300 * KiB, delivered: 300 * KiB, rate: MiB, age: 300 });
  assert.deepEqual(nextMoves(view({ elapsed: 300, lanes: [good] })), []);
  assert.deepEqual(nextMoves(view({ elapsed: 3000, lanes: [{ ...good, slow: true }] })), [
    { move: 'upstream' },
  ]);
});

test('a peer wins with 256 KiB and an end no later than 1.2 times the upstream’s', () => {
  const peer = lane(1, 'peers', { position: MiB, delivered: MiB, rate: MiB });
  const upstream = lane(2, 'upstream', { position: MiB, delivered: MiB });
  const at = view({ elapsed: 1000 });
  assert.equal(peerWins(peer, { ...upstream, rate: 1.2 * MiB }, at), true);
  assert.equal(peerWins(peer, { ...upstream, rate: 1.4 * MiB }, at), false);
  assert.equal(peerWins({ ...peer, delivered: 255 * KiB }, { ...upstream, rate: 1 }, at), false);
  assert.equal(
    peerWins({ ...peer, rate: 0 }, { ...upstream, rate: 0 }, at),
    false,
    'who stands still wins nothing',
  );
  assert.equal(peerWins({ ...peer, slow: true }, { ...upstream, rate: 1 }, at), false);
});

test('an upstream that was just asked is trusted with its usual rate', () => {
  const peer = lane(1, 'peers', { position: MiB, delivered: MiB, rate: MiB });
  const silent = lane(2, 'upstream', { age: 500 });
  assert.equal(peerWins(peer, silent, view({ elapsed: 500, upstreamRate: 50 * MiB })), false);
  assert.equal(
    peerWins(peer, { ...silent, age: 2500 }, view({ elapsed: 2500, upstreamRate: 50 * MiB })),
    true,
  );
});

test('of two sources one of which was slow, the one 256 KiB behind is stopped, and has lost by rate', () => {
  const slow = lane(1, 'peers', { position: MiB, delivered: MiB, slow: true, rate: 10 });
  const upstream = lane(2, 'upstream', { position: MiB + 256 * KiB, delivered: 256 * KiB, rate: MiB });
  assert.deepEqual(nextMoves(view({ elapsed: 5000, lanes: [slow, upstream] })), [
    { move: 'stop', lane: 1, lost: true },
  ]);
  const level = { ...upstream, position: MiB + 255 * KiB };
  assert.deepEqual(nextMoves(view({ elapsed: 5000, lanes: [slow, level] })), []);
});

test('a late peer takes over only when more than two seconds are left', () => {
  const running = lane(1, 'upstream', { position: 3 * MiB, delivered: 3 * MiB, rate: MiB, age: 3000 });
  assert.deepEqual(nextMoves(view({ elapsed: 3000, here: 3 * MiB, proven: 1, lanes: [running] })), []);
  const slower = { ...running, rate: 0.9 * MiB };
  assert.deepEqual(nextMoves(view({ elapsed: 3000, here: 3 * MiB, proven: 1, lanes: [slower] })), [peers]);
});

test('a hedge beside a healthy upstream needs one that was earned, and the first 256 KiB', () => {
  const running = lane(1, 'upstream', { delivered: 10 * KiB, position: 10 * KiB, rate: 10 * MiB, age: 50 });
  const at = view({ proven: 1, lanes: [running], budget: 0, here: 10 * KiB });
  assert.deepEqual(nextMoves(at), []);
  assert.deepEqual(nextMoves({ ...at, mayHedge: true }), [{ move: 'peers', hedge: true }]);
  assert.deepEqual(nextMoves({ ...at, mayHedge: true, here: 256 * KiB }), []);
});

test('a stalled upstream with nobody else is doubled once; of two stalled ones the older goes', () => {
  const stalled = lane(1, 'upstream', { age: 5000, slow: true, stalled: true });
  assert.deepEqual(nextMoves(view({ elapsed: 5000, lanes: [stalled] })), [{ move: 'upstream' }]);
  const second = lane(2, 'upstream', { age: 100 });
  assert.deepEqual(nextMoves(view({ elapsed: 5100, lanes: [stalled, second] })), []);
  const both = [stalled, { ...second, age: 4500, slow: true, stalled: true }];
  assert.deepEqual(nextMoves(view({ elapsed: 9500, lanes: both }))[0], {
    move: 'stop',
    lane: 1,
    lost: false,
  });
});

test('one source at a time after a wrong whole of several', () => {
  const at = view({ solo: true, proven: 2, strangers: 1 });
  assert.deepEqual(nextMoves(at), [{ move: 'upstream' }]);
  assert.deepEqual(nextMoves({ ...at, upstream: 'never' }), [peers]);
  const running = lane(1, 'upstream', { age: 5000, slow: true, rate: 10 });
  assert.deepEqual(nextMoves({ ...at, elapsed: 5000, lanes: [running] }), []);
});

test('a stranger gets small blobs only, unless there is nothing else', () => {
  assert.deepEqual(nextMoves(view({ strangers: 3 })), [{ move: 'stranger' }]);
  assert.deepEqual(nextMoves(view({ strangers: 3, size: 9 * MiB })), [{ move: 'upstream' }]);
  assert.deepEqual(nextMoves(view({ strangers: 3, size: 9 * MiB, upstream: 'never' })), [
    { move: 'stranger' },
  ]);
  assert.deepEqual(nextMoves(view({ strangers: 3, proven: 1 })), [peers]);
});

test('whatever the state: never two strangers, never more than two of a kind, and something runs while it can', () => {
  const laneOf = fc.record({
    kind: fc.constantFrom<LaneView['kind']>('upstream', 'peers', 'stranger'),
    position: fc.integer({ min: 0, max: 5 * MiB }),
    delivered: fc.integer({ min: 0, max: 5 * MiB }),
    rate: fc.integer({ min: 0, max: 50 * MiB }),
    age: fc.integer({ min: 0, max: 60_000 }),
    slow: fc.boolean(),
    stalled: fc.boolean(),
  });
  const state = fc.record({
    elapsed: fc.integer({ min: 0, max: 60_000 }),
    size: fc.option(fc.integer({ min: 0, max: 20 * MiB }), { nil: undefined }),
    here: fc.integer({ min: 0, max: 5 * MiB }),
    solo: fc.boolean(),
    asking: fc.boolean(),
    proven: fc.nat(3),
    strangers: fc.nat(3),
    upstream: fc.constantFrom<RaceView['upstream']>('ready', 'waiting', 'never'),
    upstreamRate: fc.option(fc.integer({ min: 1, max: 50 * MiB }), { nil: undefined }),
    budget: fc.constantFrom(0, 300),
    mayHedge: fc.boolean(),
    lanes: fc.array(laneOf, { maxLength: 3 }),
  });
  fc.assert(
    fc.property(state, (drawn) => {
      const lanes = drawn.lanes
        .map((one, id) => ({ id, ...one, slow: one.slow || one.stalled }))
        .filter(
          (one, n, all) => one.kind !== 'stranger' || all.findIndex(({ kind }) => kind === 'stranger') === n,
        )
        .filter((one, _n, all) => all.filter(({ kind, id }) => kind === one.kind && id < one.id).length < 2);
      const moves = nextMoves({ ...drawn, lanes });
      const stopped = new Set(moves.flatMap((move) => (move.move === 'stop' ? [move.lane] : [])));
      const left = lanes.filter(({ id }) => !stopped.has(id));
      const count = (kind: string): number =>
        left.filter((one) => one.kind === kind).length + moves.filter(({ move }) => move === kind).length;
      assert.ok(count('stranger') <= 1);
      assert.ok(count('upstream') <= 2 && count('peers') <= 2);
      const begun = moves.some(({ move }) => move !== 'stop');
      const late = drawn.elapsed >= drawn.budget;
      if (left.length === 0 && drawn.upstream === 'ready' && late) assert.ok(begun, 'the upstream is there');
      if (left.length === 0 && drawn.proven > 0 && drawn.upstream === 'never' && !drawn.asking)
        assert.ok(begun);
    }),
  );
});
