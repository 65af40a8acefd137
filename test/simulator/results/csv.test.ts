import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCsv, renderCsv } from '../../../src/simulator/results/csv.ts';

test('fields with commas, quotes and line ends are quoted as RFC 4180 says, others are not', () => {
  assert.equal(renderCsv([['a', 'b,c', 'd"e', 'f\r\ng', '']]), 'a,"b,c","d""e","f\r\ng",\r\n');
});

test('what is written reads back', () => {
  const field = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', 'x') }));
  fc.assert(
    fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 5 })), (rows) => {
      assert.deepEqual(parseCsv(renderCsv(rows), 'x.csv'), rows);
    }),
  );
});

test('lines that an editor left with LF alone, or without an end, are read', () => {
  assert.deepEqual(parseCsv('a,b\nc,\n"d",e', 'x.csv'), [
    ['a', 'b'],
    ['c', ''],
    ['d', 'e'],
  ]);
});

test('a quote that is never closed is refused with its row and file', () => {
  assert.throws(() => parseCsv('a,b\r\n"c,d\r\n', 'x.csv'), /row 2 of x\.csv/);
  assert.throws(() => parseCsv('a"b,c\r\n', 'x.csv'), /row 1 of x\.csv/);
});
