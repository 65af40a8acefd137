import assert from 'node:assert/strict';
import { readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { Level } from 'level';
import type { Digest } from '../../src/core/digest.ts';
import { ConfigurationError } from '../../src/core/errors.ts';
import { createFactEmitter, type FactEmitter } from '../../src/core/facts.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import { createLevelCatalog } from '../../src/store/level-catalog.ts';
import { tables, type LevelDatabase } from '../../src/store/level-database.ts';
import { openLevel } from '../../src/store/open-level.ts';
import { catalogContract, keptPage, pageOf } from '../contracts/catalog.ts';
import { temporaryFolder } from '../support/disk-store.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

interface Opened extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly db: LevelDatabase;
  readonly repaired: string[];
}

async function openIn(path: string, clock: FakeClock = createFakeClock()): Promise<Opened> {
  const facts: FactEmitter = createFactEmitter();
  const repaired: string[] = [];
  facts.on('storage:repaired', ({ message }) => repaired.push(message));
  const db = await openLevel(path, { clock, facts });
  const catalog = await createLevelCatalog(db, { clock });
  return {
    catalog,
    db,
    repaired,
    async [Symbol.asyncDispose]() {
      await catalog[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

catalogContract('the level catalog', async () => {
  const folder = await temporaryFolder();
  const opened = await openIn(join(folder.path, 'catalog'));
  return {
    catalog: opened.catalog,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});

const flask = parseProjectName('flask');

test('what was put is there after a restart; absences older than a day are not', async () => {
  await using folder = await temporaryFolder();
  const clock = createFakeClock();
  const page = keptPage(clock.now());
  {
    await using opened = await openIn(folder.path, clock);
    await opened.catalog.putPage(flask, page);
    await opened.catalog.putPage(parseProjectName('gone'), { kind: 'absent', observedAt: clock.now() });
    await opened.catalog.putDocument('network', 'bans', [1]);
  }
  await clock.advance(23 * 3600_000);
  {
    await using opened = await openIn(folder.path, clock);
    assert.deepEqual(opened.catalog.totals(), { pages: 1, oldestObservedAt: page.observedAt });
    assert.deepEqual(await opened.catalog.page(flask), { ...page, body: Buffer.from(page.body) });
    assert.equal((await opened.catalog.page(parseProjectName('gone')))?.kind, 'absent');
    assert.deepEqual(await opened.catalog.document('network', 'bans'), [1]);
  }
  await clock.advance(2 * 3600_000);
  await using opened = await openIn(folder.path, clock);
  assert.equal(await opened.catalog.page(parseProjectName('gone')), undefined);
  assert.equal((await opened.catalog.page(flask))?.kind, 'page');
});

/** A catalog whose reads and writes of the database can be seen and held up. */
async function watched(db: LevelDatabase) {
  const seen = { reads: 0, writes: [] as string[][] };
  let before = Promise.resolve();
  const watching: LevelDatabase = {
    ...db,
    get(table, key) {
      seen.reads++;
      return db.get(table, key);
    },
    async write(writes, options) {
      seen.writes.push(writes.map(({ table, key }) => `${table} ${Buffer.from(key).toString()}`));
      await before;
      return db.write(writes, options);
    },
  };
  const catalog = await createLevelCatalog(watching, { clock: createFakeClock() });
  seen.writes.length = 0;
  return { catalog, seen, holdUp: (until: Promise<void>): void => void (before = until) };
}

const wheel = 'a'.repeat(64) as Digest;

test('what the catalog cannot have is not asked of the disk; what it has is found, after a restart too', async () => {
  await using folder = await temporaryFolder();
  const gone = parseProjectName('gone');
  const other = 'b'.repeat(64) as Digest;
  {
    await using opened = await openIn(folder.path);
    const { catalog, seen } = await watched(opened.db);
    assert.equal(await catalog.page(flask), undefined);
    assert.equal(await catalog.document('marks', 'flask'), undefined);
    assert.equal(await catalog.wheelMetadata(wheel), undefined);
    assert.equal(seen.reads, 0);
    await catalog.putPage(gone, { kind: 'absent', observedAt: createFakeClock().now() });
    await catalog.putDocument('marks', 'flask', { made: 1 });
    await catalog.putWheelMetadata(wheel, 'none');
    assert.equal((await catalog.page(gone))?.kind, 'absent');
    assert.deepEqual(await catalog.document('marks', 'flask'), { made: 1 });
    assert.equal(await catalog.wheelMetadata(wheel), 'none');
  }
  await using opened = await openIn(folder.path);
  const { catalog, seen } = await watched(opened.db);
  assert.equal((await catalog.page(gone))?.kind, 'absent');
  assert.deepEqual(await catalog.document('marks', 'flask'), { made: 1 });
  assert.equal(await catalog.wheelMetadata(wheel), 'none');
  const { reads } = seen;
  assert.equal(await catalog.page(flask), undefined);
  assert.equal(await catalog.document('marks', 'click'), undefined);
  assert.equal(await catalog.wheelMetadata(other), undefined);
  assert.equal(seen.reads, reads);
});

test('pages that come while one is being written are written together', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openIn(folder.path);
  const { catalog, seen, holdUp } = await watched(opened.db);
  const { promise, resolve } = Promise.withResolvers<void>();
  holdUp(promise);
  const names = ['first', 'second', 'third'].map(parseProjectName);
  const put = [catalog.putPage(names[0]!, keptPage(1))];
  await new Promise(setImmediate);
  put.push(...names.slice(1).map((name, at) => catalog.putPage(name, keptPage(at + 2))));
  await new Promise(setImmediate);
  assert.deepEqual(seen.writes, [['g first', 'y first']]);
  resolve();
  await Promise.all(put);
  assert.deepEqual(seen.writes.slice(1), [['g second', 'y second', 'g third', 'y third']]);
  assert.equal(catalog.totals().pages, 3);
  assert.equal((await catalog.page(names[2]!))?.observedAt, 3);
});

test('a page does not wait in one write with many megabytes of others', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openIn(folder.path);
  const { catalog, seen } = await watched(opened.db);
  const big = Buffer.alloc(1024 * 1024, 'big');
  const names = ['one', 'two', 'three'].map(parseProjectName);
  await Promise.all(names.map((name, at) => catalog.putPage(name, keptPage(at, at === 2 ? undefined : big))));
  assert.deepEqual(
    seen.writes.map((keys) => keys.filter((key) => key.startsWith('g'))),
    [['g one'], ['g two'], ['g three']],
  );
});

test('what is put and deleted and put again at once is there, with its own body', async () => {
  await using folder = await temporaryFolder();
  const [one, two] = [Buffer.from('one'), Buffer.from('two')];
  {
    await using opened = await openIn(folder.path);
    const { catalog } = opened;
    await catalog.putPage(flask, keptPage(1, one));
    await Promise.all([
      // The last has the body that is kept before all of them.
      catalog.putPage(flask, keptPage(2, two)),
      catalog.putPage(flask, keptPage(3, one)),
    ]);
    assert.deepEqual(await catalog.page(flask), { ...keptPage(3, one), body: one });
    await Promise.all([
      catalog.putPage(flask, keptPage(4, one)),
      catalog.deletePage(flask),
      catalog.putPage(flask, keptPage(5, one)),
    ]);
    assert.equal((await catalog.page(flask))?.observedAt, 5);
    await Promise.all([
      catalog.putPage(flask, keptPage(6, two)),
      catalog.putPage(flask, { kind: 'absent', observedAt: createFakeClock().now() }),
      catalog.putPage(flask, keptPage(7, two)),
    ]);
  }
  await using opened = await openIn(folder.path);
  assert.deepEqual(await opened.catalog.page(flask), { ...keptPage(7, two), body: two });
});

test('a revalidated page costs no second copy of its body', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openIn(folder.path);
  const page = keptPage(1, Buffer.alloc(100_000, 'random enough'));
  await opened.catalog.putPage(flask, page);
  let bodies = 0;
  const counting: LevelDatabase = {
    ...opened.db,
    write(writes, options) {
      bodies += writes.filter(({ table }) => table === tables.bodies).length;
      return opened.db.write(writes, options);
    },
  };
  const catalog = await createLevelCatalog(counting, { clock: createFakeClock() });
  await catalog.putPage(flask, { ...page, observedAt: 2 });
  assert.equal(bodies, 0);
  await catalog.putPage(flask, keptPage(3, Buffer.alloc(100_000, 'other')));
  assert.equal(bodies, 1);
});

test('a database that cannot be opened is kept aside, and what can be read of it is mended', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'catalog');
  {
    await using opened = await openIn(path);
    await opened.catalog.putPage(flask, keptPage(7));
  }
  const manifest = (await readdir(path)).find((name) => name.startsWith('MANIFEST'))!;
  await truncate(join(path, manifest), 10);
  {
    await using opened = await openIn(path);
    assert.equal((await opened.catalog.page(flask))?.observedAt, 7);
    assert.match(
      opened.repaired.join(),
      /catalog was damaged .* what could be read was kept; .*catalog\.damaged-/,
    );
  }
  assert.equal((await readdir(folder.path)).filter((name) => name.includes('.damaged-')).length, 1);

  const again = (await readdir(path)).find((name) => name.startsWith('MANIFEST'))!;
  await writeFile(join(path, again), 'nonsense');
  await using opened = await openIn(path, createFakeClock(Date.UTC(2027, 0, 1)));
  assert.equal((await opened.catalog.page(flask))?.observedAt, 7);
  const aside = (await readdir(folder.path)).filter((name) => name.includes('.damaged-'));
  assert.deepEqual(aside, ['catalog.damaged-20270101T000000000Z'], 'only the last damaged one is kept');
});

for (const why of ['Disk quota exceeded', 'No space left on device', 'Too many open files']) {
  test(`a database that cannot be opened now (${why}) is no damaged one: it stays where it is`, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'catalog');
    {
      await using opened = await openIn(path);
      await opened.catalog.putPage(flask, keptPage(7));
    }
    const cause = Object.assign(new Error(`IO error: ${path}/000005.log: ${why}`), {
      code: 'LEVEL_IO_ERROR',
    });
    const refused = mock.method(Level.prototype, 'open', () =>
      Promise.reject(new Error('Database failed to open', { cause })),
    );
    try {
      await assert.rejects(
        openIn(path),
        (error) => error instanceof ConfigurationError && error.message.includes(why),
      );
    } finally {
      refused.mock.restore();
    }
    assert.deepEqual(await readdir(folder.path), ['catalog']);
    await using opened = await openIn(path);
    assert.equal((await opened.catalog.page(flask))?.observedAt, 7);
  });
}

test('a database that lost its CURRENT file is mended, not emptied', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'catalog');
  for (let i = 0; i < 2; i++) {
    await using opened = await openIn(path);
    await opened.catalog.putPage(flask, keptPage(7));
  }
  await unlink(join(path, 'CURRENT'));
  await using opened = await openIn(path);
  assert.equal((await opened.catalog.page(flask))?.observedAt, 7);
  assert.match(opened.repaired.join(), /CURRENT is missing/);
});

test('a database of pure nonsense is begun anew, with a fact that says what is lost', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'catalog');
  {
    await using opened = await openIn(path);
    await opened.catalog.putPage(flask, keptPage(7));
  }
  for (const name of await readdir(path)) await writeFile(join(path, name), 'nonsense');
  await using opened = await openIn(path);
  assert.equal(await opened.catalog.page(flask), undefined);
  await opened.catalog.putPage(flask, keptPage(8));
  assert.equal((await opened.catalog.page(flask))?.observedAt, 8);
  assert.equal(opened.repaired.length, 1);
});

test('altered bytes of a record are never given out: the record is missing, and that is said once', async () => {
  await using folder = await temporaryFolder();
  const marker = Buffer.from('THE-BODY-OF-THE-PAGE');
  {
    await using opened = await openIn(folder.path);
    await opened.catalog.putPage(flask, keptPage(7, marker));
  }
  {
    // Opening moves the log into a table, whose checksums LevelDB does not look at when it reads.
    await using opened = await openIn(folder.path);
    assert.deepEqual((await pageOf(opened.catalog, 'flask')) !== undefined, true);
  }
  let altered = 0;
  for (const name of await readdir(folder.path)) {
    if (!name.endsWith('.ldb')) continue;
    const bytes = await readFile(join(folder.path, name));
    const at = bytes.indexOf(marker);
    if (at < 0) continue;
    bytes[at + 4] = 'X'.charCodeAt(0);
    await writeFile(join(folder.path, name), bytes);
    altered++;
  }
  assert.equal(altered, 1);
  await using opened = await openIn(folder.path);
  assert.equal(await opened.catalog.page(flask), undefined);
  assert.equal(await opened.catalog.page(flask), undefined);
  assert.deepEqual(
    opened.repaired.map((message) => message.replace(/ in .*/, '')),
    ['damaged entries of bodies'],
  );
  await opened.catalog.putPage(flask, keptPage(8));
  assert.equal((await opened.catalog.page(flask))?.observedAt, 8);
});

test('a body that does not belong to its page is not served with it', async () => {
  await using folder = await temporaryFolder();
  await using opened = await openIn(folder.path);
  await opened.catalog.putPage(flask, keptPage(7, Buffer.from('right')));
  await opened.db.write([{ table: tables.bodies, key: Buffer.from('flask'), value: Buffer.from('wrong') }]);
  assert.equal(await opened.catalog.page(flask), undefined);
});

test('a catalog that a newer version made is refused, not mended', async () => {
  await using folder = await temporaryFolder();
  {
    await using opened = await openIn(folder.path);
    await opened.db.write([{ table: tables.meta, key: Buffer.from('schema'), value: Buffer.from('2') }]);
  }
  for (let i = 0; i < 2; i++) {
    await assert.rejects(openIn(folder.path), (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.equal(error.fault, 'environment');
      assert.match(error.message, /has format 2, this program knows 1/);
      return true;
    });
  }
});

test('a database that is open elsewhere is refused', async () => {
  await using folder = await temporaryFolder();
  await using first = await openIn(folder.path);
  await assert.rejects(openIn(folder.path), (error) => {
    assert.ok(error instanceof ConfigurationError);
    assert.match(error.message, /another node uses/);
    return true;
  });
  assert.equal(await first.catalog.page(flask), undefined);
});
