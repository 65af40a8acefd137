import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { digestFromBytes, type Digest } from '../../src/core/digest.ts';
import { BlobIndex } from '../../src/store/blob-index.ts';
import { DigestTable } from '../../src/store/digest-table.ts';

/** Few buckets: many digests that want the same one. */
const crowded = fc
  .tuple(fc.nat(3), fc.nat(40))
  .map(([bucket, n]) =>
    digestFromBytes(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? bucket : i === 31 ? n : 0))),
  );

test('a digest table is a Map from digests to slots that stay', () => {
  const operation = fc.record({ digest: crowded, remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const table = new DigestTable();
      const model = new Map<Digest, number>();
      for (const { digest, remove } of operations) {
        if (remove) {
          assert.equal(table.remove(digest), model.get(digest) ?? -1);
          model.delete(digest);
        } else {
          const slot = table.insert(digest);
          assert.equal(slot, model.get(digest) ?? slot);
          assert.ok(slot < table.capacity);
          model.set(digest, slot);
        }
        assert.equal(table.size, model.size);
        assert.equal(new Set(model.values()).size, model.size, 'no two in one slot');
        for (const [known, slot] of model) {
          assert.equal(table.find(known), slot);
          assert.equal(table.digestAt(slot), known);
        }
      }
      assert.deepEqual([...table.digests()].sort(), [...model.keys()].sort());
    }),
  );
});

test('an index of 100,000 blobs takes less than 20 MB and finds each', { timeout: 20_000 }, () => {
  const index = new BlobIndex();
  const digests = Array.from({ length: 100_000 }, () => digestFromBytes(randomBytes(32)));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const buffers = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  };
  const before = buffers();
  const record = { size: 7, inode: 1, modifiedAt: 2, changedAt: 3 };
  for (const [i, digest] of digests.entries())
    index.addUnsorted(digest, { ...record, addedAt: i, lastUsedAt: -i });
  index.sort();
  const taken = buffers() - before;
  assert.ok(taken < 20e6, `${taken} bytes`);
  console.log(taken);
  assert.equal(index.bytes, 700_000);
  assert.deepEqual([...index.newest()].slice(0, 2), [digests[99_999], digests[99_998]]);
  assert.equal(index.leastRecentlyUsed().next().value?.digest, digests[99_999]);
  for (const digest of digests.slice(0, 1000)) assert.ok(index.has(digest));
});
