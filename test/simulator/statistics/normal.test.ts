import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normalCdf, normalQuantile } from '../../../src/simulator/statistics/normal.ts';

// scipy 1.17.1: stats.norm.cdf and stats.norm.ppf.
const CDF = [
  [-8, 6.22096057427174e-16],
  [-3, 0.0013498980316300933],
  [-1.96, 0.024997895148220435],
  [-0.1, 0.460172162722971],
  [0, 0.5],
  [0.5, 0.6914624612740131],
  [2.5758293035489004, 0.995],
  [7.5, 0.9999999999999681],
] as const;
const QUANTILE = [
  [1e-20, -9.262340089798409],
  [1e-6, -4.753424308822899],
  [0.001, -3.090232306167813],
  [0.025, -1.9599639845400545],
  [0.3, -0.5244005127080409],
  [0.5, 0],
  [0.9, 1.2815515655446004],
  [0.99999, 4.264890793923841],
] as const;

test('the normal distribution is the one of scipy', () => {
  for (const [z, p] of CDF)
    assert.ok(Math.abs(normalCdf(z) / p - 1) < (z < -7 ? 1e-7 : 1e-12), `cdf(${z}) = ${normalCdf(z)}`);
  for (const [p, z] of QUANTILE)
    assert.ok(Math.abs(normalQuantile(p) - z) < 1e-12 * Math.max(1, Math.abs(z)), `quantile(${p})`);
});

test('quantile and probability undo each other', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), (p) => {
      assert.ok(Math.abs(normalCdf(normalQuantile(p)) - p) < 1e-10);
    }),
  );
});

test('what is no probability is refused', () => {
  assert.throws(() => normalQuantile(1.1), RangeError);
  assert.throws(() => normalQuantile(Number.NaN), RangeError);
});
