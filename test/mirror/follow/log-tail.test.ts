import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Digest } from '../../../src/core/digest.ts';
import { checkConsistency, checkInclusion } from '../../../src/core/log/tree-proofs.ts';
import { LogTail } from '../../../src/mirror/follow/log-tail.ts';
import { createTestTree } from '../../support/test-tree.ts';

test('from wherever following began, the tail proves all that came since', () => {
  const tree = createTestTree(300);
  const hex = (index: number): Digest => (tree.leaves[index] as Buffer).toString('hex') as Digest;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 300 }),
      fc.nat(),
      fc.nat(),
      (a, b, pick, pickTo) => {
        const [base, size] = [Math.min(a, b), Math.max(a, b)];
        const tail = new LogTail(
          { size: base, root: tree.root(base) },
          hex(base - 1),
          tree.proveInclusion(base - 1, base),
        );
        const more = Array.from({ length: size - base }, (_, i) => hex(base + i));
        assert.equal(tail.rootWith(more), tree.root(size));
        tail.append(more);
        assert.equal(tail.root, tree.root(size));
        const to = base + (pickTo % (size - base + 1));
        const from = base + (pick % (to - base + 1));
        const [older, newer] = [from, to].map((n) => ({ size: n, root: tree.root(n) })) as [
          { size: number; root: Digest },
          { size: number; root: Digest },
        ];
        checkConsistency(older, newer, tail.proveConsistency(from, to));
        const index = base - 1 + (pick % (to - base + 1));
        assert.equal(tail.leaf(index), hex(index));
        checkInclusion(newer, index, hex(index), tail.proveInclusion(index, to));
      },
    ),
  );
});

test('what was before the beginning is not made up', () => {
  const tree = createTestTree(9);
  const head = { size: 9, root: tree.root() };
  const tail = new LogTail(
    head,
    (tree.leaves[8] as Buffer).toString('hex') as Digest,
    tree.proveInclusion(8),
  );
  assert.equal(tail.leaf(3), undefined);
  assert.throws(() => tail.proveInclusion(3), RangeError);
  assert.throws(() => tail.proveConsistency(5), RangeError);
  assert.throws(() => tail.proveInclusion(9), RangeError);
});
