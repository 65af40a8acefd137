import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { countBin, readBin, writeBin } from '../../../src/core/index-map/bin-cbor.ts';
import type { IndexBin } from '../../../src/core/index-map/index-bin.ts';
import {
  binNumber,
  compareNames,
  entryFromTuple,
  entryToTuple,
  isNormalized,
} from '../../../src/core/index-map/index-entry.ts';
import { anyEntries, entryFor } from './some-entries.ts';

const generally = ({ entries, partial }: IndexBin): Buffer => {
  const e = entries.map(entryToTuple);
  return Buffer.from(encode(partial ? { e, p: true } : { e }));
};

const anyBin: fc.Arbitrary<IndexBin> = fc.tuple(anyEntries, fc.boolean()).map(([entries, partial]) => {
  return { entries: entries.sort((a, b) => compareNames(a.name, b.name)), partial };
});

test('a bin is written as the general codec writes it, and read back', () => {
  fc.assert(
    fc.property(anyBin, (bin) => {
      const bytes = Buffer.from(writeBin(bin) ?? []);
      assert.deepEqual(bytes, generally(bin));
      assert.deepEqual(readBin(bytes), bin);
      const numbers = new Set(bin.entries.map(({ name }) => binNumber(name)));
      for (const number of numbers)
        assert.equal(countBin(bytes, number), numbers.size === 1 ? bin.entries.length : undefined);
    }),
  );
});

test('whatever is altered, what is still read is what the general codec reads, normalized and ascending', () => {
  let read = 0;
  fc.assert(
    fc.property(
      anyBin,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: -1, max: 1 }),
      (bin, changes, longer) => {
        const bytes = generally(bin);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const altered =
          longer > 0 ? Buffer.concat([bytes, Buffer.alloc(1)]) : bytes.subarray(0, bytes.length + longer);
        const found = readBin(altered);
        if (found === undefined) return;
        read++;
        const { e, p } = decode<{ e: unknown[]; p?: true }>(altered);
        assert.deepEqual(found, { entries: e.map(entryFromTuple), partial: p === true });
        assert.deepEqual(generally(found), altered);
        for (const [i, { name }] of found.entries.entries()) {
          assert.ok(isNormalized(name), name);
          if (i > 0) assert.ok(compareNames(found.entries[i - 1]?.name ?? '', name) < 0);
        }
      },
    ),
    { numRuns: 5000 },
  );
  assert.ok(read > 100, `${read} were read`);
});

test('what the general codec writes otherwise is left to it', () => {
  const name = 'a'.repeat(201) as ReturnType<typeof entryFor>['name'];
  const entry = entryFor('flask');
  for (const entries of [
    Array.from({ length: 251 }, (_, at) => entryFor(`x${at}`)),
    [{ ...entry, name }],
    [{ ...entry, name: 'flаsk' as typeof name }],
    [{ ...entry, serial: -1 }],
    [{ ...entry, length: 1.5 }],
    [{ ...entry, serial: 2 ** 53 }],
  ])
    assert.equal(writeBin({ entries, partial: false }), undefined);
});
