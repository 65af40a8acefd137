import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bandwidth,
  duration,
  percentage,
  rate,
  size,
  skew,
} from '../../../src/simulator/scenario/quantities.ts';

test('times become whole microseconds', () => {
  assert.equal(duration.parse('30s'), 30e6);
  assert.equal(duration.parse('5m'), 300e6);
  assert.equal(duration.parse('1.5h'), 5400e6);
  assert.equal(duration.parse('7us'), 7);
  assert.equal(duration.parse('0.1s'), 100_000);
  assert.equal(duration.parse('0'), 0);
});

test('what has no unit, or one that is not known, is no quantity', () => {
  for (const text of ['30', '', 's', '1e3s', '-5s', '5 parsecs', '30S', '0.1us', '1:30', ' 5s'])
    assert.equal(duration.parse(text), undefined, text);
  assert.equal(rate.parse('2'), undefined);
  assert.equal(percentage.parse('0.1'), undefined);
  assert.equal(size.parse('100'), undefined);
  assert.equal(bandwidth.parse('100MB'), undefined);
});

test('rates are a second, percentages are parts of one, lines are bytes a second', () => {
  assert.equal(rate.parse('30/m'), 0.5);
  assert.equal(rate.parse('36/h'), 0.01);
  assert.equal(percentage.parse('7%'), 0.07);
  assert.equal(bandwidth.parse('20Mbit/s'), 2_500_000);
  assert.equal(bandwidth.parse('5MB/s'), 5_000_000);
  assert.equal(size.parse('1MiB'), 2 ** 20);
  assert.equal(skew.parse('-5m'), -300e6);
});

test('what is written is as short as a person would write it', () => {
  assert.equal(duration.format(90e6), '90s');
  assert.equal(duration.format(7200e6), '2h');
  assert.equal(rate.format(1 / 60), '1/m');
  assert.equal(percentage.format(0.001), '0.1%');
  assert.equal(bandwidth.format(2_500_000), '20Mbit/s');
  assert.equal(duration.format(0), '0');
});

const quantities = { duration, size, bandwidth, rate, percentage, skew };
const units: Record<keyof typeof quantities, string[]> = {
  duration: ['us', 'ms', 's', 'm', 'h', 'd'],
  size: ['B', 'kB', 'MB', 'GB', 'KiB', 'MiB', 'GiB'],
  bandwidth: ['kbit/s', 'Mbit/s', 'Gbit/s', 'B/s', 'kB/s', 'MB/s', 'GB/s'],
  rate: ['/s', '/m', '/h', '/d'],
  percentage: ['%'],
  skew: ['us', 's', 'd'],
};

test('what is written reads back as the same number, and fits the pattern of the schema', () => {
  for (const [name, quantity] of Object.entries(quantities)) {
    const text = fc
      .tuple(
        fc.nat({ max: 99_999 }),
        fc.option(fc.nat({ max: 999_999 }), { nil: undefined }),
        fc.constantFrom(...units[name as keyof typeof quantities]),
      )
      .map(([whole, part, unit]) => `${whole}${part === undefined ? '' : `.${part}`}${unit}`);
    fc.assert(
      fc.property(text, (given) => {
        const value = quantity.parse(given);
        if (value === undefined) return;
        const written = quantity.format(value);
        assert.equal(quantity.parse(written), value, `${given} -> ${written}`);
        assert.match(written, new RegExp(quantity.pattern));
      }),
      { numRuns: 300 },
    );
  }
});
