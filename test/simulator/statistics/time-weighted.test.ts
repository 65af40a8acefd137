import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  areaOver,
  binMeans,
  meanOver,
  quantileOver,
  type StepPoint,
} from '../../../src/simulator/statistics/time-weighted.ts';

const steps: StepPoint[] = [
  { at: 0, value: 2 },
  { at: 30, value: 8 },
  { at: 40, value: undefined },
  { at: 60, value: 0 },
];

test('a mean weighs each value by how long it held, and unknown time by nothing', () => {
  assert.equal(meanOver(steps, 0, 100), (2 * 30 + 8 * 10 + 0 * 40) / 80);
  assert.equal(meanOver(steps, 10, 35), (2 * 20 + 8 * 5) / 25);
  assert.equal(meanOver(steps, 40, 60), undefined);
  assert.equal(meanOver([], 0, 10), undefined);
  assert.equal(areaOver(steps, 0, 100), 140);
});

test('a quantile is of time, not of points', () => {
  const range = { from: 0, to: 100 };
  assert.equal(quantileOver(steps, 0.5, range), 0);
  assert.equal(quantileOver(steps, 0.51, range), 2);
  assert.equal(quantileOver(steps, 0.9, range), 8);
  assert.equal(quantileOver(steps, 0.5, { from: 45, to: 50 }), undefined);
});

test('bins without anything known are blank', () => {
  assert.deepEqual(
    binMeans(steps, { from: 0, to: 70, length: 20 }).map(({ value }) => value),
    [2, (2 * 10 + 8 * 10) / 20, undefined, 0],
  );
});

const points = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 50 }),
      value: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    }),
  )
  .map((list) => {
    let at = 0;
    return list.map(({ gap, value }): StepPoint => ({ at: (at += gap), value }));
  });

test('the areas of bins add up to the area of the whole', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 1, max: 70 }), (series, length) => {
      const to = 300;
      const bins = binMeans(series, { from: 0, to, length });
      const whole = bins.reduce((sum, { at, value }) => {
        if (value === undefined) return sum;
        const known = areaOver(
          series.map((point) => ({ at: point.at, value: point.value === undefined ? undefined : 1 })),
          at,
          Math.min(at + length, to),
        );
        return sum + value * known;
      }, 0);
      assert.ok(Math.abs(whole - areaOver(series, 0, to)) < 1e-6);
    }),
  );
});

test('a point repeated changes nothing', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 0, max: 300 }), (series, at) => {
      const held = series.findLast((point) => point.at <= at);
      if (held === undefined) return;
      const more = [
        ...series.filter((point) => point.at <= at),
        { ...held, at },
        ...series.filter((point) => point.at > at),
      ];
      assert.equal(meanOver(more, 0, 400)?.toFixed(9), meanOver(series, 0, 400)?.toFixed(9));
    }),
  );
});
