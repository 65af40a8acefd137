import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { etagMatches, ifRangeMatches, parseRange } from '../../src/core/byte-range.ts';

const full = { kind: 'full' };
const unsatisfiable = { kind: 'unsatisfiable' };
const range = (start: number, end: number): object => ({ kind: 'range', start, end });

test('single, open and suffix ranges, as pip, uv and Poetry send them', () => {
  assert.deepEqual(parseRange('bytes=0-0', 100), range(0, 0));
  assert.deepEqual(parseRange('bytes=10-19', 100), range(10, 19));
  assert.deepEqual(parseRange('bytes=50-', 100), range(50, 99));
  assert.deepEqual(parseRange('bytes=-10', 100), range(90, 99));
  assert.deepEqual(parseRange('BYTES=10-19', 100), range(10, 19));
  assert.deepEqual(parseRange('bytes=10-19,', 100), range(10, 19));
});

test('an end beyond the file is cut, a suffix longer than the file is the file', () => {
  assert.deepEqual(parseRange('bytes=90-1000', 100), range(90, 99));
  assert.deepEqual(parseRange('bytes=-1000', 100), range(0, 99));
  assert.deepEqual(parseRange(`bytes=1-${'9'.repeat(500)}`, 100), range(1, 99));
  assert.deepEqual(parseRange(`bytes=-${'9'.repeat(500)}`, 100), range(0, 99));
});

test('a start at or beyond the end, and a suffix of nothing, cannot be satisfied', () => {
  assert.deepEqual(parseRange('bytes=100-', 100), unsatisfiable);
  assert.deepEqual(parseRange('bytes=100-200', 100), unsatisfiable);
  assert.deepEqual(parseRange(`bytes=${'9'.repeat(500)}-`, 100), unsatisfiable);
  assert.deepEqual(parseRange('bytes=-0', 100), unsatisfiable);
  assert.deepEqual(parseRange('bytes=0-', 0), unsatisfiable);
});

test('an empty file has no range that could be expressed', () => {
  assert.deepEqual(parseRange('bytes=-5', 0), full);
});

test('no range, a malformed one, another unit or several at once give the whole file', () => {
  for (const header of [
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=,',
    'bytes=a-b',
    'bytes=1-2-3',
    'bytes=20-10',
    'bytes=100-99',
    `bytes=1${'0'.repeat(40)}-9${'0'.repeat(39)}`,
    'bytes=1.0-2',
    'bytes=+1-2',
    'bytes= 1 - 2',
    'bytes=0x1-0x2',
    'lines=1-2',
    'bytes=0-0,5-9',
  ])
    assert.deepEqual(parseRange(header, 100), full, header);
});

test('ranges agree with slicing', () => {
  fc.assert(
    fc.property(
      fc.nat(50),
      fc.option(fc.nat(60), { nil: undefined }),
      fc.option(fc.nat(60), { nil: undefined }),
      (size, first, last) => {
        const bytes = Array.from({ length: size }, (_, index) => index);
        const result = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size);
        const expected =
          first !== undefined
            ? bytes.slice(first, last === undefined ? undefined : last + 1)
            : last === undefined
              ? bytes
              : bytes.slice(Math.max(0, size - last));
        if (result.kind === 'range') {
          assert.ok(result.start >= 0 && result.end < size && result.start <= result.end);
          assert.deepEqual(bytes.slice(result.start, result.end + 1), expected);
        } else if (result.kind === 'unsatisfiable') {
          assert.deepEqual(expected, []);
        } else {
          const backwards = first !== undefined && last !== undefined && last < first;
          assert.ok(backwards || expected.length === size);
        }
      },
    ),
  );
});

test('any header gives a range within the file or none, and never throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^bytes=[\d, -]*$/)), fc.nat(), (header, size) => {
      const result = parseRange(header, size);
      if (result.kind === 'range')
        assert.ok(0 <= result.start && result.start <= result.end && result.end < size);
    }),
  );
});

test('If-Range compares strongly', () => {
  assert.equal(ifRangeMatches(undefined, '"a"'), true);
  assert.equal(ifRangeMatches('"a"', '"a"'), true);
  assert.equal(ifRangeMatches('"b"', '"a"'), false);
  assert.equal(ifRangeMatches('W/"a"', '"a"'), false);
  assert.equal(ifRangeMatches('W/"a"', 'W/"a"'), false);
  assert.equal(ifRangeMatches('Sun, 22 Nov 2026 00:00:00 GMT', '"a"'), false);
  assert.equal(ifRangeMatches('', '"a"'), false);
});

test('If-None-Match compares weakly, in lists, and knows the star', () => {
  assert.equal(etagMatches(undefined, '"a"'), false);
  assert.equal(etagMatches('*', '"a"'), true);
  assert.equal(etagMatches('"a"', '"a"'), true);
  assert.equal(etagMatches('W/"a"', '"a"'), true);
  assert.equal(etagMatches('"a"', 'W/"a"'), true);
  assert.equal(etagMatches('"x", W/"a" ,"y"', '"a"'), true);
  assert.equal(etagMatches('"x,y"', '"x,y"'), true);
  assert.equal(etagMatches('"b"', '"a"'), false);
  assert.equal(etagMatches('a', '"a"'), false);
  assert.equal(etagMatches('', '"a"'), false);
});
