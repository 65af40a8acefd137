/** What a store knows after it was closed, or killed, and opened again. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { StorageFullError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { blobLayout } from '../../src/store/blob-layout.ts';
import { tables } from '../../src/store/level-database.ts';
import { digestOf, putBlob, readAll, readBlob } from '../contracts/blob-store.ts';
import { openStoreIn, snapshotOf, temporaryFolder } from '../support/disk-store.ts';

const MiB = 1024 * 1024;

test('sizes, times, order of use, pins and private marks are kept', async () => {
  await using folder = await temporaryFolder();
  await using first = await openStoreIn(folder.path);
  const { store, clock } = first;
  const digests: Digest[] = [];
  for (let i = 0; i < 3; i++) {
    digests.push(await putBlob(store, randomBytes(100 + i)));
    await clock.advance(1000);
  }
  const absent = digestOf(Buffer.from('absent'));
  store.touch(digests[0]!);
  await store.pin(digests[1]!);
  await store.pin(absent);
  await store.markVisibility(absent, 'private');
  await store.markVisibility(digests[2]!, 'private');
  const before = [...store.list()];
  await first[Symbol.asyncDispose]();

  await using second = await openStoreIn(folder.path, { clock });
  assert.deepEqual([...second.store.list()], before);
  assert.deepEqual(second.store.pins().toSorted(), [digests[1]!, absent].toSorted());
  assert.equal(second.store.visibility(absent), 'private');
  assert.deepEqual(
    (await second.store.collect(0)).map(({ digest }) => digest),
    [digests[2], digests[0]],
  );
});

test('a kill loses the last uses of a few seconds, and nothing else that was acknowledged', async () => {
  await using folder = await temporaryFolder();
  await using first = await openStoreIn(folder.path);
  const { store, clock } = first;
  const [old, used] = [await putBlob(store, randomBytes(100)), await putBlob(store, randomBytes(200))];
  await store.pin(old);
  await store.markVisibility(used, 'private');
  const added = store.stat(used)!;
  await clock.advance(limits.store.touchFlush);
  store.touch(used);
  {
    await using killed = await snapshotOf(folder.path);
    await using second = await openStoreIn(killed.path, { clock });
    assert.deepEqual(second.store.stat(used), added);
    assert.equal(second.store.stat(old)?.pinned, true);
  }
  const touchedAt = clock.now();
  await clock.advance(limits.store.touchFlush);
  await first.db.get(tables.meta, Buffer.from('schema'));
  await using killed = await snapshotOf(folder.path);
  await using second = await openStoreIn(killed.path, { clock });
  assert.equal(second.store.stat(used)?.lastUsedAt, touchedAt);
});

test('the folder may be given relative to where the program was started', { timeout: 10_000 }, async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(100);
  for (let i = 0; i < 2; i++) {
    await using opened = await openStoreIn(relative(process.cwd(), folder.path));
    await putBlob(opened.store, bytes);
    assert.deepEqual(await readBlob(opened.store, digestOf(bytes)), bytes);
  }
});

test('a smaller quota takes effect at the start', async () => {
  await using folder = await temporaryFolder();
  {
    await using opened = await openStoreIn(folder.path);
    for (let i = 0; i < 5; i++) await putBlob(opened.store, randomBytes(100));
  }
  await using opened = await openStoreIn(folder.path, { quotaBytes: 250 });
  assert.equal(opened.store.totals().blobs, 2);
  assert.equal(opened.told.filter(({ name }) => name === 'blob:evicted').length, 3);
});

test('a blob whose move to the private tree was cut short by a kill is private and whole', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(100);
  const digest = digestOf(bytes);
  const layout = blobLayout(folder.path);
  {
    await using opened = await openStoreIn(folder.path);
    await putBlob(opened.store, bytes);
    await opened.store.markVisibility(digest, 'private');
  }
  await rename(layout.blob(digest, 'private'), layout.blob(digest, 'public'));
  {
    await using opened = await openStoreIn(folder.path);
    assert.equal(opened.store.stat(digest)?.visibility, 'private');
    assert.deepEqual(await readBlob(opened.store, digest), bytes);
  }
  await stat(layout.blob(digest, 'private'));
  await writeFile(layout.blob(digest, 'public'), bytes);
  await using opened = await openStoreIn(folder.path);
  assert.equal(opened.store.totals().blobs, 1);
  await assert.rejects(stat(layout.blob(digest, 'public')), { code: 'ENOENT' });
});

test('a partial is resumed after a restart, its senders known and its prefix hashed again', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(3 * MiB);
  const digest = digestOf(bytes);
  await using first = await openStoreIn(folder.path);
  {
    await using partial = await first.store.openPartial(digest, { size: bytes.length });
    await partial.append(bytes.subarray(0, 1000), 'https://files.example/f');
    await partial.append(bytes.subarray(1000, 2 * MiB), 'peer:b');
  }
  await first[Symbol.asyncDispose]();

  await using second = await openStoreIn(folder.path, { clock: first.clock });
  assert.equal(second.store.totals().partialBytes, 2 * MiB);
  await using partial = await second.store.openPartial(digest);
  assert.equal(partial.length, 2 * MiB);
  assert.deepEqual(
    [...partial.sent],
    [
      { start: 0, end: 1000, source: 'https://files.example/f' },
      { start: 1000, end: 2 * MiB, source: 'peer:b' },
    ],
  );
  assert.equal(second.hashedBytes(), 2 * MiB);
  await partial.append(bytes.subarray(2 * MiB), 'peer:c');
  await partial.commit({ visibility: 'public' });
  assert.deepEqual(await readBlob(second.store, digest), bytes);
  assert.deepEqual(await readdir(blobLayout(folder.path).partials), []);
});

test('after a kill a partial has what its log can prove, each byte with its sender', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(4 * MiB);
  const digest = digestOf(bytes);
  await using first = await openStoreIn(folder.path);
  await using partial = await first.store.openPartial(digest);
  await partial.append(bytes.subarray(0, 1500), 'peer:a');
  for (let at = 1500; at < 2.5 * MiB; at += 100_000) {
    await partial.append(bytes.subarray(at, Math.min(at + 100_000, 2.5 * MiB)), 'peer:b');
    await first.clock.advance(limits.store.partialLogEvery);
  }
  await using killed = await snapshotOf(folder.path);
  await using second = await openStoreIn(killed.path, { clock: first.clock });
  const { size } = await stat(blobLayout(killed.path).partial(digest));
  assert.equal(size, second.store.totals().partialBytes, 'what the log does not cover takes no room');
  await using resumed = await second.store.openPartial(digest);
  assert.ok(resumed.length >= 1.4 * MiB && resumed.length <= 2.5 * MiB, String(resumed.length));
  assert.deepEqual(
    [...resumed.sent],
    [
      { start: 0, end: 1500, source: 'peer:a' },
      { start: 1500, end: resumed.length, source: 'peer:b' },
    ],
  );
  assert.ok((await readAll(resumed)).equals(bytes.subarray(0, resumed.length)));
  await resumed.append(bytes.subarray(resumed.length), 'peer:c');
  await resumed.commit({ visibility: 'public' });
});

test('a kill costs no more of a fast transfer than the lines that its log may be behind', async () => {
  await using folder = await temporaryFolder();
  const bytes = randomBytes(21 * MiB);
  await using first = await openStoreIn(folder.path);
  await using partial = await first.store.openPartial(digestOf(bytes));
  for (let at = 0; at < 20 * MiB; at += MiB) await partial.append(bytes.subarray(at, at + MiB), 'peer:a');
  await using killed = await snapshotOf(folder.path);
  await using second = await openStoreIn(killed.path, { clock: first.clock });
  await using resumed = await second.store.openPartial(digestOf(bytes));
  const { partialLogLines, partialSegment } = limits.store;
  assert.ok(resumed.length >= 20 * MiB - partialLogLines * partialSegment, String(resumed.length));
  await resumed.append(bytes.subarray(resumed.length), 'peer:b');
  await resumed.commit({ visibility: 'public' });
});

test('bytes of a partial that the disk lost or altered are dropped: no sender is blamed for them', async () => {
  const bytes = randomBytes(3 * MiB);
  const digest = digestOf(bytes);
  const damages: ((path: string) => Promise<void>)[] = [
    async (path) => {
      const altered = await readFile(path);
      altered[1.5 * MiB]! ^= 1;
      await writeFile(path, altered);
    },
    async (path) => writeFile(path, (await readFile(path)).subarray(0, 1.5 * MiB)),
    async (path) => writeFile(path, Buffer.concat([bytes.subarray(0, MiB), Buffer.alloc(1.2 * MiB)])),
    async (path) => {
      const log = await readFile(`${path}.sent`, 'utf8');
      await writeFile(`${path}.sent`, log.slice(0, log.indexOf('\n') + 9));
    },
  ];
  for (const damage of damages) {
    await using folder = await temporaryFolder();
    await using first = await openStoreIn(folder.path);
    {
      await using partial = await first.store.openPartial(digest);
      await partial.append(bytes.subarray(0, MiB), 'peer:a');
      await partial.append(bytes.subarray(MiB, 2.2 * MiB), 'peer:b');
    }
    await first[Symbol.asyncDispose]();
    await damage(blobLayout(folder.path).partial(digest));
    await using second = await openStoreIn(folder.path, { clock: first.clock });
    await using partial = await second.store.openPartial(digest);
    assert.equal(partial.length, MiB);
    assert.deepEqual([...partial.sent], [{ start: 0, end: MiB, source: 'peer:a' }]);
    assert.equal(await partial.actualDigest(), digestOf(bytes.subarray(0, MiB)));
    await partial.append(bytes.subarray(MiB), 'peer:c');
    await partial.commit({ visibility: 'public' });
    assert.equal(second.store.totals().partialBytes, 0);
  }
});

test('partials without a log, torn ones and those older than an hour are deleted at the start', async () => {
  await using folder = await temporaryFolder();
  const layout = blobLayout(folder.path);
  const [bare, torn, old, logOnly] = ['bare', 'torn', 'old', 'log'].map((text) =>
    digestOf(Buffer.from(text)),
  );
  await using first = await openStoreIn(folder.path);
  {
    await using partial = await first.store.openPartial(old!);
    await partial.append(randomBytes(100), 'peer:a');
  }
  await first[Symbol.asyncDispose]();
  await writeFile(layout.partial(bare!), 'bytes of nobody');
  await writeFile(layout.partial(torn!), 'bytes of nobody');
  await writeFile(layout.sent(torn!), '[15,77');
  await writeFile(layout.sent(logOnly!), '[15,77,1,"peer:a"]\n');
  await writeFile(`${layout.sent(bare!)}.new`, '');
  await first.clock.advance(61 * 60_000);
  await using second = await openStoreIn(folder.path, { clock: first.clock });
  assert.equal(second.store.totals().partials, 0);
  assert.deepEqual(await readdir(layout.partials), []);
});

test('a partial that is not resumed within an hour is deleted while the store runs', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path);
  {
    await using partial = await opened.store.openPartial(digestOf(Buffer.from('x')));
    await partial.append(randomBytes(100), 'peer:a');
  }
  await opened.clock.advance(59 * 60_000);
  assert.equal(opened.store.totals().partials, 1);
  await opened.clock.advance(limits.store.partialSweep + 60_000);
  assert.deepEqual(opened.store.totals().partials, 0);
  await opened.store[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(blobLayout(folder.path).partials), []);
});

test('an old partial is deleted also when what finds it old is refused for want of room', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openStoreIn(folder.path, { quotaBytes: 10_000 });
  {
    await using partial = await opened.store.openPartial(digestOf(Buffer.from('x')));
    await partial.append(randomBytes(100), 'peer:a');
  }
  // Between two sweeps.
  await opened.clock.advance(limits.freshness.partialKept + 60_000);
  const large = opened.store.openPartial(digestOf(Buffer.from('y')), { size: 20_000 });
  await assert.rejects(large, StorageFullError);
  await opened.clock.advance(limits.store.partialSweep);
  await opened.store[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(blobLayout(folder.path).partials), []);
});

test('after a restart, too, the partial kept longest goes first, however the folder lists them', async () => {
  await using folder = await temporaryFolder();
  await using first = await openStoreIn(folder.path);
  // Later ones have smaller digests: a folder in order of names has them the wrong way round.
  const digests = Array.from({ length: 6 }, (_, i) => digestOf(Buffer.from(`partial ${i}`)))
    .toSorted()
    .toReversed();
  for (const digest of digests) {
    await using partial = await first.store.openPartial(digest);
    await partial.append(randomBytes(100), 'peer:a');
    await first.clock.advance(1000);
  }
  // The first is opened once more and left without a byte: now it is the last.
  await (await first.store.openPartial(digests[0]!))[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  await using second = await openStoreIn(folder.path, { clock: first.clock });
  await second.store.collect(300);
  const left = (await readdir(blobLayout(folder.path).partials)).filter((name) => name.length === 64);
  assert.deepEqual(new Set(left), new Set([digests[0], ...digests.slice(4)]));
});
