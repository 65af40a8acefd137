/** A catalog that was cut or garbled does not keep the node from starting: it says so, and every whole blob is served again. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { checkFolder } from '../support/folder-check.ts';
import { startNode } from '../support/node-process.ts';

const files = Array.from({ length: 5 }, (_, i) => makeWheel({ name: `kept-${i}`, extraBytes: 100_000 }));

/** How the files of the catalog's folder are damaged; whether anything can be noticed. */
const damages: readonly (readonly [string, (folder: string) => Promise<void>])[] = [
  ['every file garbled in its middle', (folder) => each(folder, /./, garble)],
  ['every file cut in half', (folder) => each(folder, /./, async (path, size) => truncate(path, size >> 1))],
  ['every file emptied', (folder) => each(folder, /./, (path) => truncate(path, 0))],
  ['CURRENT missing', (folder) => each(folder, /^CURRENT$/, (path) => unlink(path))],
  ['MANIFEST missing', (folder) => each(folder, /^MANIFEST/, (path) => unlink(path))],
  ['the log garbled', (folder) => each(folder, /\.log$/, garble)],
];

async function each(
  folder: string,
  names: RegExp,
  damage: (path: string, size: number) => Promise<void>,
): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!names.test(name)) continue;
    const path = join(folder, name);
    await damage(path, (await readFile(path)).length);
  }
}

async function garble(path: string): Promise<void> {
  const bytes = await readFile(path);
  for (let i = bytes.length >> 2; i < bytes.length * 0.75; i += 7) bytes[i]! ^= 0x5a;
  await writeFile(path, bytes);
}

for (const [what, damage] of damages) {
  test(`the catalog with ${what}: the node starts, says what it did, and serves every blob`, async (t) => {
    await using pypi = await startFakePypi({ files });
    const dataDir = await mkdtemp(join(tmpdir(), 'fondue-damaged-'));
    t.after(() => rm(dataDir, { recursive: true, force: true }));
    {
      await using node = await startNode({ upstream: pypi.url, dataDir });
      for (const file of files) {
        await download(`${node.index}${file.project}/`, { headers: jsonPage });
        assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);
      }
      await eventually(
        'all are stored',
        async () => (await checkFolder(dataDir)).blobs.length === files.length,
      );
      await node.stop('SIGKILL');
    }
    await damage(join(dataDir, 'catalog'));
    pypi.clearRequests();
    await using node = await startNode({ upstream: pypi.url, dataDir });
    assert.equal((await node.status()).store.blobs, files.length);
    for (const file of files) {
      const page = await download(`${node.index}${file.project}/`, { headers: jsonPage });
      assert.equal(page.status, 200);
      assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);
    }
    assert.deepEqual(pypi.requestsFor('/packages/*'), [], 'no file is fetched again');
    if (what !== 'the log garbled') assert.match(node.stderr(), /catalog was damaged/);
    assert.equal(await node.stop(), 0);
  });
}
