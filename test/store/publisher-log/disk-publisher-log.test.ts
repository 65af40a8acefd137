import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { openCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { logRoot } from '../../../src/core/log/prove-log.ts';
import { decodeBundle, newTiles, tilePath } from '../../../src/core/log/tiles.ts';
import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import {
  openDiskPublisherLog,
  openMemoryPublisherLog,
} from '../../../src/store/publisher-log/open-publisher-log.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { alice, appendUpTo, draftOf, testPublisherLog } from './contract.ts';

testPublisherLog('on disk', async () => {
  const folder = await temporaryFolder();
  return {
    open: (signers = [alice]) => openDiskPublisherLog({ folder: join(folder.path, 'log of alice'), signers }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
});

test('what a web server would serve proves itself from the checkpoint down, at every size', async () => {
  const files = createMemoryLogFiles();
  await using log = await openMemoryPublisherLog([alice], files);
  for (let size = 1; size <= 515; size++) {
    await log.append(draftOf(size - 1));
    if (size > 3 && size % 50 !== 0 && Math.abs((size % 256) - 128) < 126) continue;
    const note = (await files.read('checkpoint')) as Uint8Array;
    const { checkpoint } = openCheckpoint(note, [alice.key]);
    assert.equal(checkpoint.size, size);
    const served = async (path: string): Promise<Uint8Array> => {
      const bytes = await files.read(path);
      assert.ok(bytes !== undefined, `${path} at size ${size}`);
      return bytes;
    };
    assert.equal(await logRoot(size, (tile) => served(tilePath(tile))), checkpoint.root);
    for (const tile of newTiles(0, size)) {
      assert.equal((await served(tilePath(tile))).length, tile.width * 32);
      if (tile.level !== 0) continue;
      const entries = decodeBundle(await served(tilePath({ ...tile, level: 'entries' })), tile.width);
      const leaves = Buffer.concat(entries.map((entry) => leafHash(entry)));
      assert.deepEqual(leaves, Buffer.from(await served(tilePath(tile))));
    }
  }
  // Partial ones stay until the full one is there, and no longer.
  assert.equal((await files.list('tile/0/000.p')).length, 0);
  assert.equal((await files.list('tile/entries/001.p')).length, 0);
  assert.deepEqual([...(await files.list('tile/0/002.p'))], ['1', '2', '3']);
  assert.deepEqual([...(await files.list('tile/1/000.p'))], ['1', '2']);
  // Proofs for sizes whose partial tiles are gone.
  await log.proveConsistency(100, 300);
  await log.proveInclusion(7, 255);
});

test('not gone on with: a log whose upper tiles are not those of the root that was signed', async () => {
  const files = createMemoryLogFiles();
  await appendUpTo(await openMemoryPublisherLog([alice], files), 257);
  await files.write('tile/1/000.p/1', Buffer.alloc(32));
  await assert.rejects(openMemoryPublisherLog([alice], files), {
    code: 'LOG_DAMAGED',
    message: /lead to the root/,
  });
});

test('two processes cannot publish with one folder', async () => {
  await using folder = await temporaryFolder();
  await using log = await openDiskPublisherLog({ folder: folder.path, signers: [alice] });
  await log.append(draftOf(0));
  await assert.rejects(openDiskPublisherLog({ folder: folder.path, signers: [alice] }), {
    code: 'CONFIGURATION',
    message: /another process publishes with the log/,
  });
});

/** A log of 3 records, damaged, must not be opened. */
const damages: [string, (log: string) => Promise<void>][] = [
  ['its newest records are gone (a backup, or a lost disk)', (log) => rm(join(log, 'tile/entries/000.p/3'))],
  ['its checkpoint is gone', (log) => rm(join(log, 'checkpoint'))],
  ['its checkpoint is empty', (log) => writeFile(join(log, 'checkpoint'), '')],
  ['its tiles are gone', (log) => rm(join(log, 'tile/0'), { recursive: true })],
  [
    'a hash was changed',
    async (log) => {
      const path = join(log, 'tile/0/000.p/3');
      const bytes = await readFile(path);
      await writeFile(path, bytes.with(40, (bytes[40] as number) ^ 1));
    },
  ],
  [
    'a record was changed',
    async (log) => {
      const path = join(log, 'tile/entries/000.p/3');
      const text = await readFile(path, 'latin1');
      await writeFile(path, text.replace('886324', '886325'), 'latin1');
    },
  ],
  ['an older checkpoint was put back', (log) => writeFile(join(log, 'checkpoint'), first)],
];
let first: Uint8Array = Buffer.alloc(0);

for (const [what, damage] of damages) {
  test(`not gone on with: a log of which ${what}`, async () => {
    await using folder = await temporaryFolder();
    await (async () => {
      await using log = await openDiskPublisherLog({ folder: folder.path, signers: [alice] });
      first = (await log.append(draftOf(0))).note;
      await appendUpTo(log, 3);
    })();
    const place = join(folder.path, 'log');
    await damage(place);
    const before = await readdir(place, { recursive: true });
    for (let again = 0; again < 2; again++)
      await assert.rejects(openDiskPublisherLog({ folder: folder.path, signers: [alice] }), {
        code: 'LOG_DAMAGED',
        message: /It must not go on/,
      });
    assert.deepEqual(await readdir(place, { recursive: true }), before);
  });
}
