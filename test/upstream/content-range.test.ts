import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  isWhatWasAsked,
  parseContentRange,
  rangeHeader,
  type WantedRange,
} from '../../src/upstream/content-range.ts';

const wanted: fc.Arbitrary<WantedRange> = fc.oneof(
  fc.record({ suffix: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ offset: fc.integer({ min: 1, max: 99 }) }),
  fc.record({ offset: fc.integer({ min: 0, max: 99 }), length: fc.integer({ min: 1, max: 200 }) }),
);

/** What RFC 9110 says that a server with 100 bytes gives. */
function rightRange({ offset = 0, length, suffix }: WantedRange): { start: number; end: number } {
  if (suffix !== undefined) return { start: Math.max(0, 100 - suffix), end: 100 };
  return { start: offset, end: Math.min(100, offset + (length ?? 100)) };
}

test('of all ranges of a file exactly the one that was asked for is accepted', () => {
  fc.assert(
    fc.property(wanted, fc.nat(99), fc.nat(99), (range, a, b) => {
      const right = rightRange(range);
      const [start, last] = [Math.min(a, b), Math.max(a, b)];
      const given = parseContentRange(`bytes ${start}-${last}/100`);
      assert.ok(given);
      assert.equal(isWhatWasAsked(given, range), start === right.start && last + 1 === right.end);
      const exact = parseContentRange(`bytes ${right.start}-${right.end - 1}/100`);
      assert.ok(exact && isWhatWasAsked(exact, range));
    }),
  );
});

test('a Content-Range that cannot be is none', () => {
  for (const value of [
    undefined,
    '',
    'bytes */100',
    'bytes 5-4/100',
    'bytes 0-100/100',
    'bytes -1-5/100',
    'items 0-1/2',
    'bytes 0-1',
    'bytes 0-99999999999999999999/*',
  ]) {
    assert.equal(parseContentRange(value), undefined, value);
  }
  assert.deepEqual(parseContentRange('bytes 0-1/*'), { start: 0, end: 2, total: undefined });
});

test('a range is asked for only where a part is wanted', () => {
  assert.equal(rangeHeader({}), undefined);
  assert.equal(rangeHeader({ offset: 0 }), undefined);
  assert.equal(rangeHeader({ offset: 5 }), 'bytes=5-');
  assert.equal(rangeHeader({ offset: 0, length: 1 }), 'bytes=0-0');
  assert.equal(rangeHeader({ suffix: 9 }), 'bytes=-9');
});
