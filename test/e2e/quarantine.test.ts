/** A project that its upstream quarantines without a word on its page: it is only left out of the list. Nothing is imported from `src/`. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';
import { startPublisherGroup } from '../support/publisher-group.ts';

const interval = 2;

test('a quarantined project whose page does not name its status offers no files at a follower, in time', async () => {
  await using folder = await temporaryFolder();
  const suspect = makeWheel({ name: 'suspect' });
  // Pages of API 1.3 have no status, and this one goes on naming its file.
  await using pypi = await startFakePypi({
    files: [suspect, makeWheel({ name: 'other' })],
    apiVersion: '1.3',
  });
  await using group = await startPublisherGroup({
    folder: folder.path,
    upstream: pypi.url,
    names: ['one'],
    threshold: 1,
    projects: ['suspect', 'other'],
    interval,
  });
  await using node = await startNode({
    upstream: pypi.url,
    // prettier-ignore
    args: ['--no-mdns', '--mode', 'offline', '--policy', join(folder.path, 'policy'), ...group.bootstrap()],
  });
  const hashes = async (project: string): Promise<unknown> => {
    const answer = await download(`${node.ready.gateway}/simple/${project}/`, { headers: jsonPage });
    if (answer.status !== 200) return answer.status;
    const { files } = JSON.parse(answer.body.toString()) as { files: { hashes: { sha256: string } }[] };
    return files.map((file) => file.hashes.sha256);
  };
  const become = (what: string, wanted: unknown): Promise<unknown> =>
    eventually(
      what,
      async () => JSON.stringify(await hashes('suspect')) === JSON.stringify(wanted),
      (2 * interval + 10) * 1000,
    );
  await become('the page', [suspect.sha256]);
  pypi.setStatus('suspect', 'quarantined');
  await become('the page without files', []);
  const file = await download(fileUrl(node.ready.gateway, suspect));
  assert.ok(file.status >= 400, `its file was answered with ${file.status}`);
  assert.notDeepEqual(await hashes('other'), [], 'the other project stays');
  pypi.setStatus('suspect', 'active');
  await become('the page with its file again', [suspect.sha256]);
});
