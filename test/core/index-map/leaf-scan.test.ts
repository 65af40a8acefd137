import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_LEAF } from '../../../src/core/index-map/index-bin.ts';
import { differingLeaves, occupiedLeaves } from '../../../src/core/index-map/leaf-scan.ts';
import { MerkleTree, rootOfLeaves } from '../../../src/core/index-map/merkle-tree.ts';

const BINS = 65_536;
const turn = async (): Promise<void> => {};
const empty = Buffer.alloc(BINS * 32, EMPTY_LEAF);
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The first and the last of blocks among them; one byte of a leaf differs, wherever it stands. */
const changes = fc.uniqueArray(
  fc.tuple(
    fc.oneof(fc.nat(BINS - 1), fc.constantFrom(0, 127, 128, 255, BINS - 128, BINS - 1)),
    fc.nat(31),
    fc.integer({ min: 1, max: 255 }),
  ),
  { selector: ([bin]) => bin, maxLength: 40 },
);

function changed(leaves: Buffer, by: readonly (readonly [number, number, number])[]): Buffer {
  const copy = Buffer.from(leaves);
  for (const [bin, at, bits] of by) copy[bin * 32 + at] = (copy[bin * 32 + at] as number) ^ bits;
  return copy;
}

test('exactly the leaves that differ are found, in order', () => {
  const some = Buffer.concat(Array.from({ length: BINS }, (_, at) => hashOf(String(at))));
  fc.assert(
    fc.property(changes, (by) => {
      const bins = by.map(([bin]) => bin).sort((a, b) => a - b);
      assert.deepEqual(differingLeaves(some, changed(some, by)), bins);
      assert.deepEqual(differingLeaves(changed(some, by), some), bins);
      assert.deepEqual(occupiedLeaves(changed(empty, by)), bins);
    }),
    { numRuns: 30 },
  );
  assert.equal(occupiedLeaves(some).length, BINS);
});

test('the root of a few names is that of the whole tree', async () => {
  for (const names of [0, 1, 60, 2048, 2049]) {
    const leaves = Buffer.from(empty);
    for (let i = 0; i < names; i++) leaves.set(hashOf(`name ${i}`), ((i * 7919) % BINS) * 32);
    assert.equal(occupiedLeaves(leaves).length, names);
    assert.equal(await rootOfLeaves(leaves, turn), MerkleTree.fromLeaves(leaves).root(), `${names} names`);
  }
});
