import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { kernelWait, RoundTrip } from '../../../src/simulator/network/round-trip.ts';

test('the time-out is the round trip and 200 ms, more where it varies, and doubles up to two minutes', () => {
  const lan = new RoundTrip();
  lan.sample(200);
  assert.equal(lan.timeout, 200_200);
  const far = new RoundTrip();
  far.sample(300_000);
  assert.equal(far.timeout, 900_000);
  for (let i = 0; i < 50; i++) far.sample(300_000);
  assert.equal(Math.round(far.timeout / 1000), 500);
  for (let i = 0; i < 20; i++) far.double();
  assert.equal(far.timeout, 120_000_000);
});

test("Linux's timers are never early, and an eighth and a tick late at the most", () => {
  const time = fc.nat(200_000_000);
  fc.assert(
    fc.property(time, time, (now, delay) => {
      const late = kernelWait(now, delay) - delay;
      assert.ok(late >= 0 && late <= delay / 8 + 4000, `${late}`);
    }),
  );
  assert.equal(kernelWait(0, 200_000), 200_000);
  assert.equal(kernelWait(1, 200_000), 203_999);
  assert.equal(kernelWait(1, 13_000_000), 13_055_999);
});
