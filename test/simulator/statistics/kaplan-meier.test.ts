import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  failedShare,
  survivalQuantile,
  survivalSteps,
  type Observation,
} from '../../../src/simulator/statistics/kaplan-meier.ts';

const seen = (value: number): Observation => ({ kind: 'observed', value });
const cut = (bound: number): Observation => ({ kind: 'censored', bound });
const failed: Observation = { kind: 'failed' };

/** Weeks in remission under 6-MP: Freireich and others, Blood 21 (1963), the table of every textbook since. */
const freireich = [
  ...[6, 6, 6, 7, 10, 13, 16, 22, 23].map(seen),
  ...[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(cut),
];

test('the estimate for the published leukaemia data is the published one', () => {
  const steps = survivalSteps(freireich).map(({ at, survival }) => [at, survival.toFixed(3)]);
  assert.deepEqual(steps, [
    [6, '0.857'],
    [7, '0.807'],
    [10, '0.753'],
    [13, '0.690'],
    [16, '0.627'],
    [22, '0.538'],
    [23, '0.448'],
  ]);
  assert.deepEqual(survivalQuantile(freireich, 0.5, 40), { kind: 'reached', value: 23 });
  assert.deepEqual(survivalQuantile(freireich, 0.9, 40), { kind: 'beyond', bound: 35 });
});

test('a failure is infinite: it stays at risk to the end and says "> window"', () => {
  const times = [seen(1), seen(2), failed, failed];
  assert.deepEqual(survivalQuantile(times, 0.5, 90), { kind: 'reached', value: 2 });
  assert.deepEqual(survivalQuantile(times, 0.51, 90), { kind: 'beyond', bound: 90 });
  assert.equal(failedShare([...times, cut(1)]), 0.5);
  assert.equal(failedShare([cut(1)]), undefined);
  assert.equal(survivalQuantile([], 0.5, 90), undefined);
});

test('without censored ones a quantile is the order statistic ceil(n p)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 100 }),
      (values, percent) => {
        const sorted = [...values].sort((a, b) => a - b);
        const rank = Math.ceil((values.length * percent) / 100);
        assert.deepEqual(survivalQuantile(values.map(seen), percent / 100, 99), {
          kind: 'reached',
          value: sorted[rank - 1],
        });
      },
    ),
  );
});

test('the estimate never rises, and who is censored before all else changes nothing', () => {
  const one = fc.oneof(
    fc.integer({ min: 1, max: 30 }).map(seen),
    fc.integer({ min: 1, max: 30 }).map(cut),
    fc.constant(failed),
  );
  fc.assert(
    fc.property(fc.array(one, { maxLength: 60 }), (observations) => {
      const steps = survivalSteps(observations);
      steps.reduce((last, { survival }) => {
        assert.ok(survival >= 0 && survival < last);
        return survival;
      }, 1);
      assert.deepEqual(survivalSteps([cut(0), ...observations]), steps);
    }),
  );
});
