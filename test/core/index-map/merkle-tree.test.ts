import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { MerkleTree } from '../../../src/core/index-map/merkle-tree.ts';

const BINS = 65_536;

/** RFC 6962, section 2.1, as it stands there (the leaves are hashes already). */
function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer;
  const half = leaves.length / 2;
  return createHash('sha256')
    .update(Uint8Array.of(1))
    .update(rootOf(leaves.slice(0, half)))
    .update(rootOf(leaves.slice(half)))
    .digest();
}

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();
const split = (leaves: Buffer): Buffer[] =>
  Array.from({ length: BINS }, (_, at) => leaves.subarray(at * 32, at * 32 + 32));
const some = Buffer.concat(Array.from({ length: BINS }, (_, at) => hashOf(String(at))));

test('the root is that of RFC 6962', () => {
  const tree = MerkleTree.fromLeaves(some);
  assert.equal(tree.root(), rootOf(split(some)).toString('hex'));
  assert.deepEqual(tree.leaves(), some);
  assert.deepEqual(tree.leaf(77), some.subarray(77 * 32, 78 * 32));
  const equal = Buffer.concat(Array<Buffer>(BINS).fill(hashOf('x')));
  assert.equal(MerkleTree.ofEqualLeaves(hashOf('x')).root(), MerkleTree.fromLeaves(equal).root());
  assert.deepEqual(MerkleTree.ofEqualLeaves(hashOf('x')).path(3), MerkleTree.fromLeaves(equal).path(3));
});

test('other than 65,536 hashes are refused', () => {
  for (const length of [0, 32, BINS * 32 - 1, BINS * 32 + 32])
    assert.throws(() => MerkleTree.fromLeaves(Buffer.alloc(length)), { code: 'LEAVES_MALFORMED' });
});

test('a planned change has the root of the changed leaves, and the tree has it only when it is taken', () => {
  const first = MerkleTree.fromLeaves(some);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(fc.tuple(fc.nat(BINS - 1), fc.string()), { maxLength: 30 }),
        // Beyond 2,048 the whole tree is made anew.
        fc.constant(Array.from({ length: 3000 }, (_, at): [number, string] => [(at * 31) % BINS, `n${at}`])),
      ),
      (changes) => {
        const tree = first.copy();
        const plan = tree.plan(new Map(changes.map(([at, text]) => [at, hashOf(text)])));
        assert.equal(tree.root(), first.root());
        const leaves = Buffer.from(some);
        for (const [at, text] of changes) leaves.set(hashOf(text), at * 32);
        const whole = MerkleTree.fromLeaves(leaves);
        assert.equal(plan.root, whole.root());
        tree.take(plan);
        assert.equal(tree.root(), whole.root());
        assert.deepEqual(tree.leaves(), leaves);
        for (const [at] of changes.slice(0, 3)) assert.deepEqual(tree.path(at), whole.path(at));
        assert.equal(first.root(), rootHex);
      },
    ),
    { numRuns: 6 },
  );
});

const rootHex = MerkleTree.fromLeaves(some).root();
