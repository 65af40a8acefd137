import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { InvalidIndexMapError } from '../../../src/core/errors.ts';
import {
  decodeBin,
  EMPTY_BIN,
  encodeBin,
  findEntry,
  type IndexBin,
} from '../../../src/core/index-map/index-bin.ts';
import { binNumber, compareNames, type IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { leafBlob, leafContent, leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { anyEntries, entryFor, grind, groundEntries } from './some-entries.ts';

const digest = new Uint8Array(32).fill(7);
const flask = parseProjectName('flask');
const number = binNumber(flask);
const [left = '', right = ''] = grind(number, 2).sort(compareNames);

const refused = (bytes: Uint8Array, code: string, at = number): void =>
  assert.throws(
    () => decodeBin(bytes, at),
    (error) =>
      error instanceof InvalidIndexMapError &&
      error.code === code &&
      /bin \d+ of an index map/.test(error.message),
  );
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('the empty bin is four bytes', () => {
  assert.equal(Buffer.from(EMPTY_BIN).toString('hex'), 'a1616580');
  assert.deepEqual(decodeBin(EMPTY_BIN, 0), { entries: [], partial: false });
});

test('a bin is read back as it was written, and finds its names', () => {
  fc.assert(
    fc.property(anyEntries, fc.boolean(), (entries, partial) => {
      const byBin = Map.groupBy(entries, ({ name }) => binNumber(name));
      for (const [at, group] of byBin) {
        const bin: IndexBin = { entries: group.sort((a, b) => compareNames(a.name, b.name)), partial };
        const read = decodeBin(encodeBin(bin), at);
        assert.deepEqual(read, bin);
        for (const entry of group) assert.deepEqual(findEntry(read, entry.name), entry);
      }
    }),
  );
});

test('the blob of a bin has its leaf hash for a name', () => {
  const bytes = encodeBin({ entries: [entryFor('flask')], partial: false });
  assert.equal(leafBlob(bytes)[0], 0);
  assert.deepEqual(Buffer.from(leafContent(leafBlob(bytes))), Buffer.from(bytes));
  assert.throws(() => leafContent(bytes), { code: 'BIN_MALFORMED' });
  assert.equal(leafHash(bytes).length, 32);
  const large = new Uint8Array(70_000);
  assert.notDeepEqual(leafHash(large), leafHash(large.subarray(1)));
});

test('a bin over 64 KiB is refused before it is decoded', () => {
  const { number: at, entries } = groundEntries();
  const all = entries.sort((a, b) => compareNames(a.name, b.name));
  const bytes = encodeBin({ entries: all, partial: false });
  assert.ok(bytes.length > 65_536);
  refused(bytes, 'BIN_TOO_LARGE', at);
  refused(new Uint8Array(65_537), 'BIN_TOO_LARGE');
  refused(new Uint8Array(65_536), 'BIN_MALFORMED');
  const fits = all.slice(0, 250);
  assert.equal(decodeBin(encodeBin({ entries: fits, partial: true }), at).entries.length, 250);
});

test('what is no CBOR, or nested until the stack ends, is refused', () => {
  for (const text of [
    '',
    'a1',
    '9fff',
    'a1616580 00',
    'ff',
    'd82a4100',
    '62c328',
    'f97e00',
    'fb7ff0000000000000',
  ])
    refused(hex(text), 'BIN_MALFORMED');
  refused(Buffer.concat([new Uint8Array(65_000).fill(0x81), hex('80')]), 'BIN_MALFORMED');
});

test('what is not a map of "e" and, if it is there, "p": true is refused', () => {
  const good: IndexEntry[] = [];
  for (const value of [[], 'e', 1, null, {}, { e: {} }, { e: null }, { p: true }])
    refused(encode(value), 'BIN_MALFORMED');
  for (const p of [false, null, 1, 'true', []]) refused(encode({ e: good, p }), 'BIN_MALFORMED');
  for (const key of ['', 'x', 'E', '__proto__', 'constructor'])
    refused(
      encode(
        Object.fromEntries([
          ['e', good],
          [key, 1],
        ]),
      ),
      'BIN_MALFORMED',
    );
});

test('an entry is exactly name, serial, digest and length', () => {
  const entries: unknown[] = [
    null,
    {},
    ['flask', 1, digest],
    ['flask', 1, digest, 1, 1],
    [1, 1, digest, 1],
    ['flask', -1, digest, 1],
    ['flask', 1.5, digest, 1],
    ['flask', 2n ** 53n, digest, 1],
    ['flask', '1', digest, 1],
    ['flask', 1, digest.subarray(1), 1],
    ['flask', 1, '07'.repeat(32), 1],
    ['flask', 1, digest, -1],
    ['flask', 1, digest, 2n ** 64n - 1n],
    ['flask', 1, digest, null],
  ];
  for (const entry of entries) refused(encode({ e: [entry] }), 'BIN_MALFORMED');
  const largest = encode({ e: [['flask', Number.MAX_SAFE_INTEGER, digest, 0]] });
  assert.equal(decodeBin(largest, number).entries[0]?.serial, 2 ** 53 - 1);
});

test('names are normalized, ascending and of this bin', () => {
  for (const name of [
    'Flask',
    'fla_sk',
    'fla.sk',
    'fla--sk',
    '-flask',
    'flask-',
    '',
    ' flask',
    'flаsk',
    'a'.repeat(201),
  ])
    refused(encode({ e: [[name, 1, digest, 1]] }), 'BIN_BAD_NAME');
  const entry = (name: string): unknown => [name, 1, digest, 1];
  assert.equal(decodeBin(encode({ e: [entry(left), entry(right)] }), number).entries.length, 2);
  refused(encode({ e: [entry(right), entry(left)] }), 'BIN_BAD_ORDER');
  refused(encode({ e: [entry(left), entry(left)] }), 'BIN_BAD_ORDER');
  refused(encode({ e: [entry(left)] }), 'BIN_FOREIGN_NAME', number ^ 1);
});

test('there is one encoding only', () => {
  // Keys the wrong way round; 0 and 1.0 and -0.0 as floats; an integer and a length longer than needed are refused by the reader.
  refused(hex('a2 6170 f5 6165 80'), 'BIN_NOT_CANONICAL');
  const entry = (serial: string): Uint8Array =>
    hex(`a1 6165 81 84 65 ${Buffer.from('flask').toString('hex')} ${serial} 5820 ${'07'.repeat(32)} 01`);
  assert.equal(decodeBin(entry('01'), number).entries[0]?.serial, 1);
  for (const float of ['fb 0000000000000000', 'fb 8000000000000000', 'fb 3ff0000000000000'])
    refused(entry(float), 'BIN_NOT_CANONICAL');
  refused(entry('1801'), 'BIN_MALFORMED');
  refused(entry('c1 01'), 'BIN_MALFORMED');
});

test('no altered bin is taken for another encoding of the same', () => {
  const names = [left, right, 'flask'].sort(compareNames);
  const bytes = encodeBin({ entries: names.map((name) => entryFor(name)), partial: true });
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3), (at, flip, cut) => {
      const altered = Buffer.from(bytes.subarray(0, bytes.length - (cut === 3 ? 1 : 0)));
      altered[at % altered.length] = (altered[at % altered.length] ?? 0) ^ flip;
      try {
        assert.deepEqual(Buffer.from(encodeBin(decodeBin(altered, number))), altered);
      } catch (error) {
        assert.ok(error instanceof InvalidIndexMapError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
