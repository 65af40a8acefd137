import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestFromBytes } from '../../../src/core/digest.ts';
import { HASH_BYTES, nodeHash } from '../../../src/core/index-map/tree-hash.ts';
import { EMPTY_ROOT } from '../../../src/core/log/checkpoint.ts';
import {
  appendLeaf,
  EMPTY_RANGE,
  isCompactRange,
  rangeFromLastLeaf,
  rangeRoot,
} from '../../../src/core/log/compact-range.ts';
import { logRoot, proveConsistency, proveInclusion, type ReadTile } from '../../../src/core/log/prove-log.ts';
import {
  decodeBundle,
  encodeBundle,
  joinHashes,
  newTiles,
  parseTilePath,
  tilePath,
} from '../../../src/core/log/tiles.ts';
import { consistencyFolds, inclusionFolds, rangeFold } from '../../../src/core/log/tree-nodes.ts';
import { checkConsistency, checkInclusion, type TreeProof } from '../../../src/core/log/tree-proofs.ts';
import { createTestTree, type TestTree } from '../../support/test-tree.ts';
import { isLogError } from './log-error.ts';

const big = createTestTree(1300);
const sizes = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(255, 256, 257, 511, 512, 513, 1300));

/** Tiles of the tree as the specification says: each hash the root of 256^level leaves. */
function tilesOf(tree: TestTree): ReadTile {
  return async ({ level, index, width }) => {
    assert.ok(level !== 'entries');
    const leaves = 256 ** level;
    const hashes = Array.from({ length: width }, (_, i) => {
      const first = (index * 256 + i) * leaves;
      return joinHashes(Buffer.concat(tree.leaves.slice(first, first + leaves)));
    });
    return Buffer.concat(hashes);
  };
}

const leafOf = (index: number) => digestFromBytes(big.leaves[index] as Buffer);
const headOf = (size: number) => ({ size, root: big.root(size) });

test('roots and proofs made from tiles are those of RFC 6962', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, a, b) => {
      const [index, from] = [a % size, b % (size + 1)];
      const readTile = tilesOf(big);
      assert.equal(await logRoot(size, readTile), big.root(size));
      const inclusion = await proveInclusion(index, size, readTile);
      assert.deepEqual(inclusion.map(Buffer.from), big.proveInclusion(index, size));
      checkInclusion(headOf(size), index, leafOf(index), inclusion);
      const consistency = await proveConsistency(from, size, readTile);
      assert.deepEqual(consistency.map(Buffer.from), big.proveConsistency(from, size));
      checkConsistency({ size: from, root: big.root(from) }, headOf(size), consistency);
    }),
    { numRuns: 60 },
  );
});

/** Every small change of a proof. */
function* altered(proof: TreeProof): Generator<TreeProof> {
  for (const [i, hash] of proof.entries()) {
    yield proof.with(
      i,
      Buffer.from(hash).map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
    );
    yield proof.toSpliced(i, 1);
    yield proof.toSpliced(i, 0, hash);
    yield proof.with(i, hash.subarray(1));
    if (i > 0) yield proof.with(i, proof[i - 1] as Uint8Array).with(i - 1, hash);
  }
  yield [...proof, Buffer.alloc(HASH_BYTES)];
  yield [Buffer.alloc(HASH_BYTES), ...proof];
}

test('an altered proof, and one for anything else, fails', () => {
  for (let size = 1; size <= 20; size++) {
    for (let index = 0; index < size; index++) {
      const proof = big.proveInclusion(index, size);
      for (const other of altered(proof))
        assert.throws(() => checkInclusion(headOf(size), index, leafOf(index), other), {
          code: 'INCLUSION_FAILED',
        });
      for (const [head, at, leaf] of [
        [headOf(size), index, leafOf(index + 1)],
        [headOf(size), size, leafOf(index)],
        [headOf(size), -1, leafOf(index)],
        [headOf(size), index + 0.5, leafOf(index)],
        [{ size, root: big.root(size + 1) }, index, leafOf(index)],
        [{ size: 0, root: EMPTY_ROOT }, index, leafOf(index)],
      ] as const)
        assert.throws(() => checkInclusion(head, at, leaf, proof), { code: 'INCLUSION_FAILED' });
    }
    for (let from = 0; from <= size; from++) {
      const [older, head] = [{ size: from, root: big.root(from) }, headOf(size)];
      const proof = big.proveConsistency(from, size);
      for (const other of altered(proof))
        assert.throws(() => checkConsistency(older, head, other), { code: 'CONSISTENCY_FAILED' });
      const wrong = { size: from, root: big.root(from + 1) };
      assert.throws(() => checkConsistency(wrong, head, proof), { code: 'CONSISTENCY_FAILED' });
      if (from > 0 && from < size) {
        const forked = { size, root: big.root(size + 1) };
        assert.throws(() => checkConsistency(older, forked, proof), { code: 'CONSISTENCY_FAILED' });
      }
    }
  }
  assert.throws(() => checkConsistency(headOf(5), headOf(4), []), { code: 'CONSISTENCY_FAILED' });
});

test('proofs from strangers of any size and length end in an answer', () => {
  const hashes = fc.array(fc.uint8Array({ minLength: 31, maxLength: 32 }), { maxLength: 70 });
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), hashes, (a, b, proof) => {
      for (const check of [
        () => checkInclusion({ size: a, root: EMPTY_ROOT }, b, EMPTY_ROOT, proof),
        () => checkConsistency({ size: b, root: EMPTY_ROOT }, { size: a, root: big.root(1) }, proof),
      ])
        assert.throws(check, isLogError);
    }),
  );
});

test('a log of 2^53 - 1 leaves has proofs of at most 53 hashes', () => {
  const size = Number.MAX_SAFE_INTEGER;
  assert.equal(inclusionFolds(size - 1, size).length, 52);
  assert.equal(inclusionFolds(0, size).length, 53);
  assert.ok(consistencyFolds(size - 1, size).length <= 54);
  assert.equal(rangeFold(0, size).length, 53);
});

test('a compact range from the last leaf is the one that grows leaf by leaf', () => {
  let grown = EMPTY_RANGE;
  assert.equal(rangeRoot(grown), EMPTY_ROOT);
  for (let size = 1; size <= 300; size++) {
    grown = appendLeaf(grown, leafOf(size - 1));
    assert.ok(isCompactRange(grown));
    if (size > 70 && size % 32 > 1) continue;
    assert.equal(rangeRoot(grown), big.root(size));
    const made = rangeFromLastLeaf(headOf(size), leafOf(size - 1), big.proveInclusion(size - 1, size));
    assert.deepEqual(made.hashes.map(Buffer.from), grown.hashes.map(Buffer.from));
    assert.equal(made.size, size);
  }
  assert.ok(!isCompactRange({ size: 3, hashes: grown.hashes.slice(0, 1) }));
  assert.ok(!isCompactRange({ size: -1, hashes: [] }));
  assert.throws(() => rangeFromLastLeaf(headOf(4), leafOf(2), big.proveInclusion(3, 4)), {
    code: 'INCLUSION_FAILED',
  });
});

test('a log that grows has exactly the tiles of its new size that it had not', () => {
  const paths = (from: number, to: number): string[] => newTiles(from, to).map(tilePath);
  assert.deepEqual(paths(0, 0), []);
  assert.deepEqual(paths(5, 5), []);
  assert.deepEqual(paths(0, 256), ['tile/0/000', 'tile/1/000.p/1']);
  assert.deepEqual(paths(255, 257), ['tile/0/000', 'tile/0/001.p/1', 'tile/1/000.p/1']);
  // The specification's example: 273 full tiles and one of 112; one full and one of 17; one of 1.
  const example = newTiles(0, 70_000);
  assert.equal(example.length, 273 + 1 + 1 + 1 + 1);
  assert.deepEqual(example.filter(({ width }) => width !== 256).map(tilePath), [
    'tile/0/273.p/112',
    'tile/1/001.p/17',
    'tile/2/000.p/1',
  ]);
  fc.assert(
    fc.property(fc.nat(200_000), fc.nat(3000), (from, more) => {
      const stepwise = new Set([...paths(0, from), ...paths(from, from + more)]);
      for (const path of paths(0, from + more)) assert.ok(stepwise.has(path), path);
    }),
    { numRuns: 30 },
  );
});

test('a tile has one path, and any text is a path of one tile or of none', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 })),
      fc.maxSafeNat(),
      fc.integer({ min: 1, max: 256 }),
      (level, index, width) => {
        assert.deepEqual(parseTilePath(tilePath({ level, index, width })), { level, index, width });
      },
    ),
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'tile/entries0123x.p/'.split('')) }), (text) => {
      const path = `tile/${text}`;
      const tile = parseTilePath(path);
      if (tile !== undefined) assert.equal(tilePath(tile), path);
    }),
  );
});

test('entry bundles hold what was put in, and nothing that is cut off or left over', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), fc.nat(), (entries, cut) => {
      const bytes = encodeBundle(entries);
      assert.deepEqual(decodeBundle(bytes, entries.length).map(Buffer.from), entries.map(Buffer.from));
      const cutOff = bytes.subarray(0, cut % (bytes.length + 1));
      if (cutOff.length < bytes.length)
        assert.throws(() => decodeBundle(cutOff, entries.length), { code: 'TILE_MALFORMED' });
      assert.throws(() => decodeBundle(bytes, entries.length + 1), { code: 'TILE_MALFORMED' });
    }),
  );
  assert.equal(decodeBundle(encodeBundle([Buffer.alloc(65_535)]), 1)[0]?.length, 65_535);
  assert.throws(() => encodeBundle([Buffer.alloc(65_536)]), { code: 'TILE_MALFORMED' });
});

test('a tile that is too short gives no proof', async () => {
  const readTile: ReadTile = async (tile) => (await tilesOf(big)(tile)).subarray(1);
  await assert.rejects(logRoot(5, readTile), { code: 'TILE_MALFORMED' });
  await assert.rejects(proveInclusion(5, 5, tilesOf(big)), RangeError);
  await assert.rejects(proveConsistency(6, 5, tilesOf(big)), RangeError);
  assert.equal(
    joinHashes(Buffer.concat(big.leaves.slice(0, 2))).toString(),
    nodeHash(big.leaves[0] as Buffer, big.leaves[1] as Buffer).toString(),
  );
});
