import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Randomness } from '../../../src/core/clock.ts';
import { apportion, placeHosts } from '../../../src/simulator/scenario/hosts.ts';
import {
  createZipf,
  draw,
  drawInt,
  drawResidual,
  gamma,
  meanOf,
  shuffle,
} from '../../../src/simulator/scenario/samplers.ts';
import { drawChurnStart } from '../../../src/simulator/scenario/churn-start.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import type { Churn, Distribution } from '../../../src/simulator/scenario/scenario.ts';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';

const random = (purpose: string): Randomness => createRandomness(deriveStream(7, 0, 'test', purpose));
const DRAWS = 40_000;

/** Largest distance of the draws' distribution from `cdf`, in units of 1 / sqrt(n): above 1.95 once in a thousand streams. */
function kolmogorov(draws: number[], cdf: (x: number) => number): number {
  const sorted = draws.toSorted((a, b) => a - b);
  const n = sorted.length;
  const gaps = sorted.map((x, i) => Math.max(Math.abs(cdf(x) - i / n), Math.abs(cdf(x) - (i + 1) / n)));
  return Math.max(...gaps.slice(0, 20_000), ...gaps.slice(20_000)) * Math.sqrt(n);
}

const many = (sample: () => number, count = DRAWS): number[] => Array.from({ length: count }, sample);

/** Standard normal: Abramowitz and Stegun 7.1.26, good to 1.5e-7. */
function phi(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const tail =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - tail * Math.exp(-x * x);
  return z < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}

const weibullCdf = (shape: number, mean: number) => (x: number) =>
  1 - Math.exp(-((x / (mean / gamma(1 + 1 / shape))) ** shape));

const closedForms: [string, Distribution, (x: number) => number][] = [
  ['exponential', { kind: 'exponential', mean: 3 }, (x) => 1 - Math.exp(-x / 3)],
  ['weibull, heavy tail', { kind: 'weibull', shape: 0.5, mean: 4 }, weibullCdf(0.5, 4)],
  ['weibull, wearing out', { kind: 'weibull', shape: 3, mean: 4 }, weibullCdf(3, 4)],
  ['lognormal', { kind: 'lognormal', median: 30, sigma: 1 }, (x) => phi(Math.log(x / 30))],
];

for (const [name, distribution, cdf] of closedForms) {
  test(`draws follow the closed form: ${name}`, () => {
    const randomness = random(name);
    const draws = many(() => draw(distribution, randomness));
    assert.ok(kolmogorov(draws, cdf) < 1.95, `${kolmogorov(draws, cdf)}`);
  });
}

test('what is left of a session is distributed as renewal theory says: 1 - F(x) over the mean', () => {
  for (const [name, distribution, cdf] of [
    ...closedForms,
    ['fixed', { kind: 'fixed', value: 2 }, (x: number) => (x < 2 ? 0 : 1)] as (typeof closedForms)[number],
  ]) {
    const randomness = random(`residual ${name}`);
    const draws = many(() => drawResidual(distribution, randomness)).toSorted((a, b) => a - b);
    // Integral of 1 - F up to each of some draws, by the trapezoidal rule.
    const mean = meanOf(distribution);
    for (const quantile of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      const x = draws[Math.floor(quantile * DRAWS)] as number;
      const steps = 20_000;
      let area = 0;
      for (let i = 0; i < steps; i++) area += 1 - cdf(((i + 0.5) / steps) * x);
      const expected = ((area / steps) * x) / mean;
      assert.ok(Math.abs(expected - quantile) < 0.012, `${name}: ${expected} at ${quantile}`);
    }
  }
});

test('churn starts as it goes on: most are up, and few of them leave in the first hour', () => {
  const hour = 3600e6;
  const churn: Churn = {
    session: { kind: 'weibull', shape: 0.5, mean: 4 * hour },
    downtime: { kind: 'lognormal', median: hour / 2, sigma: 1 },
    rejoin: { address: 'keep', state: 'keep' },
    among: ['all'],
  };
  const randomness = random('churn');
  const starts = Array.from({ length: DRAWS }, () => drawChurnStart(churn, randomness));
  const up = starts.filter((start) => start.up);
  const away = (0.5 * Math.exp(0.5)) / (4 + 0.5 * Math.exp(0.5));
  assert.ok(Math.abs(up.length / DRAWS - (1 - away)) < 0.01);
  // Scale 2 h: 1 - (1 + u) exp(-u) with u = sqrt(1 / 2). Fresh sessions: 1 - exp(-u), 51 %.
  const leave = (draws: number[]): number => draws.filter((left) => left < hour).length / draws.length;
  assert.ok(Math.abs(leave(up.map(({ left }) => left)) - 0.1583) < 0.01);
  assert.ok(Math.abs(leave(many(() => draw(churn.session, randomness))) - 0.5069) < 0.01);
  const below = (draws: number[]): number => draws.filter((left) => left < hour / 2).length / draws.length;
  const downs = starts.filter((start) => !start.up).map(({ left }) => left);
  const residuals = many(() => drawResidual(churn.downtime, randomness));
  assert.ok(Math.abs(below(downs) - below(residuals)) < 0.03);
  assert.ok(starts.every(({ left }) => Number.isSafeInteger(left) && left >= 0));
});

test('means are those of the distributions', () => {
  for (const [name, distribution] of closedForms) {
    const randomness = random(`mean ${name}`);
    const mean = many(() => draw(distribution, randomness)).reduce((sum, x) => sum + x, 0) / DRAWS;
    assert.ok(Math.abs(mean / meanOf(distribution) - 1) < 0.05, `${name}: ${mean}`);
  }
  assert.equal(draw({ kind: 'fixed', value: 5 }, random('fixed')), 5);
});

test('the gamma function is right to twelve digits', () => {
  for (const [x, expected] of [[1, 1], [5, 24], [1.5, Math.sqrt(Math.PI) / 2], [11, 3628800], [3, 2]] as const)
    assert.ok(Math.abs(gamma(x) / expected - 1) < 1e-12, `${x}`);
}); // prettier-ignore

test('ranks follow Zipf', () => {
  for (const exponent of [0, 0.8, 1.1, 2]) {
    const count = 50;
    const randomness = random(`zipf ${exponent}`);
    const zipf = createZipf(count, exponent);
    const seen = Array.from({ length: count }, () => 0);
    for (let i = 0; i < DRAWS; i++) {
      const rank = zipf(randomness);
      seen[rank] = (seen[rank] ?? 0) + 1;
    }
    const total = Array.from({ length: count }, (_, k) => (k + 1) ** -exponent).reduce(
      (sum, x) => sum + x,
      0,
    );
    const chi = seen.reduce((sum, observed, k) => {
      const expected = (DRAWS * (k + 1) ** -exponent) / total;
      return sum + (observed - expected) ** 2 / expected;
    }, 0);
    // 49 degrees of freedom: above 85.4 once in a thousand.
    assert.ok(chi < 85.4, `${exponent}: ${chi}`);
  }
});

test('whole numbers and permutations are all as likely', () => {
  const randomness = random('ints');
  const counts = Array.from({ length: 7 }, () => 0);
  for (const value of many(() => drawInt(7, randomness))) counts[value] = (counts[value] ?? 0) + 1;
  const chi = counts.reduce((sum, count) => sum + (count - DRAWS / 7) ** 2 / (DRAWS / 7), 0);
  assert.ok(chi < 22.5, `${chi}`);
  const orders = new Map<string, number>();
  for (let i = 0; i < 24_000; i++) {
    const order = shuffle(['a', 'b', 'c', 'd'], randomness).join('');
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 24);
  const spread = [...orders.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert.ok(spread < 49.7, `${spread}`);
});

test('shares are rounded to whole nodes that sum to all', () => {
  assert.deepEqual(apportion(10, [0.5, 0.4, 0.1]), [5, 4, 1]);
  assert.deepEqual(apportion(10, [1 / 3, 1 / 3, 1 / 3]), [4, 3, 3]);
  assert.deepEqual(apportion(3, [0.8, 0.2]), [2, 1]);
  assert.deepEqual(apportion(1, [0.5, 0.5]), [1, 0]);
});

test('hosts have the shares, places and roles of the scenario, drawn anew each run', () => {
  const { scenario } = readScenario(
    'name: x\nnodes: {count: 40, regions: {eu: 0.5, na: 0.5}, bootstraps: 2}\nworkload: {publishers: {count: 4, among: "region:na"}}\n',
    'x.yaml',
  );
  const runs = [0, 1, 2].map((run) => placeHosts(scenario, run));
  for (const hosts of runs) {
    assert.deepEqual(hosts.map(({ id }) => id), [...hosts.keys()]); // prettier-ignore
    assert.equal(hosts.filter(({ region }) => region === 'eu').length, 20);
    assert.equal(hosts.filter(({ profile }) => profile === 'home').length, 32);
    const publishers = hosts.filter(({ roles }) => roles.includes('publisher'));
    assert.equal(publishers.length, 4);
    assert.ok(publishers.every(({ region }) => region === 'na'));
    const bootstraps = hosts.filter(({ roles }) => roles.includes('bootstrap'));
    assert.equal(bootstraps.length, 2);
    assert.ok(bootstraps.every(({ profile, roles }) => profile === 'server' && roles.length === 1));
  }
  assert.deepEqual(placeHosts(scenario, 1), runs[1]);
  assert.notDeepEqual(runs[0], runs[1]);
});
