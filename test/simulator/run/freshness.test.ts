import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { Freshness } from '../../../src/simulator/run/freshness.ts';
import { LagWeights } from '../../../src/simulator/run/lag-weights.ts';
import { advanced, down, indexChanged, second, up, wiped } from '../../support/simulator/events.ts';

function create({ threshold = 1, warmup = 0 } = {}) {
  const freshness = new Freshness({ threshold, warmup: warmup * second });
  return {
    freshness,
    tell: (s: number, event: ModelEvent) => freshness.observe(s * second, event),
    means: (end: number) =>
      freshness.points(end * second).map(({ value }) => (value === undefined ? undefined : value / second)),
    quantile: (p: number) => (freshness.quantile(p) ?? NaN) / second,
  };
}

test('the lag grows from the oldest change that is not reflected, and is 0 when all are', () => {
  const { freshness, tell, means, quantile } = create();
  tell(0, up(1));
  tell(0, advanced(1, 9, 100));
  tell(10, indexChanged(101));
  tell(15, indexChanged(102));
  // The first is reflected, the second not: its lag is 5 s by then.
  tell(20, advanced(1, 9, 101));
  tell(25, advanced(1, 9, 102));
  freshness.finish(40 * second);
  // 0; 0..10 from the first; 5..10 from the second for half of the bin; 0.
  assert.deepEqual(means(40), [0, 5, 3.75, 0]);
  // Of 40 s it was 0 for 25, then once 0..10 and once 5..10.
  assert.equal(quantile(0.625), 0);
  assert.equal(quantile(0.75), 5);
  assert.equal(quantile(1), 10);
});

test('as many voters as the policy asks for must tell of a change', () => {
  const { freshness, tell, means } = create({ threshold: 2 });
  tell(0, up(1));
  tell(0, advanced(1, 8, 100));
  tell(0, advanced(1, 9, 100));
  tell(0, indexChanged(101));
  tell(10, advanced(1, 8, 101));
  tell(20, advanced(1, 9, 101));
  freshness.finish(30 * second);
  assert.deepEqual(means(30), [5, 15, 0]);
});

test('a node that knows nothing lags behind the index’s beginning; one that is down does not count', () => {
  const { freshness, tell, means } = create({ warmup: 100 });
  tell(0, up(1));
  tell(110, advanced(1, 9, 100));
  tell(120, down(1));
  tell(130, up(1));
  tell(130, wiped(1));
  freshness.finish(140 * second);
  assert.deepEqual(means(40), [105, 0, undefined, 135]);
});

test('means and quantiles weigh by node-seconds', () => {
  const { freshness, tell, means, quantile } = create();
  for (const node of [1, 2, 3, 4]) {
    tell(0, up(node));
    tell(0, advanced(node, 9, 100));
  }
  tell(0, indexChanged(101));
  for (const node of [1, 2, 3]) tell(0, advanced(node, 9, 101));
  freshness.finish(10 * second);
  assert.deepEqual(means(10), [1.25]);
  assert.equal(quantile(0.75), 0);
  assert.equal(quantile(0.875), 5);
});

test('the mean is over node-seconds: a bin in which more nodes live weighs more', () => {
  const { freshness, tell } = create();
  for (const node of [1, 2, 3]) tell(0, up(node));
  tell(0, indexChanged(100));
  for (const node of [1, 2, 3]) tell(0, advanced(node, 9, 100));
  tell(0, indexChanged(101));
  tell(10, down(2));
  tell(10, down(3));
  freshness.finish(20 * second);
  // Three of 0..10 s and one of 10..20 s.
  assert.equal((freshness.mean ?? NaN) / second, (3 * 5 + 15) / 4);
  assert.equal(create().freshness.mean, undefined);
});

test('without publishers nothing is measured', () => {
  const { freshness, tell, means, quantile } = create({ threshold: 0 });
  tell(0, up(1));
  tell(5, indexChanged(101));
  freshness.finish(10 * second);
  assert.deepEqual(means(10), [undefined]);
  assert.ok(Number.isNaN(quantile(0.5)));
});

test('a span over several bins gives each its part', () => {
  const weights = new LagWeights();
  weights.add({ from: 5 * second, to: 25 * second, lag: 2 * second, isZero: false });
  const means = weights.points(30 * second).map(({ value }) => (value ?? 0) / second);
  assert.deepEqual(means, [4.5, 12, 19.5]);
  assert.equal(weights.quantile(0.5), 12 * second);
});
