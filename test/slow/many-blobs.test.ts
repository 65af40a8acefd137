/** A start with 100,000 blobs takes seconds, and catalog and disk agree at its end, also after a kill and losses. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl } from '../support/download.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { findBlob } from '../support/folder-check.ts';
import { startNode } from '../support/node-process.ts';

const COUNT = 100_000;
const LOST = 1000;
/** "In seconds": two noisy cores, and the files were just written. */
const SECONDS = 15;

test('with 100,000 blobs a node is ready in seconds and knows each, whatever the catalog missed', async (t) => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, 'data');
  const wheel = makeWheel({ name: 'first', extraBytes: 10_000 });
  await using pypi = await startFakePypi({ files: [wheel] });
  const start = () => startNode({ upstream: pypi.url, dataDir, args: ['--no-mdns'] });
  let place: string;
  {
    await using node = await start();
    assert.equal((await download(fileUrl(node.ready.gateway, wheel))).sha256, wheel.sha256);
    place = dirname(dirname(await findBlob(dataDir, wheel.sha256)));
    assert.equal(await node.stop(), 0);
  }
  const paths: string[] = [];
  for (let i = 1; i < COUNT; i++) {
    const bytes = `blob ${i}`;
    const digest = createHash('sha256').update(bytes).digest('hex');
    const path = join(place, digest.slice(0, 2), digest);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    paths.push(path);
  }
  // The catalog knows none of them; then all; then some are gone, and the one before was killed.
  for (const [what, blobs] of [
    ['unknown to the catalog', COUNT],
    ['known', COUNT],
    ['of which some are gone', COUNT - LOST],
  ] as const) {
    if (blobs < COUNT) for (const path of paths.slice(0, LOST)) rmSync(path);
    await using node = await start();
    const { store } = await node.status();
    t.diagnostic(`${what}: ready after ${(node.readyAfter / 1000).toFixed(1)} s`);
    assert.deepEqual([store.blobs, store.partials, store.corruptBlobs], [blobs, 0, 0], what);
    assert.ok(node.readyAfter < SECONDS * 1000, `${what}: ${node.readyAfter} ms`);
    const answer = await download(fileUrl(node.ready.gateway, wheel));
    assert.deepEqual([answer.status, answer.sha256], [200, wheel.sha256]);
    await node.stop('SIGKILL');
  }
});
