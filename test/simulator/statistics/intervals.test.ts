import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';
import { bcaInterval } from '../../../src/simulator/statistics/bootstrap.ts';
import { testEquivalence, timingMargin } from '../../../src/simulator/statistics/equivalence.ts';
import { medianInterval, medianOf } from '../../../src/simulator/statistics/median.ts';
import { summarizeRuns, summarizeTimes } from '../../../src/simulator/statistics/run-summary.ts';

const stream = (seed = 1) => createRandomness(deriveStream(seed, 0, 'test', 'statistics'));
const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);
const close = (actual: number, expected: number, by: number): void =>
  assert.ok(Math.abs(actual - expected) <= by, `${actual} is not within ${by} of ${expected}`);

test('the interval of a median takes the ranks of the published tables', () => {
  // Conover, Practical Nonparametric Statistics, table A3: n, lower rank, coverage in percent.
  for (const [n, rank, percent] of [
    [6, 1, 96.875],
    [10, 2, 97.85],
    [15, 4, 96.48],
    [20, 6, 95.86],
    [25, 8, 95.67],
  ] as const) {
    const interval = medianInterval(upTo(n), 0.95);
    assert.equal(interval?.low, rank);
    assert.equal(interval.high, n + 1 - rank);
    close(interval.coverage * 100, percent, 0.006);
  }
  assert.equal(medianInterval(upTo(5), 0.95), undefined);
});

test('a median takes infinite values as they are', () => {
  assert.equal(medianOf([]), undefined);
  assert.equal(medianOf([3, 1, 2, 10]), 2.5);
  assert.equal(medianOf([1, Infinity, Infinity]), Infinity);
  assert.equal(medianOf([Infinity, Infinity]), Infinity);
});

const differences = [8, -3, 2.5, 14, 0.7, -1.2, 5, 31, 4.4, 1.1, 9, -0.5];

test('the BCa interval is the one of scipy, skewed as the data is', () => {
  // scipy 1.17.1, stats.bootstrap(method='BCa', 400,000 draws): 2.325, 13.592; plain percentiles: 1.633, 11.533.
  const interval = bcaInterval(differences, { coverage: 0.95, randomness: stream() });
  close(interval.low, 2.325, 0.2);
  close(interval.high, 13.592, 0.4);
});

test('equal streams give equal intervals, others nearly so', () => {
  const of = (seed: number) => bcaInterval(differences, { coverage: 0.95, randomness: stream(seed) });
  assert.deepEqual(of(7), of(7));
  assert.notDeepEqual(of(7), of(8));
  close(of(7).low, of(8).low, 0.4);
});

test('the interval of equal differences is that difference', () => {
  assert.deepEqual(bcaInterval([4, 4, 4], { coverage: 0.95, randomness: stream() }), { low: 4, high: 4 });
  assert.throws(() => bcaInterval([4], { coverage: 0.95, randomness: stream() }), RangeError);
});

test('what is shifted or stretched has its interval shifted or stretched', () => {
  const { low, high } = bcaInterval(differences, { coverage: 0.95, randomness: stream() });
  fc.assert(
    fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 9 }), (shift, factor) => {
      const moved = bcaInterval(
        differences.map((value) => value * factor + shift),
        { coverage: 0.95, randomness: stream() },
      );
      close(moved.low, low * factor + shift, 0.05 * factor);
      close(moved.high, high * factor + shift, 0.05 * factor);
    }),
    { numRuns: 5 },
  );
});

test('a 95 % interval holds the truth in about 95 of 100 worlds', () => {
  const random = stream(3);
  const worlds = 60;
  let held = 0;
  for (let world = 0; world < worlds; world++) {
    // Exponential with mean 1: skewed, as times are.
    const values = Array.from({ length: 20 }, () => -Math.log(1 - random.float()));
    const { low, high } = bcaInterval(values, { coverage: 0.95, randomness: stream(world) });
    if (low <= 1 && high >= 1) held++;
  }
  assert.ok(held >= 0.83 * worlds && held <= worlds, `${held} of ${worlds}`);
});

const near = (middle: number, spread: number): number[] =>
  Array.from({ length: 20 }, (_, index) => middle + (spread * (index - 9.5)) / 10);

test('samples within the margin are equivalent, noisy or shifted ones are not shown to be', () => {
  const test90 = (simulated: number[], real: number[], margin: number) =>
    testEquivalence(simulated, real, { margin, randomness: stream() });
  assert.equal(test90(near(10, 1), near(10, 1), 1.5).verdict, 'equivalent');
  assert.equal(test90(near(12, 1), near(10, 1), 1.5).verdict, 'not shown');
  assert.equal(test90(near(8, 1), near(10, 1), 1.5).verdict, 'not shown');
  // The same medians, and nothing known for all the noise.
  assert.equal(test90(near(10, 9), near(10, 9), 1.5).verdict, 'not shown');
  assert.equal(test90(near(10, 1).slice(0, 9), near(10, 1), 1.5).verdict, 'too few runs');
});

test('samples that never got there are not shown to be equivalent', () => {
  const never = Array.from({ length: 20 }, () => Infinity);
  const half = [...near(10, 1).slice(0, 11), ...never.slice(11)];
  for (const [a, b] of [
    [never, never],
    [half, half],
    [never, near(10, 1)],
  ] as const)
    assert.equal(testEquivalence(a, b, { margin: 5, randomness: stream() }).verdict, 'not shown');
});

test('the margin is the greater of 15 % of the real median and half the shortest timer', () => {
  assert.equal(timingMargin([100, 100, 100], 10), 15);
  assert.equal(timingMargin([100, 100, 100], 60), 30);
  assert.equal(timingMargin([Infinity], 10), 5);
});

test('below ten runs there is no interval, and p99 of fewer than 100 nodes is called max', () => {
  assert.equal(summarizeRuns(upTo(9)).interval, undefined);
  assert.deepEqual([summarizeRuns(upTo(10)).interval?.low, summarizeRuns(upTo(10)).median], [2, 5.5]);
  const times = (n: number) => upTo(n).map((value) => ({ kind: 'observed', value }) as const);
  assert.deepEqual(summarizeTimes(times(99), 500).tail, {
    name: 'max',
    value: { kind: 'reached', value: 99 },
  });
  assert.deepEqual(summarizeTimes(times(200), 500).tail, {
    name: 'p99',
    value: { kind: 'reached', value: 198 },
  });
});
