/** `kill -9` at any moment: after the restart the right bytes, and on disk nothing but whole blobs and partials that are resumed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../support/fake-pypi/wheel.ts';
import { checkFolder } from '../support/folder-check.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';

const MB = 1_000_000;
const size = 20 * MB;

/** Asks for a file and kills the node when the client has so many bytes. */
async function killAt(node: NodeProcess, file: FakeFile, bytes: number): Promise<void> {
  const answer = download(fileUrl(node.ready.gateway, file), {
    keep: false,
    onBytes: (got) => {
      if (got >= bytes) node.child.kill('SIGKILL');
    },
  });
  const got = await answer.catch(() => undefined);
  await node.stop('SIGKILL');
  // What ends cleanly is right; what is not, the client knows to be broken.
  if (got?.complete === true) assert.equal(got.sha256, file.sha256);
}

for (const [moment, bytes] of [
  ['just begun', 1],
  ['in the middle', size / 2],
  ['with all but the last bytes sent', size - 100_000],
  ['at the moment the client has all', makeWheel({ name: 'killed', extraBytes: size }).size],
] as const) {
  test(`killed in a 20 MB transfer, ${moment}: right bytes after the restart, by range`, async (t) => {
    const file = makeWheel({ name: 'killed', extraBytes: size });
    await using pypi = await startFakePypi({ files: [file], bytesPerSecond: 20 * MB });
    const dataDir = await mkdtemp(join(tmpdir(), 'fondue-kill-'));
    t.after(() => rm(dataDir, { recursive: true, force: true }));
    {
      await using node = await startNode({ upstream: pypi.url, dataDir });
      await killAt(node, file, bytes);
    }
    const left = await checkFolder(dataDir, true);
    assert.deepEqual([...new Set([...left.blobs, ...left.partials])], [file.sha256]);

    pypi.clearRequests();
    await using node = await startNode({ upstream: pypi.url, dataDir });
    const restarted = await checkFolder(dataDir);
    // Less than one checked MiB is not worth keeping.
    const kept = restarted.blobs.length + restarted.partials.length;
    assert.ok(bytes > 1 ? kept === 1 : kept <= 1, JSON.stringify(restarted));
    const { store } = await node.status();
    assert.deepEqual(
      { blobs: store.blobs, partials: store.partials },
      { blobs: restarted.blobs.length, partials: restarted.partials.length },
    );
    const again = await download(fileUrl(node.ready.gateway, file), { keep: false });
    assert.deepEqual([again.status, again.complete, again.sha256], [200, true, file.sha256]);
    const ranges = pypi.requestsFor(file.path).map((request) => request.headers['range']);
    if (restarted.blobs.length > 0) assert.deepEqual(ranges, []);
    else if (bytes > 1) {
      assert.equal(ranges.length, 1);
      // One checksum each 1 MiB: what the client had and a little less is not fetched again.
      const from = Number(/^bytes=(\d+)-$/.exec(String(ranges[0]))?.[1]);
      assert.ok(from >= Math.min(bytes, size) - 6 * MB, `${String(ranges[0])} after ${bytes} bytes`);
    }
    await eventually('the partial became the blob', async () => {
      const { blobs, partials } = await checkFolder(dataDir);
      return blobs.length === 1 && partials.length === 0;
    });
  });
}

test('killed again and again in transfers of three files at once: each restart finds a sound folder', async (t) => {
  const files = ['one', 'two', 'three'].map((name) => makeWheel({ name, extraBytes: size / 2 }));
  await using pypi = await startFakePypi({ files, bytesPerSecond: 10 * MB });
  const dataDir = await mkdtemp(join(tmpdir(), 'fondue-kill-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  for (const round of [1, 2, 3]) {
    await using node = await startNode({ upstream: pypi.url, dataDir });
    await download(`${node.index}one/`, { headers: jsonPage });
    await Promise.all(files.map((file, i) => killAt(node, file, (round + i) * MB)));
    const { blobs } = await checkFolder(dataDir, true);
    assert.deepEqual(blobs, []);
  }
  await using node = await startNode({ upstream: pypi.url, dataDir });
  pypi.clearRequests();
  for (const file of files) {
    const answer = await download(fileUrl(node.ready.gateway, file), { keep: false });
    assert.deepEqual([answer.status, answer.complete, answer.sha256], [200, true, file.sha256]);
  }
  const requests = pypi.requestsFor('/packages/*');
  assert.equal(requests.length, files.length);
  for (const { headers, path } of requests) assert.match(String(headers['range']), /^bytes=\d{7}-$/, path);
  await eventually('three blobs, no partial', async () => {
    const { blobs, partials } = await checkFolder(dataDir);
    return blobs.length === 3 && partials.length === 0;
  });
});
