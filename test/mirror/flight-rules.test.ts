/** The small rules of a flight: what is held back, what progress is, who is blamed, who may be tried. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDigest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import { convicted, fingerprint, soleSender } from '../../src/mirror/blame.ts';
import { dripOut, letOut } from '../../src/mirror/held-tail.ts';
import { createMemoryBudget } from '../../src/mirror/memory-budget.ts';
import { createCandidates } from '../../src/mirror/peer-candidates.ts';
import { createRaceMemory } from '../../src/mirror/race-memory.ts';
import { createMeter, isStalled, isTooSlow } from '../../src/mirror/source-progress.ts';
import { createStrangerGate } from '../../src/mirror/stranger-gate.ts';
import type { Holder } from '../../src/network/peer-network.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const HELD = limits.gateway.heldBackTail;

test('before the hash fits the last byte stays here, never more than 64 KiB do, and what went out does not come back', () => {
  const steps = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 200 * KiB }), drip: fc.boolean() }), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(steps, fc.boolean(), (taken, known) => {
      const size = taken.reduce((sum, { bytes }) => sum + bytes, 0);
      let state = {
        arrived: 0,
        size: known ? size : undefined,
        verified: false,
        out: 0,
        withheldFrom: undefined,
      };
      for (const { bytes, drip } of taken) {
        state = { ...state, arrived: state.arrived + bytes };
        const out = drip ? dripOut(state) : letOut(state);
        assert.ok(out >= state.out);
        assert.ok(out === 0 || out < size, 'the last byte');
        assert.ok(out <= state.arrived);
        if (!drip) assert.ok(state.arrived - out <= HELD);
        state = { ...state, out };
      }
      assert.equal(letOut({ ...state, verified: true }), size);
    }),
  );
});

test('however long a client waits, drips stop before the last byte that may be the end', () => {
  for (const size of [1, 5, undefined]) {
    let state = { arrived: size ?? 5, size, verified: false, out: 0, withheldFrom: undefined };
    for (let n = 0; n < 10; n++) state = { ...state, out: dripOut(state) };
    assert.equal(state.out, state.arrived - 1);
  }
  const middle = { arrived: 5, size: 9, verified: false, out: 4, withheldFrom: undefined };
  assert.equal(dripOut(middle), 5, 'in the middle the last one that is here may go');
});

test('nothing of a stranger is let out, not even by a drip', () => {
  const state = { arrived: MiB, size: 20 * MiB, verified: false, out: 0, withheldFrom: 100 };
  assert.equal(letOut(state), 0);
  assert.equal(dripOut({ ...state, out: 99 }), 100);
  assert.equal(dripOut({ ...state, out: 100 }), 100);
});

test('progress is the rate of the last two seconds, not what came before', () => {
  const meter = createMeter(0);
  for (let at = 0; at < 5000; at += 100) meter.add(at, MiB);
  assert.equal(isTooSlow(meter, 5000, MiB), false);
  for (let at = 5000; at < 7500; at += 100) meter.add(at, 1);
  assert.equal(isTooSlow(meter, 7500, undefined), true);
  assert.ok(meter.rate(7500) < 100, `${meter.rate(7500)}`);
});

test('what is enough alone is too slow beside an upstream that gives more than twice of it', () => {
  const meter = createMeter(0);
  for (let at = 0; at < 4000; at += 100) meter.add(at, 20 * KiB);
  assert.equal(isTooSlow(meter, 4000, undefined), false);
  assert.equal(isTooSlow(meter, 4000, 300 * KiB), false);
  assert.equal(isTooSlow(meter, 4000, 500 * KiB), true);
});

test('a source gets two seconds before it is judged, and is stalled from its last byte on', () => {
  const meter = createMeter(1000);
  assert.equal(isTooSlow(meter, 2999, MiB), false);
  assert.equal(isTooSlow(meter, 3000, MiB), true);
  meter.add(3000, 1);
  assert.equal(isStalled(meter, 6999, 4000), false);
  assert.equal(isStalled(meter, 7000, 4000), true);
});

const reader = (bytes: Uint8Array) => async (target: Uint8Array, offset: number) => {
  const part = bytes.subarray(offset, offset + Math.min(target.length, 100));
  target.set(part);
  return part.length;
};
const range = (start: number, source: string) => ({ start, end: start + 1, source });

test('who sent a range that the good whole contradicts is convicted, the others are not', async () => {
  const length = fc.integer({ min: 1, max: 400 });
  const parts = fc.array(
    fc.record({ length, source: fc.constantFrom('peer:a', 'peer:b', 'peer:c'), bad: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  await fc.assert(
    fc.asyncProperty(parts, async (drawn) => {
      const size = drawn.reduce((sum, part) => sum + part.length, 0);
      const good = new Uint8Array(size).map((_byte, at) => at % 251);
      const bad = good.slice();
      const guilty = new Set<string>();
      let start = 0;
      const sent = drawn.map((part) => {
        const one = { start, end: start + part.length, source: part.source };
        if (part.bad) {
          bad[start] = (bad[start] ?? 0) ^ 1;
          guilty.add(part.source);
        }
        start = one.end;
        return one;
      });
      const suspects = await fingerprint(reader(bad), sent);
      assert.deepEqual(new Set(await convicted(reader(good), suspects)), guilty);
    }),
  );
});

test('one sender of all is the sole one; two are none', () => {
  assert.equal(soleSender([range(0, 'peer:a'), range(1, 'peer:a')]), 'peer:a');
  assert.equal(soleSender([range(0, 'peer:a'), range(1, 'https://x')]), undefined);
  assert.equal(soleSender([]), undefined);
});

const digest = parseDigest(createHash('sha256').update('x').digest('hex'));

test('two failed strangers close a blob to others for ten minutes', () => {
  const gate = createStrangerGate();
  assert.equal(gate.allows(digest, 0), true);
  gate.failed(digest, 0);
  assert.equal(gate.allows(digest, 0), true);
  gate.failed(digest, 1000);
  assert.equal(gate.allows(digest, 600_999), false);
  assert.equal(gate.allows(digest, 601_000), true);
});

test('too many discarded bytes of peers within an hour close the door to strangers, until they are old', () => {
  const gate = createStrangerGate();
  gate.discarded(64 * MiB, 0);
  assert.equal(gate.allows(digest, 0), true, 'the limit itself is allowed');
  gate.discarded(1, 1000);
  assert.equal(gate.allows(digest, 2000), false);
  assert.equal(gate.allows(digest, 3_601_000), true);
  gate.fetched(2000 * MiB, 4_000_000);
  gate.discarded(150 * MiB, 4_000_000);
  assert.equal(gate.allows(digest, 4_000_000), true, 'a tenth of what was fetched');
});

test('peers that win less than one of twenty fetches are not waited for, and get their time back when they win again', () => {
  const races = createRaceMemory();
  for (let n = 0; n < 49; n++) races.finished('upstream');
  assert.equal(races.budget(), 300, 'too few to judge');
  races.finished('upstream');
  assert.equal(races.budget(), 0);
  for (let n = 0; n < 3; n++) races.finished('peer');
  assert.equal(races.budget(), 300);
});

test('a hedge is earned by twenty fetches, four at most', () => {
  const races = createRaceMemory();
  for (let n = 0; n < 19; n++) races.began();
  assert.equal(races.mayHedge(), false);
  races.began();
  assert.equal(races.mayHedge(), true);
  for (let n = 0; n < 1000; n++) races.began();
  for (let n = 0; n < 4; n++) races.spendHedge();
  assert.equal(races.mayHedge(), false);
});

test('the upstream’s rate is learned from real transfers and forgotten after ten minutes', () => {
  const races = createRaceMemory();
  const tiny = createMeter(0);
  tiny.add(1, 1000);
  races.noteUpstream(tiny, 1);
  assert.equal(races.upstreamRate(1), undefined);
  const meter = createMeter(0);
  meter.add(1000, MiB);
  races.noteUpstream(meter, 1000);
  assert.equal(races.upstreamRate(1000), MiB);
  assert.equal(races.upstreamRate(700_000), undefined);
});

const holder = (peerId: string, more: Partial<Holder> = {}): Holder => ({
  peerId,
  lan: false,
  proven: true,
  size: 1,
  load: 0,
  goodput: MiB,
  ...more,
});

test('LAN peers come first, then the better of two at random', () => {
  const floats = [0, 0];
  const candidates = createCandidates({ bytes: () => new Uint8Array(), float: () => floats.shift() ?? 0 });
  candidates.add(holder('slow', { goodput: 100 * KiB }));
  candidates.add(holder('fast', { goodput: 10 * MiB }));
  candidates.add(holder('near', { lan: true, goodput: 1 }));
  assert.deepEqual(
    candidates.pick(0, true, 2).map(({ peerId }) => peerId),
    ['near', 'fast'],
  );
});

test('a loaded peer is worth less', () => {
  const candidates = createCandidates({ bytes: () => new Uint8Array(), float: () => 0 });
  candidates.add(holder('loaded', { load: 250, goodput: 10 * MiB }));
  candidates.add(holder('idle', { goodput: 2 * MiB }));
  assert.equal(candidates.pick(0, true, 1)[0]?.peerId, 'idle');
});

test('at most twelve peers are tried for a blob, however many say they have it', () => {
  const candidates = createCandidates({ bytes: () => new Uint8Array(), float: () => 0.5 });
  for (let n = 0; n < 30; n++) candidates.add(holder(`p${n}`));
  let tried = 0;
  for (let [next] = candidates.pick(0, true, 1); next !== undefined; [next] = candidates.pick(0, true, 1)) {
    candidates.using(next.peerId, true);
    candidates.using(next.peerId, false);
    candidates.refuse(next.peerId);
    tried++;
  }
  assert.equal(tried, 12);
});

test('a paused peer is used again when its time has come', () => {
  const candidates = createCandidates({ bytes: () => new Uint8Array(), float: () => 0 });
  candidates.add(holder('busy'));
  candidates.pause('busy', 500);
  assert.equal(candidates.usable(499, true).length, 0);
  assert.equal(candidates.nextPauseEnd(499), 500);
  assert.equal(candidates.usable(500, true).length, 1);
});

test('memory is given only as far as it goes', () => {
  const memory = createMemoryBudget(10);
  assert.equal(memory.take(6), true);
  assert.equal(memory.take(5), false);
  memory.give(6);
  assert.equal(memory.take(10), true);
});
