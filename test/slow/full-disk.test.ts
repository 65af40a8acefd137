/** A node on a disk that is really full: it serves what it has, passes the rest through, says so, and stores again when there is room. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../support/fake-pypi/wheel.ts';
import { checkFolder } from '../support/folder-check.ts';
import { fondue, type NodeProcess, startNode } from '../support/node-process.ts';

const MB = 1_000_000;
const held = makeWheel({ name: 'held', extraBytes: 5 * MB });
const large = makeWheel({ name: 'large', extraBytes: 60 * MB });
const unseen = makeWheel({ name: 'unseen', extraBytes: 2 * MB });
const later = makeWheel({ name: 'later', extraBytes: 2 * MB });

async function assertServed(node: NodeProcess, file: FakeFile): Promise<void> {
  const page = await download(`${node.index}${file.project}/`, { headers: jsonPage });
  assert.equal(page.status, 200, file.project);
  const answer = await download(fileUrl(node.ready.gateway, file), { keep: false });
  assert.deepEqual([answer.status, answer.complete, answer.sha256], [200, true, file.sha256], file.filename);
}

const health = async ({ ready }: NodeProcess): Promise<number> =>
  (await fetch(`${ready.gateway}/-/health`)).status;

test('a full disk: what is held is served, what is not is passed through, and with room it is stored again', async (t) => {
  await using stack = new AsyncDisposableStack();
  const disk = stack.use(await temporaryFolder()).path;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', disk], { stdio: 'pipe' });
  } catch {
    t.skip('mounting a tmpfs needs root');
    return;
  }
  stack.defer(() => void execFileSync('umount', ['-l', disk]));
  await using pypi = await startFakePypi({ files: [held, large, unseen, later] });
  const dataDir = join(disk, 'data');
  const args = ['--no-mdns'];
  // Somebody else's file, which takes all that is left.
  const hog = join(disk, 'hog');
  const fill = (): Promise<void> => writeFile(hog, Buffer.alloc(50 * MB)).catch(() => undefined);
  {
    await using node = await startNode({ upstream: pypi.url, dataDir, args });
    await assertServed(node, held);
    await eventually('it is stored', async () => (await checkFolder(dataDir)).blobs.length === 1);
    assert.equal(await health(node), 200);
    await fill();
    for (const file of [large, unseen]) await assertServed(node, file);
    await eventually('it says so', async () => (await health(node)) === 503);
    assert.match(node.stderr(), /full|no space|ENOSPC/i);
    // What is held needs neither upstream nor room.
    await pypi.down();
    await assertServed(node, held);
    await pypi.up();
    assert.deepEqual((await checkFolder(dataDir)).blobs, [held.sha256]);

    await rm(hog);
    await assertServed(node, later);
    await eventually('it is stored', async () => (await checkFolder(dataDir)).blobs.includes(later.sha256));
    await eventually('all is well again', async () => (await health(node)) === 200);
    await fill();
    assert.equal(await node.stop(), 0);
  }
  await pypi.down();
  // Its databases cannot be opened without any room: that is said, and costs nothing.
  // prettier-ignore
  const refused = await fondue(['up', '--json', '--data-dir', dataDir, '--gateway', '127.0.0.1:0', '--listen', 'none', '--no-mdns']);
  assert.equal(refused.exit, 1, refused.stdout);
  assert.match(refused.stdout, /No space left on device.*"fix":".*with space left/);
  await rm(hog);
  await using again = await startNode({ upstream: pypi.url, dataDir, args });
  for (const file of [held, later]) await assertServed(again, file);
});
