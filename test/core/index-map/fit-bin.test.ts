import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changeBin, fitBin } from '../../../src/core/index-map/fit-bin.ts';
import { decodeBin, encodeBin } from '../../../src/core/index-map/index-bin.ts';
import type { IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { entryFor, groundEntries } from './some-entries.ts';

/** Not of one bin: `fitBin` does not look. */
const thousands = Array.from({ length: 5000 }, (_, at) => entryFor(`many-${at}`, (at * 7919) % 5000));
const LIMIT = 65_536;

function checkLowest(all: readonly IndexEntry[], kept: readonly IndexEntry[]): void {
  const names = new Set(kept.map(({ name }) => name));
  const highest = Math.max(...kept.map(({ serial }) => serial));
  assert.ok(all.every((entry) => names.has(entry.name) || entry.serial >= highest));
}

test('thousands of names in one bin: the lowest serials stay, and the bin says that it is partial', () => {
  const bin = fitBin(thousands);
  const bytes = encodeBin(bin);
  assert.equal(bin.partial, true);
  assert.ok(bytes.length <= LIMIT && bytes.length > LIMIT - 100, `${bytes.length} bytes`);
  checkLowest(thousands, bin.entries);
});

test('names that were ground into one bin make a bin that every node accepts', () => {
  const { number, entries } = groundEntries((at) => 300 - at);
  const bin = fitBin(entries);
  assert.ok(bin.partial && bin.entries.length < 300);
  checkLowest(entries, bin.entries);
  assert.deepEqual(decodeBin(encodeBin(bin), number), bin);
});

test('what is kept does not depend on the order that the names came in', () => {
  const same = thousands.map(({ name }) => entryFor(name, 5));
  fc.assert(
    fc.property(fc.shuffledSubarray(same, { minLength: same.length }), (shuffled) => {
      assert.deepEqual(fitBin(shuffled), fitBin(same));
    }),
    { numRuns: 5 },
  );
});

test('a bin that fits exactly is whole, with one byte more it is partial', () => {
  const alike = Array.from({ length: 1600 }, (_, at) => entryFor(`n${at + 1000}`));
  const size = (entries: readonly IndexEntry[]): number => encodeBin({ entries, partial: false }).length;
  const each = size(alike.slice(0, 2)) - size(alike.slice(0, 1));
  const most = alike.slice(0, Math.floor((LIMIT - 200) / each));
  let name = 'z'.repeat(30);
  name += 'z'.repeat(LIMIT - size([...most, entryFor(name)]));
  assert.equal(size([...most, entryFor(name)]), LIMIT);
  assert.equal(fitBin([...most, entryFor(name)]).partial, false);
  const over = fitBin([...most, entryFor(`${name}z`)]);
  assert.deepEqual([over.partial, over.entries.length], [true, most.length]);
});

test('a partial bin stays partial when it gets room again: what was left out is not known', () => {
  const full = fitBin(thousands);
  const del = full.entries.slice(0, -3).map(({ name }) => name);
  const after = changeBin(full, { set: [], del });
  assert.equal(after.entries.length, 3);
  assert.equal(after.partial, true);
  const changed = changeBin(full, { set: [entryFor('newest', 10_000)], del: [] });
  assert.deepEqual(changed, full);
});
