/** New bases behind the changes' backs, sharing, and disks that are full or fail. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { StorageFullError } from '../../../src/core/errors.ts';
import { createFaultyFileSystem, systemError } from '../../support/faulty-file-system.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { entryFor } from '../../core/index-map/some-entries.ts';
import { allEntries, sorted } from './index-maps-contract.ts';
import { openMapsIn } from './open-maps.ts';

const entries = Array.from({ length: 2000 }, (_, at) => entryFor(`n${at}`, 1));
const changed = (serial: number, from: number, to: number): typeof entries =>
  entries.slice(from, to).map(({ name }) => entryFor(name, serial));

async function logBytes(path: string): Promise<number> {
  const logs = (await readdir(path)).filter((name) => name.endsWith('.log'));
  assert.equal(logs.length, 1);
  return (await stat(join(path, logs[0] ?? ''))).size;
}

const nextChange = (maps: { drop(name: string): Promise<void> }): Promise<void> => maps.drop('nobody');

test('when enough bins differ a new base is written, and every map and reader goes on', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openMapsIn(folder.path, { due: { touched: 200, bytes: 1e9 } });
  const { maps } = opened;
  await maps.build('a', entries);
  const [a, b] = [maps.view('a'), maps.view('b')];
  await (await b.stageLeaves(a.leaves())).commit();
  // Bins that the reader will have to fetch from the old overlay.
  await (await a.change({ set: changed(5, 1000, 1050), del: [] })).commit();
  const reading = a.entries()[Symbol.asyncIterator]();
  const first = (await reading.next()).value as typeof entries;
  const generation = (await readdir(folder.path)).find((name) => name.endsWith('.base'));
  await (await a.change({ set: changed(2, 0, 300), del: [] })).commit();
  const root = a.root();
  await nextChange(maps);
  assert.notEqual((await readdir(folder.path)).filter((name) => name.endsWith('.base')).at(-1), generation);
  assert.equal(a.root(), root);
  assert.deepEqual(await a.get(entries[0]!.name), entryFor(entries[0]!.name, 2));
  assert.deepEqual(await b.get(entries[0]!.name), entries[0]);
  // The reader that began before sees what was then.
  const seen = [...first];
  for (let next = await reading.next(); next.done !== true; next = await reading.next())
    seen.push(...next.value);
  assert.deepEqual(
    sorted(seen),
    sorted([...entries.slice(0, 1000), ...changed(5, 1000, 1050), ...entries.slice(1050)]),
  );
  assert.deepEqual(await allEntries(b), sorted(entries));
  assert.deepEqual(opened.told, []);
});

test('what two maps have in common is kept once', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openMapsIn(folder.path);
  const { maps } = opened;
  await maps.build('a', entries);
  const [a, b] = [maps.view('a'), maps.view('b')];
  await (await b.stageLeaves(a.leaves())).commit();
  const before = await logBytes(folder.path);
  await (await a.change({ set: changed(2, 0, 500), del: [] })).commit();
  const first = (await logBytes(folder.path)) - before;
  await (await b.change({ set: changed(2, 0, 500), del: [] })).commit();
  const second = (await logBytes(folder.path)) - before - first;
  assert.equal(a.root(), b.root());
  // The second one writes its leaf hashes only: 34 bytes a bin.
  assert.ok(second <= 500 * 34 + 32 && first > 2 * second, `${first} and ${second} bytes`);
});

test('nothing that was added is dropped while it is held; afterwards the new base goes without it', async () => {
  await using folder = await temporaryFolder();
  await using theirs = await temporaryFolder();
  await using source = await openMapsIn(theirs.path);
  await source.maps.build('p', entries.slice(0, 50));
  const leaves = source.maps.view('p').leaves();
  await using opened = await openMapsIn(folder.path, { due: { touched: 10, bytes: 1e9 } });
  const { maps } = opened;
  const a = maps.view('a');
  const missing = maps.missing(leaves);
  {
    using _hold = maps.hold();
    await maps.add(
      await Promise.all(missing.map(async (at) => [at, await source.maps.view('p').bin(at)] as const)),
    );
    await (await a.change({ set: changed(3, 100, 200), del: [] })).commit();
    await nextChange(maps);
    assert.deepEqual(maps.missing(leaves), []);
  }
  await nextChange(maps);
  assert.deepEqual(maps.missing(leaves), missing);
  assert.deepEqual(await allEntries(a), sorted(changed(3, 100, 200)));
});

test('a full disk refuses the change, says so, and keeps the map; with room again it goes on', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  const roots: string[] = [];
  {
    await using opened = await openMapsIn(folder.path, { fileSystem: faults.fileSystem });
    const { maps } = opened;
    const a = maps.view('a');
    await (await a.change({ set: entries.slice(0, 100), del: [] })).commit();
    const root = a.root();
    for (const free of [0, 5, 500, 5000]) {
      faults.free = free;
      const change = await a.change({ set: changed(4, 0, 100), del: [] });
      await assert.rejects(
        change.commit(),
        (error) => error instanceof StorageFullError && /free space/.test(error.message),
      );
      assert.equal(a.root(), root);
      assert.deepEqual(await a.get(entries[0]!.name), entries[0]);
    }
    await assert.rejects(maps.build('a', entries), StorageFullError);
    assert.equal(a.root(), root);
    faults.free = undefined;
    await (await a.change({ set: [entryFor('after')], del: [] })).commit();
    roots.push(root, a.root());
  }
  assert.equal(faults.openFiles, 0);
  await using again = await openMapsIn(folder.path);
  assert.equal(again.maps.view('a').root(), roots[1]);
  assert.deepEqual(again.told, []);
});

test('a commit whose fsync failed is not there after a restart', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  let root: string;
  {
    await using opened = await openMapsIn(folder.path, { fileSystem: faults.fileSystem });
    const a = opened.maps.view('a');
    await (await a.change({ set: entries.slice(0, 5), del: [] })).commit();
    root = a.root();
    faults.beforeSync = () => {
      throw systemError('EIO');
    };
    await assert.rejects((await a.change({ set: [entryFor('lost')], del: [] })).commit(), /EIO/);
    assert.equal(a.root(), root);
  }
  await using again = await openMapsIn(folder.path);
  assert.equal(again.maps.view('a').root(), root);
});

test('a new base that cannot be written is told, and the old one goes on', async () => {
  await using folder = await temporaryFolder();
  const faults = createFaultyFileSystem();
  await using opened = await openMapsIn(folder.path, {
    fileSystem: faults.fileSystem,
    due: { touched: 50, bytes: 1e9 },
  });
  const a = opened.maps.view('a');
  await (await a.change({ set: entries.slice(0, 40), del: [] })).commit();
  faults.free = 200_000;
  await (await a.change({ set: entries.slice(40, 120), del: [] })).commit();
  await nextChange(opened.maps);
  assert.deepEqual(
    opened.told.map(({ name }) => name),
    ['storage:full'],
  );
  faults.free = undefined;
  assert.equal((await allEntries(a)).length, 120);
  assert.deepEqual((await readdir(folder.path)).sort(), ['1.base', '1.log']);
});
