import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { InvalidIndexMapError } from '../../../src/core/errors.ts';
import type { IndexBin } from '../../../src/core/index-map/index-bin.ts';
import {
  applyPart,
  decodeDelta,
  deltaByBin,
  diffBins,
  EMPTY_DELTA,
  encodeDelta,
  joinDeltas,
} from '../../../src/core/index-map/index-delta.ts';
import { binNumber, compareNames, type IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { anyEntries, entryFor } from './some-entries.ts';

type Bins = Map<number, IndexBin>;

const EMPTY: IndexBin = { entries: [], partial: false };

function binsOf(entries: readonly IndexEntry[], partial: ReadonlySet<number>): Bins {
  const groups = Map.groupBy(entries, ({ name }) => binNumber(name));
  const numbers = new Set([...groups.keys(), ...partial]);
  return new Map(
    [...numbers].map((number) => [
      number,
      {
        entries: (groups.get(number) ?? []).sort((a, b) => compareNames(a.name, b.name)),
        partial: partial.has(number),
      },
    ]),
  );
}

const anyBins = fc
  .tuple(anyEntries, fc.uniqueArray(fc.constantFrom(1, 2, binNumber(entryFor('pip').name)), { maxLength: 3 }))
  .map(([entries, partial]) => binsOf(entries, new Set(partial)));

const withoutEmpty = (bins: Bins): Bins =>
  new Map([...bins].filter(([, bin]) => bin.partial || bin.entries.length > 0).sort(([a], [b]) => a - b));

test('what differs between two maps leads from one to the other, also through its encoding', () => {
  fc.assert(
    fc.property(anyBins, anyBins, (before, after) => {
      const numbers = new Set([...before.keys(), ...after.keys()]);
      const parts = [...numbers].map((number) =>
        diffBins(before.get(number) ?? EMPTY, after.get(number) ?? EMPTY, number),
      );
      const delta = joinDeltas(parts);
      const read = decodeDelta(encodeDelta(delta));
      assert.deepEqual(read, delta);
      const result = new Map(before);
      for (const [number, part] of deltaByBin(read)) {
        result.set(number, applyPart(result.get(number) ?? EMPTY, part));
      }
      assert.deepEqual(withoutEmpty(result), withoutEmpty(after));
    }),
    { numRuns: 500 },
  );
});

test('two equal maps have an empty delta', () => {
  fc.assert(
    fc.property(anyBins, (bins) => {
      const parts = [...bins].map(([number, bin]) => diffBins(bin, bin, number));
      assert.deepEqual(joinDeltas(parts), EMPTY_DELTA);
    }),
  );
  assert.equal(Buffer.from(encodeDelta(EMPTY_DELTA)).toString('hex'), 'a26364656c806373657480');
});

test('a delta over 1 MiB is neither written nor read', () => {
  const set = Array.from({ length: 19_000 }, (_, at) => entryFor(`n${String(at).padStart(20, '0')}`));
  const code = { code: 'DELTA_TOO_LARGE' };
  assert.throws(() => encodeDelta({ set, del: [], turned: [] }), code);
  assert.throws(() => decodeDelta(new Uint8Array(1024 * 1024 + 1)), code);
  const fits = { set: set.slice(0, 14_000), del: [], turned: [] };
  assert.deepEqual(decodeDelta(encodeDelta(fits)), fits);
});

test('what is not the one encoding of a delta is refused, each fault with its code', () => {
  const digest = new Uint8Array(32);
  const entry = (name: string): unknown => [name, 1, digest, 1];
  const refused = (value: unknown, code: string): void =>
    assert.throws(
      () => decodeDelta(value instanceof Uint8Array ? value : encode(value)),
      (error) => error instanceof InvalidIndexMapError && error.code === code,
    );
  const none: unknown[] = [];
  refused(Buffer.from('ff', 'hex'), 'DELTA_MALFORMED');
  refused(Buffer.concat([new Uint8Array(100_000).fill(0x81), Buffer.from('80', 'hex')]), 'DELTA_MALFORMED');
  for (const value of [
    [],
    null,
    1,
    {},
    { set: none },
    { del: none },
    { set: none, del: {} },
    { set: none, del: none, x: 1 },
  ])
    refused(value, 'DELTA_MALFORMED');
  refused({ set: [['a', 1, digest]], del: none }, 'DELTA_MALFORMED');
  refused({ set: none, del: [1] }, 'DELTA_MALFORMED');
  refused({ set: [entry('A')], del: none }, 'DELTA_BAD_NAME');
  refused({ set: none, del: ['a_b'] }, 'DELTA_BAD_NAME');
  refused({ set: [entry('b'), entry('a')], del: none }, 'DELTA_BAD_ORDER');
  refused({ set: [entry('a'), entry('a')], del: none }, 'DELTA_BAD_ORDER');
  refused({ set: none, del: ['b', 'a'] }, 'DELTA_BAD_ORDER');
  refused({ set: [entry('a')], del: ['a'] }, 'DELTA_BAD_ORDER');
  for (const p of [[65_536], [-1], ['1'], [1.5], null, true])
    refused({ set: none, del: none, p }, 'DELTA_MALFORMED');
  for (const p of [
    [1, 1],
    [2, 1],
  ])
    refused({ set: none, del: none, p }, 'DELTA_BAD_ORDER');
  refused({ set: none, del: none, p: none }, 'DELTA_NOT_CANONICAL');
  refused(Buffer.from('a26373657480 6364656c80'.replace(' ', ''), 'hex'), 'DELTA_NOT_CANONICAL');
});
