import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, mock } from 'node:test';
import { LevelDatastore } from 'datastore-level';
import { Key } from 'interface-datastore/key';
import { ConfigurationError } from '../../src/core/errors.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { openNetworkStorage } from '../../src/network/libp2p/network-storage.ts';

const key = new Key('/bans');

async function withFolder(use: (storagePath: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fondue-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

for (const why of [
  'No space left on device',
  'Disk quota exceeded',
  'Too many open files',
  'Permission denied',
])
  it(`a peers database that cannot be opened (${why}) is no damaged one: bans stay`, () =>
    withFolder(async (storagePath) => {
      const facts = createFactEmitter();
      const open = () => openNetworkStorage({ storagePath, facts });
      {
        await using storage = await open();
        await storage.datastore.put(key, Buffer.from('somebody'));
      }
      const { db } = new LevelDatastore(join(storagePath, 'other'));
      const cause = Object.assign(new Error(`IO error: ${storagePath}/peers/LOCK: ${why}`), {
        code: 'LEVEL_IO_ERROR',
      });
      const refused = mock.method(Object.getPrototypeOf(Object.getPrototypeOf(db)) as typeof db, 'open', () =>
        Promise.reject(new Error('Database failed to open', { cause })),
      );
      try {
        await assert.rejects(open(), (error) => {
          assert.ok(error instanceof ConfigurationError, String(error));
          assert.ok(error.message.includes(why), error.message);
          return true;
        });
      } finally {
        refused.mock.restore();
      }
      await using storage = await open();
      assert.equal(Buffer.from(await storage.datastore.get(key)).toString(), 'somebody');
    }));

it('a peers database that is damaged is begun anew, and that is said; the identity stays', () =>
  withFolder(async (storagePath) => {
    const facts = createFactEmitter();
    const noted: string[] = [];
    facts.on('network:noted', ({ message }) => noted.push(message));
    const open = () => openNetworkStorage({ storagePath, facts });
    {
      await using storage = await open();
      await storage.datastore.put(key, Buffer.from('somebody'));
    }
    const identity = await readFile(join(storagePath, 'identity.key'));
    await writeFile(join(storagePath, 'peers', 'CURRENT'), 'MANIFEST-999999\n');
    await using storage = await open();
    assert.equal(await storage.datastore.has(key), false);
    assert.match(noted.join(), /damaged .* a new one is begun/);
    assert.deepEqual(await readFile(join(storagePath, 'identity.key')), identity);
  }));
