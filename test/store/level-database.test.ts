/** The database when LevelDB itself must be opened anew. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { StorageFullError } from '../../src/core/errors.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { openRawLevel, tables, wrapLevel } from '../../src/store/level-database.ts';
import { temporaryFolder } from '../support/disk-store.ts';

test('a database that could not be opened anew is read and written again as soon as it can be', async () => {
  await using folder = await temporaryFolder();
  const raw = openRawLevel(folder.path);
  await raw.open();
  await using db = wrapLevel(raw, folder.path, createFactEmitter());
  const key = Buffer.from('flask');
  const put = (text: string): Promise<void> =>
    db.write([{ table: tables.documents, key, value: Buffer.from(text) }]);
  const read = async (): Promise<string | undefined> => (await db.get(tables.documents, key))?.toString();
  await put('one');

  // A disk quota: `statfs` shows room, and yet nothing can be written.
  const full = (): Promise<never> => Promise.reject(new Error('IO error: Disk quota exceeded'));
  Object.assign(raw, { batch: full, open: full });
  await assert.rejects(put('two'), StorageFullError);
  assert.equal(await read(), 'one', 'it still reads');
  await assert.rejects(put('three'), StorageFullError, 'now it is closed, and cannot be opened');
  await assert.rejects(read(), StorageFullError);

  for (const name of ['batch', 'open']) Reflect.deleteProperty(raw, name);
  const opened = mock.method(raw, 'open');
  assert.deepEqual(await Promise.all([read(), read(), read()]), ['one', 'one', 'one']);
  assert.equal(opened.mock.callCount(), 1, 'once for all who wait');
  await put('four');
  assert.equal(await read(), 'four');
});
