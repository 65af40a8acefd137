import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { digestFromBytes } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { IndexMaps } from '../../src/store/index-map/index-maps.ts';
import { createMemoryIndexMaps } from '../../src/store/index-map/memory-index-maps.ts';
import { createMemoryBlobs, createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { tables } from '../../src/store/level-database.ts';
import { createMemoryLevel, type MemoryLevel } from '../../src/store/memory-level.ts';
import { SharedContent } from '../../src/store/shared-content.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { entryFor } from '../core/index-map/some-entries.ts';
import { setTo } from './index-map/index-maps-contract.ts';

const entries = Array.from({ length: 50 }, (_, at) => entryFor(`name-${at}`, at));
const [first] = entries as [(typeof entries)[number]];

function stores(count: number): { shared: SharedContent; maps: IndexMaps[] } {
  const shared = new SharedContent();
  return { shared, maps: Array.from({ length: count }, () => createMemoryIndexMaps({ shared })) };
}

test('stores with equal maps hold one tree and one copy of each bin', async () => {
  const { shared, maps } = stores(5);
  for (const one of maps) await setTo(one.view('a'), entries);
  const { trees, bins } = shared.totals();
  // The empty one stays for the next map.
  assert.equal(trees, 2);
  assert.ok(bins <= 2 * entries.length, `${bins} bins`);
  assert.equal(new Set(maps.map((one) => one.view('a').root())).size, 1);
});

test('a map that changes leaves those that were equal as they were', async () => {
  const { shared, maps } = stores(3);
  for (const one of maps) await setTo(one.view('a'), entries);
  const [changed, other, built] = maps as [IndexMaps, IndexMaps, IndexMaps];
  const before = other.view('a').root();
  await (await changed.view('a').change({ del: [first.name], set: [] })).commit();
  assert.notEqual(changed.view('a').root(), before);
  assert.equal(other.view('a').root(), before);
  assert.deepEqual(await other.view('a').get(first.name), first);
  assert.equal(await changed.view('a').get(first.name), 'absent');
  await built.build('b', entries);
  assert.equal(built.view('b').root(), before);
  assert.equal(shared.totals().trees, 3);
});

test('a tree that no map has any more is let go', async () => {
  const { shared, maps } = stores(2);
  for (const one of maps) await setTo(one.view('a'), entries);
  for (const one of maps) await one.drop('a');
  assert.equal(shared.totals().trees, 1);
  assert.equal(await (maps[0] as IndexMaps).view('a').get(parseProjectName('name-1')), 'absent');
});

test('blobs are held once, and what one store loses the others keep', async () => {
  const shared = new SharedContent();
  const clock = createFakeClock();
  const make = () =>
    createMemoryBlobStore({
      clock,
      quotaBytes: 1000,
      facts: createFactEmitter(),
      kept: createMemoryBlobs({ shared }),
    });
  const [one, other] = [make(), make()];
  const bytes = Buffer.from('the same for all');
  const digest = digestFromBytes(createHash('sha256').update(bytes).digest());
  for (const store of [one, other]) {
    await using partial = await store.openPartial(digest, { size: bytes.length });
    await partial.append(bytes, 'peer:a');
    await partial.commit({ visibility: 'public' });
  }
  assert.deepEqual([shared.totals().blobs, shared.totals().bytes], [1, bytes.length]);
  await one.delete(digest);
  const reader = await other.open(digest);
  const target = new Uint8Array(bytes.length);
  assert.equal(await reader?.read(target, 0), bytes.length);
  assert.deepEqual(Buffer.from(target), bytes);
});

test('a database’s large values are held once for all, and let go by the last that had them', async () => {
  const shared = new SharedContent();
  const levels = [createMemoryLevel({ shared }), createMemoryLevel({ shared })];
  const table = tables.documents;
  const [key, small, large] = [Buffer.from('key'), Buffer.alloc(10, 1), Buffer.alloc(5000, 2)];
  const [one, other] = levels as [MemoryLevel, MemoryLevel];
  for (const level of levels) {
    await level.write([
      { table, key, value: large },
      { table, key: small, value: small },
    ]);
  }
  assert.deepEqual([shared.totals().values, shared.totals().bytes], [1, 5000]);
  large.fill(3);
  await one.write([{ table, key, value: undefined }], { sync: true });
  assert.deepEqual(await other.get(table, key), Buffer.alloc(5000, 2));
  await other.write([{ table, key, value: small }]);
  assert.equal(shared.totals().bytes, 0);
  other.crash();
  assert.equal(await other.get(table, key), undefined);
});
