import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tilePath } from '../../../src/core/log/tiles.ts';
import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import { countEntries, lastBundle } from '../../../src/store/publisher-log/stored-tree.ts';

/** As a log of `size` entries leaves it: full bundles, and the last partial one. */
function bundlesOf(size: number) {
  const full = Math.floor(size / 256);
  const paths = new Set(
    Array.from({ length: full }, (_, index) => tilePath({ level: 'entries', index, width: 256 })),
  );
  const files = createMemoryLogFiles();
  let looks = 0;
  return {
    looks: () => looks,
    files: {
      ...files,
      async has(path: string) {
        looks++;
        return paths.has(path);
      },
      async list(folder: string) {
        const folderOfPartials = tilePath({ level: 'entries', index: full, width: 1 }).replace(/\/1$/, '');
        const width = size % 256;
        return folder === folderOfPartials && width > 0 ? ['1', String(width), 'stray'] : [];
      },
    },
  };
}

test('stored entries are counted by looking at few files, however long the log is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.nat(3000), fc.nat(600_000)), async (size) => {
      const { files, looks } = bundlesOf(size);
      assert.equal(await countEntries(files), size);
      assert.ok(looks() <= 2 * Math.log2(size + 2) + 2, `${looks()} looks for ${size}`);
    }),
  );
});

test('a log ends with a bundle of 1 to 256 entries', () => {
  assert.deepEqual(lastBundle(1), { level: 'entries', index: 0, width: 1 });
  assert.deepEqual(lastBundle(256), { level: 'entries', index: 0, width: 256 });
  assert.deepEqual(lastBundle(257), { level: 'entries', index: 1, width: 1 });
});
