import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigurationError } from '../../src/core/errors.ts';
import { formatBytes, formatDuration, parseDuration, parseRate, parseSize } from '../../src/core/units.ts';

test('sizes are decimal with GB and binary with GiB', () => {
  assert.equal(parseSize('20GB'), 20_000_000_000);
  assert.equal(parseSize('20GiB'), 20 * 2 ** 30);
  assert.equal(parseSize('512MiB'), 512 * 2 ** 20);
  assert.equal(parseSize('1.5 kB'), 1500);
  assert.equal(parseSize('20gb'), 20e9);
  assert.equal(parseSize('4096'), 4096);
  assert.equal(parseSize('0'), 0);
});

test('rates are bytes a second with or without /s', () => {
  assert.equal(parseRate('10MB/s'), 10e6);
  assert.equal(parseRate('10MB'), 10e6);
  assert.equal(parseRate('512KiB/s'), 512 * 1024);
});

test('times need a unit, except 0', () => {
  assert.equal(parseDuration('10m'), 600_000);
  assert.equal(parseDuration('90s'), 90_000);
  assert.equal(parseDuration('24h'), 86_400_000);
  assert.equal(parseDuration('300ms'), 300);
  assert.equal(parseDuration('1.5h'), 5_400_000);
  assert.equal(parseDuration('0'), 0);
});

test('what could be misread is refused with the flag, the text and an example', () => {
  const wrong: [(text: string, what: string) => number, string][] = [
    [parseSize, '10Mb'],
    [parseSize, '20G'],
    [parseSize, '-1'],
    [parseSize, ''],
    [parseSize, 'GB'],
    [parseSize, '1e9'],
    [parseSize, '20 G B'],
    [parseSize, '99999TiB'],
    [parseSize, '1constructor'],
    [parseSize, '10MB/s'],
    [parseRate, '10MB/m'],
    [parseRate, '10Mb/s'],
    [parseDuration, '600'],
    [parseDuration, '10M'],
    [parseDuration, '5 weeks'],
    [parseDuration, '1toString'],
  ];
  for (const [parse, text] of wrong) {
    assert.throws(
      () => parse(text, '--flag'),
      (error) =>
        error instanceof ConfigurationError &&
        error.fault === 'usage' &&
        error.message.startsWith(`--flag: "${text}" is not `) &&
        error.fix.includes('such as'),
      text,
    );
  }
});

test('any text gives a safe integer that is not negative, or the error', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^\d{0,20}(\.\d{0,3})?(k|M|T|s|ms|d)?i?B?$/)),
      (text) => {
        for (const parse of [parseSize, parseRate, parseDuration]) {
          try {
            const value = parse(text);
            assert.ok(Number.isSafeInteger(value) && value >= 0);
          } catch (error) {
            assert.ok(error instanceof ConfigurationError, String(error));
          }
        }
      },
    ),
  );
});

test('a size written for people reads back to within one in a hundred, and never as more', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      const text = formatBytes(bytes);
      if (text.endsWith('PB')) return;
      const back = parseSize(text);
      assert.ok(back <= bytes && back >= bytes * 0.99, `${bytes} -> ${text} -> ${back}`);
    }),
  );
});

test('sizes and times read well', () => {
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(999), '999 B');
  assert.equal(formatBytes(1540), '1.54 kB');
  assert.equal(formatBytes(999_999), '999 kB');
  assert.equal(formatBytes(20e9), '20 GB');
  assert.equal(formatDuration(0), '0 ms');
  assert.equal(formatDuration(300.7), '300 ms');
  assert.equal(formatDuration(12_000), '12 s');
  assert.equal(formatDuration(90_000), '1 min 30 s');
  assert.equal(formatDuration(3_600_000), '1 h');
  assert.equal(formatDuration(3 * 864e5 + 4 * 36e5 + 12), '3 d 4 h');
});
